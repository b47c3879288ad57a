//! A connection's stream, and a deadline for its replies: who asks and does not read is not waited for without end.
//! It also notes when a reply was sent whole, and takes back what was read too early.
//!
//! A reply that the system takes at once, which is every reply to a client that reads, costs nothing here: the timer is
//! made when a write has to wait.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Sleep, sleep};

use super::state::ConnectionState;

/// A stream whose replies have to be taken in time.
pub(crate) struct WriteTimeoutStream<S> {
    stream: S,
    /// What was read and given back; read again before the stream is.
    unread: Bytes,
    state: Arc<ConnectionState>,
    /// Whether something was written since the last flush: hyper flushes also when it has read only.
    unflushed: bool,
    timeout: Duration,
    /// Runs out when the reply at hand has to be gone; nothing while all has been taken at once.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeoutStream<S> {
    /// `stream`, whose client has to take a reply `within` this time.
    pub(crate) fn new(stream: S, state: Arc<ConnectionState>, timeout: Duration) -> Self {
        Self { stream, unread: Bytes::new(), state, unflushed: false, timeout, deadline: None }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Takes back what was read and belongs to no request yet.
    pub(crate) fn push_back(&mut self, read: Bytes) {
        self.unread = read;
    }

    /// Whether it has something that was given back.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }
}

impl<S: Read + Unpin> Read for WriteTimeoutStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_unread() {
            let most = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread.split_to(most));
            self.state.note_traffic();
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.state.note_traffic();
        }
        read
    }
}

impl<S: Write + Unpin> Write for WriteTimeoutStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.state.note_traffic();
        this.unflushed = true;
        match Pin::new(&mut this.stream).poll_write(context, bytes) {
            Poll::Ready(written) => Poll::Ready(written),
            Poll::Pending => {
                let late = this.deadline.get_or_insert_with(|| Box::pin(sleep(this.timeout)));
                ready!(late.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the reply was not taken in time")))
            }
        }
    }

    /// All that was to be written has been: hyper asks for it when its own buffer is empty, and not before. So a client
    /// that takes a byte now and then does not get more time.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.deadline = None;
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() && std::mem::take(&mut self.unflushed) {
            self.state.note_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn timeout_stream(stream: DuplexStream) -> WriteTimeoutStream<TokioIo<DuplexStream>> {
        WriteTimeoutStream::new(TokioIo::new(stream), Arc::new(ConnectionState::new(Instant::now())), TIMEOUT)
    }

    /// Writes a reply of so many bytes, as hyper does: all of it, and then a flush.
    async fn write_reply(
        stream: &mut WriteTimeoutStream<impl Write + Unpin>,
        bytes: usize,
    ) -> io::Result<()> {
        let reply = vec![b'x'; bytes];
        let mut left = &reply[..];
        while !left.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, left)).await?;
            left = &left[written..];
        }
        poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
    }

    #[tokio::test(start_paused = true)]
    async fn unread_reply_times_out() {
        let (_client, server) = duplex(100);
        let mut stream = timeout_stream(server);
        write_reply(&mut stream, 100).await.unwrap();
        let begun = Instant::now();
        let error = write_reply(&mut stream, 1).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_reads_do_not_extend_the_timeout() {
        let (mut client, server) = duplex(100);
        let mut stream = timeout_stream(server);
        tokio::spawn(async move {
            while client.read_u8().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        });
        let begun = Instant::now();
        let error = write_reply(&mut stream, 1000).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn each_reply_gets_the_full_timeout() {
        let (mut client, server) = duplex(100);
        let mut stream = timeout_stream(server);
        tokio::spawn(async move {
            let mut taken = vec![0; 100];
            loop {
                sleep(TIMEOUT.mul_f64(0.9)).await;
                client.read_exact(&mut taken).await.unwrap();
            }
        });
        for _ in 0..5 {
            write_reply(&mut stream, 100).await.unwrap();
        }
    }
}

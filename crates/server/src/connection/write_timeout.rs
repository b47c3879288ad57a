//! Connection stream with a write timeout, for clients that do not read their replies.
//! It also records when a whole reply was flushed, and takes back bytes that were read too early.
//!
//! A reply that the kernel takes at once, as every reply to a client that reads, costs nothing here: the timer is
//! created when a write has to wait.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Sleep, sleep};

use super::state::ConnectionState;

pub(crate) struct WriteTimeoutStream<S> {
    stream: S,
    /// Bytes pushed back; read again before the stream.
    unread: Bytes,
    state: Arc<ConnectionState>,
    /// Whether bytes were written since the last flush: hyper also flushes after a mere read.
    unflushed: bool,
    timeout: Duration,
    /// Deadline of the current reply; `None` while the kernel has taken every write at once.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeoutStream<S> {
    /// A client has to take each reply of `stream` within `timeout`.
    pub(crate) fn new(stream: S, state: Arc<ConnectionState>, timeout: Duration) -> Self {
        Self { stream, unread: Bytes::new(), state, unflushed: false, timeout, deadline: None }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Pushes back bytes that belong to no request yet.
    pub(crate) fn push_back(&mut self, read: Bytes) {
        self.unread = read;
    }

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
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(this.timeout)));
                ready!(deadline.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client did not read the reply in time",
                )))
            }
        }
    }

    /// hyper flushes when its own buffer is empty and not before, so the whole reply has been written. A client that
    /// takes a byte now and then gets no more time.
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

    /// Writes a reply of `bytes` bytes as hyper does: all of it, then a flush.
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

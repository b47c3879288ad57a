//! The stream of a client: TCP, or TLS over it.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A stream that can wait for its next byte without a buffer for it.
pub(crate) trait ClientStream: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static {
    /// Resolves once there are bytes to read, or the end, or an error. The next read has it.
    fn readable(&self) -> impl Future<Output = ()> + Send;
}

impl ClientStream for TcpStream {
    async fn readable(&self) {
        // Peeks the first byte, because a new socket is reported readable before data has arrived. hyper handles an
        // error of the peek.
        let _ = self.peek(&mut [0]).await;
    }
}

impl ClientStream for TlsStream<TcpStream> {
    async fn readable(&self) {
        let (socket, session) = self.get_ref();
        // A request may have come with the end of the handshake: then it is decrypted already.
        if session.wants_read() {
            ClientStream::readable(socket).await;
        }
    }
}

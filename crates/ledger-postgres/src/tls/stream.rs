//! A TLS connection as `tokio-postgres` takes it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use super::channel_binding::server_end_point;

/// Makes the TLS connections of one session.
#[derive(Clone)]
pub(crate) struct TlsConnector {
    config: Arc<ClientConfig>,
    /// Set by a finished handshake.
    is_encrypted: Arc<AtomicBool>,
}

impl TlsConnector {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self { config: Arc::new(config), is_encrypted: Arc::default() }
    }

    /// Whether a handshake of this connector finished: with `prefer`, the connection may be plaintext.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted.load(Ordering::Relaxed)
    }
}

/// A connector to one host.
pub(crate) struct HostConnector {
    connector: TlsConnector,
    /// `None` for a Unix socket, where PostgreSQL speaks no TLS.
    host: Option<ServerName<'static>>,
}

impl MakeTlsConnect<Socket> for TlsConnector {
    type Stream = RustlsStream;
    type TlsConnect = HostConnector;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<HostConnector, InvalidDnsNameError> {
        let host = (!host.is_empty()).then(|| ServerName::try_from(host.to_owned())).transpose()?;
        Ok(HostConnector { connector: self.clone(), host })
    }
}

impl TlsConnect<Socket> for HostConnector {
    type Stream = RustlsStream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<RustlsStream>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let Self { connector: TlsConnector { config, is_encrypted }, host } = self;
            let host = host.ok_or_else(|| io::Error::other("the URL names no host for TLS"))?;
            let stream = tokio_rustls::TlsConnector::from(config).connect(host, socket).await?;
            is_encrypted.store(true, Ordering::Relaxed);
            Ok(RustlsStream(stream))
        })
    }
}

pub(crate) struct RustlsStream(tokio_rustls::client::TlsStream<Socket>);

impl TlsStream for RustlsStream {
    fn channel_binding(&self) -> ChannelBinding {
        let (_, connection) = self.0.get_ref();
        let certificate = connection.peer_certificates().and_then(<[_]>::first);
        certificate
            .and_then(|certificate| server_end_point(certificate))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl AsyncRead for RustlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for RustlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

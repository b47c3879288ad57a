//! TLS of a listener: certificate and key, replaced while connections are open.
//!
//! Versions 1.2 and 1.3, by rustls with ring. A connection keeps the certificate with which it was opened.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certificate chain with its key. Clones share it, and its replacement.
#[derive(Clone)]
pub struct TlsIdentity(Arc<ArcSwap<ServerConfig>>);

/// The files are no certificate with its key. The error holds nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTls {
    /// The certificate file holds no certificate, or a damaged one.
    #[error("holds no certificate in PEM")]
    Certificate,
    /// The key file holds no key.
    #[error("holds no private key in PEM")]
    Key,
    /// The key is of another certificate, or of a kind that is not supported.
    #[error("is not the key of the certificate, or of a kind that is not supported")]
    Mismatch,
}

impl TlsIdentity {
    /// Parses a certificate chain and its key, both in PEM; the server's certificate comes first.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, InvalidTls> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(InvalidTls::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| InvalidTls::Key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|_| InvalidTls::Mismatch)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(ArcSwap::from_pointee(config))))
    }

    /// Uses the certificate of `other` for connections from now on.
    pub fn replace(&self, other: &Self) {
        self.0.store(other.0.load_full());
    }

    /// The TLS stream of a client; `None` if there is no handshake within `limit`.
    pub(crate) async fn accept(&self, stream: TcpStream, limit: Duration) -> Option<TlsStream<TcpStream>> {
        timeout(limit, self.handshake(stream)).await.ok().flatten()
    }

    async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 0 {
            return None;
        }
        if first[0].is_ascii_uppercase() {
            tracing::debug!("a client spoke HTTP on a TLS port");
            refuse_plain_http(&stream).await;
            return None;
        }
        let accepted = TlsAcceptor::from(self.0.load_full()).accept(stream).await;
        accepted.inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed")).ok()
    }
}

/// Answers a request without TLS. A new socket takes so few bytes at once.
async fn refuse_plain_http(stream: &TcpStream) {
    // A socket that is closed with unread bytes is reset, and the client may lose the answer.
    let mut unread = [0; 1024];
    for _ in 0..PLAIN_READS_MAX {
        if !matches!(stream.try_read(&mut unread), Ok(1..)) {
            break;
        }
    }
    if stream.writable().await.is_ok() {
        let _ = stream.try_write(HTTP_ON_TLS);
    }
}

/// Reads of a request without TLS before it is answered: 64 KiB.
const PLAIN_READS_MAX: usize = 64;

/// Shows nothing of the key.
impl std::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsIdentity")
    }
}

/// Answer to a request without TLS, whose first byte is that of a method. A handshake begins with 22.
const HTTP_ON_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 47\r\n\
    Connection: close\r\n\r\n\
    this port speaks TLS: begin the URL with https\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_to_plain_http_has_its_length() {
        let text = std::str::from_utf8(HTTP_ON_TLS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn files_of_another_kind_are_refused() {
        assert_eq!(TlsIdentity::from_pem(b"", b"").unwrap_err(), InvalidTls::Certificate);
        assert_eq!(TlsIdentity::from_pem(b"-----BEGIN", b"").unwrap_err(), InvalidTls::Certificate);
    }
}

//! TLS to the database, with rustls: the modes of libpq, root certificates, client certificates.
//!
//! | `sslmode` | Encrypted | Certificate's chain | Host name |
//! |---|---|---|---|
//! | `disable` | no | | |
//! | `prefer`, the default | if the server can | not verified | not verified |
//! | `require` | yes | with `sslrootcert` only | not verified |
//! | `verify-ca` | yes | verified | not verified |
//! | `verify-full` | yes | verified | verified |
//!
//! The files are read for each connection, so a renewed certificate needs no restart.
//! Read next: `tls/verifier.rs`, the verification; `tls/stream.rs`, the connection and its channel binding.

mod channel_binding;
mod stream;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

pub(crate) use stream::TlsConnector;

/// `sslmode` of libpq.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TlsMode {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Source of the root certificates that a server's certificate must lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RootSource {
    /// The bundle of the operating system, or of `SSL_CERT_FILE`.
    System,
    /// A PEM file.
    File(PathBuf),
}

/// Certificate of this program, and its key: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    pub(crate) mode: TlsMode,
    pub(crate) roots: Option<RootSource>,
    pub(crate) client: Option<ClientCertificate>,
}

/// Why TLS cannot be set up. The files are named, their content never is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{} cannot be read: {cause}", file.display())]
    Unreadable { file: PathBuf, cause: String },
    #[error("{} holds no certificate; it must be a PEM file with BEGIN CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} holds no private key without a passphrase; it must be a PEM file", .0.display())]
    NoKey(PathBuf),
    #[error(
        "the system has no bundle of root certificates; name a file with sslrootcert, or set SSL_CERT_FILE"
    )]
    NoSystemRoots,
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Bundles of root certificates: Debian and Alpine, Fedora, SUSE, the BSDs and macOS.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl TlsSettings {
    /// The rustls configuration; `None` if connections are plaintext.
    pub(crate) fn client_config(&self) -> Result<Option<ClientConfig>, TlsError> {
        let verifier = match (self.mode, &self.roots) {
            (TlsMode::Disable, _) => return Ok(None),
            (TlsMode::Prefer, _) | (TlsMode::Require, None) => verifier::without_roots(),
            (TlsMode::Require | TlsMode::VerifyCa, roots) => verifier::of_chain(read_roots(roots.as_ref())?),
            (TlsMode::VerifyFull, roots) => verifier::of_chain_and_name(read_roots(roots.as_ref())?)?,
        };
        let config = ClientConfig::builder_with_provider(verifier::provider())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(Some(match &self.client {
            None => config.with_no_client_auth(),
            Some(ClientCertificate { certificate, key }) => {
                config.with_client_auth_cert(read_certificates(certificate)?, read_key(key)?)?
            }
        }))
    }
}

/// Without `sslrootcert`, the system's roots.
fn read_roots(source: Option<&RootSource>) -> Result<Arc<RootCertStore>, TlsError> {
    let file = match source {
        Some(RootSource::File(file)) => file.clone(),
        Some(RootSource::System) | None => system_bundle().ok_or(TlsError::NoSystemRoots)?,
    };
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that rustls does not take as roots; the others count.
    let (added, _) = roots.add_parsable_certificates(read_certificates(&file)?);
    if added == 0 { Err(TlsError::NoCertificate(file)) } else { Ok(Arc::new(roots)) }
}

fn system_bundle() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|name| !name.is_empty()).map(PathBuf::from);
    named.or_else(|| SYSTEM_BUNDLES.into_iter().map(PathBuf::from).find(|bundle| bundle.exists()))
}

fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(TlsError::NoCertificate(file.to_owned())),
    }
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|_| TlsError::NoKey(file.to_owned()))
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file)
        .map_err(|error| TlsError::Unreadable { file: file.to_owned(), cause: error.to_string() })
}

//! Root certificates of TLS connections: the web's, compiled in, and those of CA files.
//!
//! A client in a bare container has no others. A bank behind a private authority adds its file.

use std::io;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Why a CA file cannot be used.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CaFileError {
    /// It cannot be read.
    #[error("cannot be read")]
    Io(#[source] io::Error),
    /// It holds no certificate in PEM form.
    #[error("holds no certificate; it must be a PEM file with BEGIN CERTIFICATE")]
    Empty,
    /// A certificate in it is damaged, or cannot be a root.
    #[error("holds a certificate that cannot be used as a root")]
    InvalidCertificate,
}

/// The web's root certificates.
pub(crate) fn web_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// Adds all certificates of a PEM file.
pub(crate) fn add_ca_file(roots: &mut RootCertStore, path: &Path) -> Result<(), CaFileError> {
    let pem = std::fs::read(path).map_err(CaFileError::Io)?;
    let count = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| CaFileError::InvalidCertificate)?;
        roots.add(certificate).map_err(|_| CaFileError::InvalidCertificate)?;
    }
    if roots.len() == count { Err(CaFileError::Empty) } else { Ok(()) }
}

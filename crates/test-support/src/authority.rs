//! A certificate authority for tests of TLS, with certificates of servers and clients.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

const RCGEN: &str = "a certificate can be made";

/// An authority that no one else trusts.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: Vec<u8>,
}

/// A certificate and its private key, both in PEM form.
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: String,
    /// The key, without a passphrase.
    pub key: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

impl Authority {
    /// A new authority of this name.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect(RCGEN);
        let mut params = CertificateParams::new(Vec::new()).expect(RCGEN);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).expect(RCGEN);
        Self { der: certificate.der().to_vec(), issuer: Issuer::new(params, key) }
    }

    /// The authority's own certificate, in PEM form.
    pub fn pem(&self) -> String {
        to_pem("CERTIFICATE", &self.der)
    }

    /// The same in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// A certificate for a host or a user of this name.
    #[must_use]
    pub fn issue(&self, name: &str) -> IssuedCertificate {
        let key = KeyPair::generate().expect(RCGEN);
        let mut params = CertificateParams::new([name.to_owned()]).expect(RCGEN);
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).expect(RCGEN);
        IssuedCertificate {
            certificate: to_pem("CERTIFICATE", certificate.der()),
            key: to_pem("PRIVATE KEY", key.serialized_der()),
            der: certificate.der().to_vec(),
        }
    }
}

/// PEM with lines of 64 characters, as OpenSSL demands.
fn to_pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

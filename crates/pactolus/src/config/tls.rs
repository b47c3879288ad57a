//! The section `[tls]`: the files of a certificate and its key.

use std::fs;

use pactolus_server::{InvalidTls, TlsIdentity};
use zeroize::Zeroizing;

use super::problem::ParseError;
use super::section::Section;
use super::sources::RawValue;

/// The certificate of the section; `None` without TLS.
pub(super) struct TlsSetting(pub(super) Option<TlsIdentity>);

/// Reads both files. One without the other is a problem.
pub(super) fn tls(tls: &mut Section<'_>) -> Option<TlsSetting> {
    let cert = tls.optional("cert", None, file_or_off)?;
    let key = tls.optional("key", None, file_or_off)?;
    let (cert, key) = match (cert, key) {
        (None, None) => return Some(TlsSetting(None)),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => {
            tls.report("key", "is missing; `cert` needs its key");
            return None;
        }
        (None, Some(_)) => {
            tls.report("cert", "is missing; `key` needs its certificate");
            return None;
        }
    };
    let identity = TlsIdentity::from_pem(&cert, &key);
    let reported = identity.inspect_err(|error| {
        let setting = match error {
            InvalidTls::Certificate => "cert",
            InvalidTls::Key | InvalidTls::Mismatch => "key",
        };
        tls.report(setting, error);
    });
    reported.ok().map(|identity| TlsSetting(Some(identity)))
}

/// The bytes of a file, or `"off"` for none. A relative path is taken from the folder of the configuration.
fn file_or_off(given: &RawValue<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, ParseError> {
    let text = given.text()?;
    if text == "off" {
        return Ok(None);
    }
    let path = given.base_folder().join(text);
    let read = fs::read(&path).map(Zeroizing::new).map(Some);
    read.map_err(|error| {
        ParseError::new(format!("is the file {}, which cannot be read: {error}", path.display()))
    })
}

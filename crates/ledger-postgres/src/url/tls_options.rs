//! The TLS options of a URL's query, which `tokio-postgres` does not know: `sslmode` with its verifying modes,
//! `sslrootcert`, `sslcert` and `sslkey`.

use std::path::PathBuf;

use super::InvalidPostgresUrl;
use crate::tls::{ClientCertificate, RootSource, TlsMode, TlsSettings};

/// Takes the TLS options out of a URL. Returns the URL without them.
pub(super) fn take(url: &str) -> Result<(String, TlsSettings), InvalidPostgresUrl> {
    let Some((place, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), TlsSettings::default()));
    };
    let mut found = Options::default();
    let mut others = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let option = match name {
            "sslmode" => &mut found.mode,
            "sslrootcert" => &mut found.roots,
            "sslcert" => &mut found.certificate,
            "sslkey" => &mut found.key,
            _ => {
                others.push(pair);
                continue;
            }
        };
        *option = Some(decode(value).ok_or(InvalidPostgresUrl::Malformed)?);
    }
    let separator = if others.is_empty() { "" } else { "?" };
    Ok((format!("{place}{separator}{}", others.join("&")), found.check()?))
}

#[derive(Default)]
struct Options {
    mode: Option<String>,
    roots: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Options {
    fn check(self) -> Result<TlsSettings, InvalidPostgresUrl> {
        let roots = self.roots.filter(|roots| !roots.is_empty()).map(|roots| match &*roots {
            "system" => RootSource::System,
            _ => RootSource::File(PathBuf::from(roots)),
        });
        let mode = match self.mode.as_deref() {
            // As libpq does: the system's roots vouch for a host's name only.
            None | Some("") if roots == Some(RootSource::System) => TlsMode::VerifyFull,
            None | Some("") => TlsMode::default(),
            Some("disable") => TlsMode::Disable,
            Some("prefer") => TlsMode::Prefer,
            Some("require") => TlsMode::Require,
            Some("verify-ca") => TlsMode::VerifyCa,
            Some("verify-full") => TlsMode::VerifyFull,
            Some(_) => return Err(InvalidPostgresUrl::TlsMode),
        };
        if roots == Some(RootSource::System) && mode != TlsMode::VerifyFull {
            return Err(InvalidPostgresUrl::SystemRoots);
        }
        let client = match (self.certificate, self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                Some(ClientCertificate { certificate: PathBuf::from(certificate), key: PathBuf::from(key) })
            }
            (Some(_), None) | (None, Some(_)) => return Err(InvalidPostgresUrl::ClientCertificate),
        };
        Ok(TlsSettings { mode, roots, client })
    }
}

/// Decodes `%40` and the like; `None` if the escapes are wrong.
fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(&digits).ok().filter(|_| is_hex)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(query: &str) -> Result<(String, TlsSettings), InvalidPostgresUrl> {
        take(&format!("postgres://bank@h/x{query}"))
    }

    #[test]
    fn options_are_taken_out_of_the_query() {
        let (url, tls) = settings(
            "?application_name=a&sslmode=verify-full&sslrootcert=%2Fetc%2Fdb%20ca.pem&sslcert=c&sslkey=k&options=-c%20x",
        )
        .unwrap();
        assert_eq!(url, "postgres://bank@h/x?application_name=a&options=-c%20x");
        let (certificate, key) = ("c".into(), "k".into());
        let client = Some(ClientCertificate { certificate, key });
        let roots = Some(RootSource::File("/etc/db ca.pem".into()));
        assert_eq!(tls, TlsSettings { mode: TlsMode::VerifyFull, roots, client });
        for plain in ["", "?sslmode=prefer"] {
            assert_eq!(settings(plain).unwrap(), ("postgres://bank@h/x".to_owned(), TlsSettings::default()));
        }
    }

    #[test]
    fn system_roots_verify_the_name() {
        assert_eq!(settings("?sslrootcert=system").unwrap().1.mode, TlsMode::VerifyFull);
        for weaker in ["disable", "prefer", "require", "verify-ca"] {
            let refused = settings(&format!("?sslrootcert=system&sslmode={weaker}"));
            assert_eq!(refused.unwrap_err(), InvalidPostgresUrl::SystemRoots);
        }
    }

    #[test]
    fn wrong_options_are_refused() {
        let cases = [
            ("?sslmode=on", InvalidPostgresUrl::TlsMode),
            ("?sslmode=allow", InvalidPostgresUrl::TlsMode),
            ("?sslmode=Require", InvalidPostgresUrl::TlsMode),
            ("?sslcert=c", InvalidPostgresUrl::ClientCertificate),
            ("?sslkey=k", InvalidPostgresUrl::ClientCertificate),
            ("?sslrootcert=%4", InvalidPostgresUrl::Malformed),
            ("?sslrootcert=%zz", InvalidPostgresUrl::Malformed),
            ("?sslrootcert=%+1", InvalidPostgresUrl::Malformed),
            ("?sslrootcert=%ff", InvalidPostgresUrl::Malformed),
        ];
        for (query, error) in cases {
            assert_eq!(settings(query).unwrap_err(), error, "{query}");
        }
    }
}

//! Where the bank is: everything of a URL before the paths of the calls.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// The address of a bank: `http` or `https`, a host, and what stands before the paths of the calls, if anything does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is no base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// It is not of the form `http://host` or `https://host`.
    #[error("is not like https://host or http://host:port")]
    Syntax,
    /// It is longer than [`BaseUrl::BYTES_MAX`].
    #[error("is longer than {} bytes", BaseUrl::BYTES_MAX)]
    TooLong,
    /// It has a query or a fragment, which the calls have no place for.
    #[error("has more than a path after its host")]
    Query,
    /// It has a name or a password in it, which would be sent and logged.
    #[error("holds a name or a password before its host")]
    UserInfo,
}

impl BaseUrl {
    /// The vendor's own host.
    pub const VENDOR: &'static str = "https://api.weixin.qq.com";

    /// The longest one: with a call's path and query behind it, it is far from the 64 KiB that a URI may have.
    pub const BYTES_MAX: usize = 2048;

    /// The base URL that `text` writes, or why it is none.
    pub fn new(text: &str) -> Result<Self, InvalidBaseUrl> {
        if text.len() > Self::BYTES_MAX {
            return Err(InvalidBaseUrl::TooLong);
        }
        if text.contains(['?', '#']) {
            return Err(InvalidBaseUrl::Query);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidBaseUrl::Syntax)?;
        let authority = match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => authority,
            _ => return Err(InvalidBaseUrl::Syntax),
        };
        if authority.as_str().contains('@') {
            return Err(InvalidBaseUrl::UserInfo);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BaseUrl {
    fn default() -> Self {
        Self(Self::VENDOR.to_owned())
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        Self::new(text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_url_accepts_scheme_host_and_prefix_only() {
        for (text, url) in [
            ("https://api.weixin.qq.com", "https://api.weixin.qq.com"),
            ("http://127.0.0.1:8790/", "http://127.0.0.1:8790"),
            ("http://[::1]:8790", "http://[::1]:8790"),
            ("http://gateway/coins/", "http://gateway/coins"),
        ] {
            assert_eq!(BaseUrl::new(text).unwrap().as_str(), url);
        }
        assert_eq!(BaseUrl::default(), BaseUrl::new(BaseUrl::VENDOR).unwrap());
        for (text, error) in [
            ("", InvalidBaseUrl::Syntax),
            ("127.0.0.1:8790", InvalidBaseUrl::Syntax),
            ("ftp://host", InvalidBaseUrl::Syntax),
            ("http://", InvalidBaseUrl::Syntax),
            ("/cgi-bin", InvalidBaseUrl::Syntax),
            ("http://host/?a=b", InvalidBaseUrl::Query),
            ("http://host/#a", InvalidBaseUrl::Query),
            ("http://name:word@host", InvalidBaseUrl::UserInfo),
            // It was taken once, and the first call behind it panicked: no URI is that long.
            (&format!("http://host/{}", "a".repeat(65_000)), InvalidBaseUrl::TooLong),
        ] {
            assert_eq!(BaseUrl::new(text), Err(error), "{text}");
        }
    }
}

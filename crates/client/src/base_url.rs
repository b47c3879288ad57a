//! Base URL of a bank: the part of a URL before the paths of the calls.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use hyper::Uri;

/// The address of a bank: `http` or `https`, a host, and an optional path prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(String);

/// Why a text is not a base URL.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// It is not of the form `http://host` or `https://host`.
    #[error("is not like https://host or http://host:port")]
    Syntax,
    /// It is longer than [`BaseUrl::BYTES_MAX`].
    #[error("is longer than {} bytes", BaseUrl::BYTES_MAX)]
    TooLong,
    /// It has a query or a fragment, where the calls put their own.
    #[error("has a query or a fragment; only a path may follow the host")]
    Query,
    /// It has a user name or a password, which would be sent and logged.
    #[error("holds a user name or a password; remove it")]
    UserInfo,
}

impl BaseUrl {
    /// The vendor's own host.
    pub const VENDOR: &'static str = "https://api.weixin.qq.com";

    /// Maximum length. With a call's path and query it stays far below the 64 KiB that a URI may have.
    pub const BYTES_MAX: usize = 2048;

    /// Parses `text`; trailing slashes are dropped.
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

    /// Whether connections are encrypted.
    pub fn is_https(&self) -> bool {
        let uri: Uri = self.0.parse().expect("a base URL is a URI");
        uri.scheme_str() == Some("https")
    }

    /// Whether it is `http` to a host that is not this machine: secrets, tokens and orders cross a network in plaintext.
    pub fn is_remote_plaintext(&self) -> bool {
        let uri: Uri = self.0.parse().expect("a base URL is a URI");
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let is_local = host.parse::<IpAddr>().map_or_else(
            |_| name == "localhost" || name.ends_with(".localhost"),
            |address| address.to_canonical().is_loopback(),
        );
        !self.is_https() && !is_local
    }

    /// The URL without a trailing slash.
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
    fn plaintext_is_remote_unless_on_loopback() {
        for local in [
            "http://127.0.0.1:8790",
            "http://127.9.9.9",
            "http://[::1]:8790",
            "http://[::ffff:127.0.0.1]",
            "http://LOCALHOST:1/x",
            "http://localhost.",
            "http://bank.localhost",
            "https://bank.example",
            "HTTPS://10.0.0.5",
        ] {
            assert!(!BaseUrl::new(local).unwrap().is_remote_plaintext(), "{local}");
        }
        for remote in [
            "http://bank:8790",
            "HTTP://bank",
            "http://10.0.0.5",
            "http://0.0.0.0:8790",
            "http://[fe80::1]",
            "http://localhost.example",
            "http://notlocalhost",
        ] {
            assert!(BaseUrl::new(remote).unwrap().is_remote_plaintext(), "{remote}");
        }
    }

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
            // Regression: this was accepted, and the first call panicked, because no URI is that long.
            (&format!("http://host/{}", "a".repeat(65_000)), InvalidBaseUrl::TooLong),
        ] {
            assert_eq!(BaseUrl::new(text), Err(error), "{text}");
        }
    }
}

//! A request to the operator API: method, path and body, and whether it may be repeated.

use std::fmt::{self, Display, Write as _};

use hyper::Method;
use hyper::body::Bytes;
use serde::Serialize;

/// What repeating a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetrySafety {
    /// It only reads.
    Read,
    /// The second has no effect beyond the first.
    Idempotent,
    /// The second has an effect of its own, so a request that may have arrived is not sent again.
    Additive,
}

pub(super) struct OperatorRequest {
    pub(super) method: Method,
    /// Path with its query, percent-encoded.
    pub(super) path: String,
    pub(super) body: Bytes,
    pub(super) repetition: RetrySafety,
    /// Fields that a conflict names only if the request can never take effect, whatever became of earlier attempts.
    pub(super) identity_fields: &'static [&'static str],
}

impl OperatorRequest {
    pub(super) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            body: Bytes::new(),
            repetition: RetrySafety::Read,
            identity_fields: &[],
        }
    }

    pub(super) fn send(
        method: Method,
        path: String,
        body: &(impl Serialize + ?Sized),
        repetition: RetrySafety,
    ) -> Self {
        let body = serde_json::to_vec(body).expect("a body has no map with keys other than texts");
        Self { method, path, body: body.into(), repetition, identity_fields: &[] }
    }
}

/// A text in a path or a query, percent-encoded.
pub(super) struct PercentEncoded<T>(pub(super) T);

impl<T: Display> Display for PercentEncoded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.to_string().bytes() {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => f.write_char(byte.into())?,
                other => write!(f, "%{other:02X}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_characters_are_encoded() {
        assert_eq!(PercentEncoded("a-Z_0.|*@:/? ").to_string(), "a-Z_0.%7C%2A%40%3A%2F%3F%20");
    }
}

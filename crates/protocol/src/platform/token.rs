//! Access tokens: the query parameter, and the reply to a request for one.
//!
//! `GET /cgi-bin/token` takes only [`Credentials`](crate::Credentials). Read next: `token/stable.rs` for the other
//! endpoint. Contract: `docs/protocol/midas.md`, "Tokens and login".

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{ErrorCode, ErrorReply};
use crate::json::ObjectWriter;
use crate::midas::reply::{ApiError, InvalidReply, ReplyOutcome};
use crate::query::{self, Query};
use crate::secret::AccessToken;

mod stable;

pub use stable::{RefreshMode, STABLE_TOKEN_PATH, StableTokenRequest};

/// GET endpoint of plain access tokens.
pub const TOKEN_PATH: &str = "/cgi-bin/token";

/// Lifetime of a token, as documented by the vendor.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(7200);

/// How long a token stays valid after the next one is issued, as documented by the vendor.
pub const TOKEN_OVERLAP: Duration = Duration::from_secs(300);

/// Least lifetime that a client takes from a reply. A shorter one would make each call fetch a token; a token that
/// ends earlier is rejected with 42001, and then replaced.
pub const TOKEN_LIFETIME_MIN: Duration = Duration::from_secs(10);

/// Greatest lifetime that a client takes from a reply: 30 days, far from the end of any clock.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

impl AccessToken {
    /// Reads the token of a call. Errors: 41001 if the query has none, 40001 if it is malformed.
    pub fn from_query(query: Query<'_>) -> Result<Self, ErrorReply> {
        let text = query.get("access_token").ok_or(ErrorCode::AccessTokenMissing)?;
        Self::new(&text).map_err(|_| Self::invalid(query))
    }

    /// 40001 for the token of a query that is no valid one; its detail says so if a placeholder stands in its place.
    pub fn invalid(query: Query<'_>) -> ErrorReply {
        match query.get("access_token") {
            Some(text) if is_placeholder(&text) => ErrorReply::with_detail(
                ErrorCode::InvalidCredential,
                format!(
                    "it is a placeholder or an unset variable, not a token; request one from {TOKEN_PATH}"
                ),
            ),
            Some(_) | None => ErrorCode::InvalidCredential.into(),
        }
    }

    /// The query of a call. It holds the token, so it must never be logged.
    pub fn to_query(&self) -> String {
        query::pair("access_token", self.expose())
    }
}

/// Whether a text is a placeholder of a document, or what a program writes for a value that it does not have.
fn is_placeholder(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "access_token",
        "accesstoken",
        "access-token",
        "your_access_token",
        "token",
        "undefined",
        "null",
        "none",
        "nil",
        "nan",
        "false",
        "object object",
        "object promise",
        "s",
    ];
    let word = text.trim_matches(|c: char| "{}<>[]()$%#\"' ".contains(c));
    WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The reply to a request for a token.
#[derive(Clone, Debug)]
pub struct TokenReply {
    /// The token.
    pub access_token: AccessToken,
    /// Its remaining lifetime; whole seconds on the wire. Parsed, it lies between [`TOKEN_LIFETIME_MIN`] and
    /// [`TOKEN_LIFETIME_MAX`].
    pub expires_in: Duration,
}

impl TokenReply {
    /// The reply's body. Like the vendor's, it has no `errcode`.
    pub fn to_json(&self) -> Vec<u8> {
        ObjectWriter::new()
            .text("access_token", self.access_token.expose())
            .number("expires_in", self.expires_in.as_secs())
            .finish()
    }

    /// Parses the reply's body, for a client.
    pub fn parse(json: &[u8]) -> Result<ReplyOutcome<Self>, InvalidReply> {
        let fields: TokenFields<'_> = serde_json::from_slice(json).map_err(|_| InvalidReply::NotAReply)?;
        match fields.errcode {
            // JSON of another service.
            None if fields.access_token.is_empty() => return Err(InvalidReply::NotAReply),
            None | Some(0) => {}
            Some(errcode) => {
                let errmsg = fields.errmsg.into_owned();
                return Ok(ReplyOutcome::Refused(ApiError { errcode, errmsg, existing: None }));
            }
        }
        let access_token =
            AccessToken::new(&fields.access_token).map_err(|_| InvalidReply::Field("access_token"))?;
        let expires_in =
            fields.expires_in.as_ref().and_then(lifetime).ok_or(InvalidReply::Field("expires_in"))?;
        Ok(ReplyOutcome::Success(Self { access_token, expires_in }))
    }
}

/// A number of seconds, also as a text, as token servers of studios send it; clamped.
fn lifetime(expires_in: &Value) -> Option<Duration> {
    let seconds = match expires_in {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let (min, max) = (TOKEN_LIFETIME_MIN.as_secs_f64(), TOKEN_LIFETIME_MAX.as_secs_f64());
    Duration::try_from_secs_f64(seconds.clamp(min, max)).ok()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenFields<'a> {
    errcode: Option<i32>,
    errmsg: Cow<'a, str>,
    access_token: Cow<'a, str>,
    expires_in: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_token_is_read_from_the_query() {
        let code = |query| AccessToken::from_query(Query::new(query)).map_err(|refusal| refusal.code());
        assert!(code("x=1&access_token=ACCESSTOKEN").unwrap().matches("ACCESSTOKEN"));
        assert_eq!(code("x=1").unwrap_err(), ErrorCode::AccessTokenMissing);
        assert_eq!(code("access_token=").unwrap_err(), ErrorCode::AccessTokenMissing);
        assert_eq!(code("access_token=a%00").unwrap_err(), ErrorCode::InvalidCredential);
    }

    #[test]
    fn placeholder_is_named() {
        let placeholders = [
            "ACCESS_TOKEN",
            "{access_token}",
            "$%7Baccess_token%7D",
            "%3Caccess_token%3E",
            "undefined",
            "null",
            "None",
            "%5Bobject+Object%5D",
            "%25s",
            "YOUR_ACCESS_TOKEN",
        ];
        for text in placeholders {
            let refusal = AccessToken::invalid(Query::new(&format!("access_token={text}")));
            let detail =
                "it is a placeholder or an unset variable, not a token; request one from /cgi-bin/token";
            assert_eq!(refusal.detail(), Some(detail), "{text}");
        }
        for text in ["", "a", "80_undefined", "0123456789abcdef"] {
            let refusal = AccessToken::invalid(Query::new(&format!("access_token={text}")));
            assert_eq!((refusal.code(), refusal.detail()), (ErrorCode::InvalidCredential, None), "{text}");
        }
    }

    #[test]
    fn token_reply_round_trips() {
        let access_token = AccessToken::new("A\"\\TOKEN").unwrap();
        let reply = TokenReply { access_token, expires_in: TOKEN_LIFETIME };
        let json = reply.to_json();
        assert_eq!(json, br#"{"access_token":"A\"\\TOKEN","expires_in":7200}"#);
        let Ok(ReplyOutcome::Success(read)) = TokenReply::parse(&json) else { panic!("not done") };
        assert!(read.access_token.matches("A\"\\TOKEN"));
        assert_eq!(read.expires_in, TOKEN_LIFETIME);
    }

    /// The bug: 2^63 seconds from now are no `Instant`, so a client panicked; other forms were refused, or made each
    /// call fetch a token. The loss: no call at all. The fix: clamped as it is parsed.
    #[test]
    fn lifetime_is_clamped() {
        let parse = |expires_in: &str| {
            let json = format!(r#"{{"access_token":"A","expires_in":{expires_in}}}"#);
            match TokenReply::parse(json.as_bytes()) {
                Ok(ReplyOutcome::Success(reply)) => Ok(reply.expires_in.as_secs()),
                Ok(ReplyOutcome::Refused(refused)) => panic!("{refused:?}"),
                Err(error) => Err(error),
            }
        };
        let max = TOKEN_LIFETIME_MAX.as_secs();
        for long in
            ["9223372036854775808", "18446744073709551615", "1e300", "99999999999999999999", r#""inf""#]
        {
            assert_eq!(parse(long), Ok(max), "{long}");
        }
        for short in ["0", "-1", "-9223372036854775808", "9", "0.5", "-1e300", r#""0""#] {
            assert_eq!(parse(short), Ok(10), "{short}");
        }
        for whole in ["7200", "7200.0", r#""7200""#, r#"" 7200 ""#] {
            assert_eq!(parse(whole), Ok(7200), "{whole}");
        }
        for other in ["null", "true", "[]", "{}", r#""soon""#, r#""NaN""#, r#""""#] {
            assert_eq!(parse(other), Err(InvalidReply::Field("expires_in")), "{other}");
        }
    }

    #[test]
    fn token_error_is_parsed() {
        let json = br#"{"errcode":40125,"errmsg":"invalid appsecret rid: 0"}"#;
        let Ok(ReplyOutcome::Refused(refused)) = TokenReply::parse(json) else { panic!("not refused") };
        assert_eq!(refused.code(), Some(ErrorCode::InvalidAppSecret));
        assert_eq!(TokenReply::parse(b"[").unwrap_err(), InvalidReply::NotAReply);
        assert_eq!(TokenReply::parse(b"{}").unwrap_err(), InvalidReply::NotAReply);
        let empty = TokenReply::parse(br#"{"errcode":0}"#);
        assert_eq!(empty.unwrap_err(), InvalidReply::Field("access_token"));
    }
}

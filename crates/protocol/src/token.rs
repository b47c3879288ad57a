//! Access tokens: the query parameter, and the reply to a request for one.
//!
//! `GET /cgi-bin/token` takes only [`Credentials`](crate::Credentials). Read next: `token/stable.rs` for the other
//! endpoint. Contract: `docs/protocol.md`, "Tokens and login".

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use crate::error::{ErrorCode, ErrorReply};
use crate::json::ObjectWriter;
use crate::query::{self, Query};
use crate::reply::{ApiError, InvalidReply, ReplyOutcome};
use crate::secret::AccessToken;

mod stable;

pub use stable::{RefreshMode, STABLE_TOKEN_PATH, StableTokenRequest};

/// GET endpoint of plain access tokens.
pub const TOKEN_PATH: &str = "/cgi-bin/token";

/// Lifetime of a token, as documented by the vendor.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(7200);

/// How long a token stays valid after the next one is issued, as documented by the vendor.
pub const TOKEN_OVERLAP: Duration = Duration::from_secs(300);

impl AccessToken {
    /// Reads the token of a call. Errors: 41001 if the query has none, 40001 if it is malformed.
    pub fn from_query(query: Query<'_>) -> Result<Self, ErrorReply> {
        let text = query.get("access_token").ok_or(ErrorCode::AccessTokenMissing)?;
        Self::new(&text).map_err(|_| ErrorCode::InvalidCredential.into())
    }

    /// The query of a call. It holds the token, so it must never be logged.
    pub fn to_query(&self) -> String {
        query::pair("access_token", self.expose())
    }
}

/// The reply to a request for a token.
#[derive(Clone, Debug)]
pub struct TokenReply {
    /// The token.
    pub access_token: AccessToken,
    /// Its remaining lifetime; whole seconds on the wire.
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
        if fields.errcode != 0 {
            let errmsg = fields.errmsg.into_owned();
            return Ok(ReplyOutcome::Refused(ApiError { errcode: fields.errcode, errmsg, existing: None }));
        }
        let access_token =
            AccessToken::new(&fields.access_token).map_err(|_| InvalidReply::Field("access_token"))?;
        let expires_in =
            fields.expires_in.map(Duration::from_secs).ok_or(InvalidReply::Field("expires_in"))?;
        Ok(ReplyOutcome::Success(Self { access_token, expires_in }))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenFields<'a> {
    errcode: i32,
    errmsg: Cow<'a, str>,
    access_token: Cow<'a, str>,
    expires_in: Option<u64>,
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
    fn token_reply_round_trips() {
        let access_token = AccessToken::new("A\"\\TOKEN").unwrap();
        let reply = TokenReply { access_token, expires_in: TOKEN_LIFETIME };
        let json = reply.to_json();
        assert_eq!(json, br#"{"access_token":"A\"\\TOKEN","expires_in":7200}"#);
        let Ok(ReplyOutcome::Success(read)) = TokenReply::parse(&json) else { panic!("not done") };
        assert!(read.access_token.matches("A\"\\TOKEN"));
        assert_eq!(read.expires_in, TOKEN_LIFETIME);
    }

    #[test]
    fn token_error_is_parsed() {
        let json = br#"{"errcode":40125,"errmsg":"invalid appsecret rid: 0"}"#;
        let Ok(ReplyOutcome::Refused(refused)) = TokenReply::parse(json) else { panic!("not refused") };
        assert_eq!(refused.code(), Some(ErrorCode::InvalidAppSecret));
        assert_eq!(TokenReply::parse(b"[").unwrap_err(), InvalidReply::NotAReply);
        assert_eq!(TokenReply::parse(b"{}").unwrap_err(), InvalidReply::Field("access_token"));
    }
}

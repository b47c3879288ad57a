//! Player logins: the call that exchanges a login code for a session, and the call that checks a session.
//!
//! The server decides which player a code belongs to and which session a player has.
//! Contract: `docs/protocol/midas.md`, "Tokens and login".

use std::time::Duration;

use pactolus_types::OpenId;

use crate::error::{ErrorCode, ErrorReply};
use crate::json::ObjectWriter;
use crate::query::Query;
use crate::secret::{LoginCode, SessionKey};
use crate::signature::Signature;
use crate::values::WithoutInput;

/// GET endpoint that exchanges a login code for a session.
pub const LOGIN_PATH: &str = "/sns/jscode2session";

/// GET endpoint that checks a session.
pub const CHECK_SESSION_PATH: &str = "/wxa/checksession";

/// Lifetime of a session from a login code.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Lifetime of an unused login code, as documented by the vendor.
pub const CODE_LIFETIME: Duration = Duration::from_secs(300);

impl LoginCode {
    /// Reads the code of a login, sent beside [`Credentials`](crate::Credentials). Error: 40029 for an invalid one.
    pub fn from_query(query: Query<'_>) -> Result<Self, ErrorReply> {
        let invalid = |problem| ErrorReply::with_detail(ErrorCode::InvalidCode, format!("js_code {problem}"));
        let code = query.get("js_code").ok_or_else(|| invalid("is missing".to_owned()))?;
        Self::new(&code).map_err(|error| invalid(error.to_string()))
    }
}

/// The reply to a login.
#[derive(Clone, Debug)]
pub struct LoginReply {
    /// The player.
    pub openid: OpenId,
    /// Signs the player's calls from now on.
    pub session_key: SessionKey,
}

impl LoginReply {
    /// The reply's body. Like the vendor's, it has no `errcode`.
    pub fn to_json(&self) -> Vec<u8> {
        ObjectWriter::new()
            .text("openid", self.openid.as_str())
            .text("session_key", self.session_key.expose())
            .finish()
    }
}

/// Request of `GET /wxa/checksession`: whether the caller holds the player's session key.
#[derive(Clone, Debug)]
pub struct SessionCheck {
    /// The player.
    pub openid: OpenId,
    signature: Signature,
}

impl SessionCheck {
    /// Reads a query. Errors: 90018 for a missing or wrong `sig_method` or `openid`, 87009 for a malformed
    /// `signature`.
    pub fn from_query(query: Query<'_>) -> Result<Self, ErrorReply> {
        let invalid = |what| ErrorReply::with_detail(ErrorCode::InvalidParameter, what);
        if query.get("sig_method").as_deref() != Some("hmac_sha256") {
            return Err(invalid("sig_method must be hmac_sha256".to_owned()));
        }
        let openid = query.get("openid").ok_or_else(|| invalid("openid is missing".to_owned()))?;
        let openid =
            OpenId::new(&openid).map_err(|error| invalid(format!("openid {}", WithoutInput(error))))?;
        let signature = query.get("signature").as_deref().and_then(Signature::parse);
        let signature = signature.ok_or_else(|| {
            ErrorReply::with_detail(ErrorCode::InvalidSignature, "it must be 64 hex digits")
        })?;
        Ok(Self { openid, signature })
    }

    /// Verifies the signature with `key`, in constant time. Error: 87009.
    pub fn verify(&self, key: &SessionKey) -> Result<(), ErrorReply> {
        if session_signature(key).matches(&self.signature) {
            Ok(())
        } else {
            Err(ErrorCode::InvalidSignature.into())
        }
    }
}

/// The `signature` that proves a session key: an HMAC of the empty text, keyed with the key's text as for `mp_sig`.
pub fn session_signature(key: &SessionKey) -> Signature {
    Signature::compute(key.mac(), [])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";
    /// Made with `openssl dgst -sha256 -hmac`.
    const SIGNATURE: &str = "93580617b5c8c3c98fdb3a1a16eff2db13f58670f3b88259ce3c7c405925242b";

    #[test]
    fn login_code_is_validated() {
        let from = |query: &str| LoginCode::from_query(Query::new(query));
        assert!(from("js_code=081aXy%2F").unwrap().matches("081aXy/"));
        assert!(from(&format!("js_code={}", "x".repeat(128))).is_ok());
        let cases = [
            (String::new(), "invalid code: js_code is missing"),
            ("js_code=".to_owned(), "invalid code: js_code is missing"),
            ("js_code=a+b".to_owned(), "invalid code: js_code holds a character that is not visible ASCII"),
            (format!("js_code={}", "x".repeat(129)), "invalid code: js_code is longer than 128 characters"),
        ];
        for (code, words) in cases {
            assert_eq!(from(&code).unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn login_reply_is_the_documented_json() {
        let reply = LoginReply {
            openid: OpenId::new("odkx20ENSNa2w5y3g_qOkOvBNM1g").unwrap(),
            session_key: SessionKey::new(KEY).unwrap(),
        };
        let json = String::from_utf8(reply.to_json()).unwrap();
        assert_eq!(
            json,
            r#"{"openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","session_key":"V7Q38/i2KXaqrQyl2Yx9Hg=="}"#
        );
    }

    #[test]
    fn session_signature_covers_the_empty_string() {
        let key = SessionKey::new(KEY).unwrap();
        assert_eq!(session_signature(&key).to_string(), SIGNATURE);
        let check = |signature: &str| {
            let query = format!("openid=a&sig_method=hmac_sha256&signature={signature}");
            SessionCheck::from_query(Query::new(&query))?.verify(&key)
        };
        assert_eq!(check(SIGNATURE), Ok(()));
        assert_eq!(check(&SIGNATURE.to_uppercase()), Ok(()));
        assert_eq!(check(&"0".repeat(64)).unwrap_err().to_string(), "invalid signature");
        assert_eq!(check("0").unwrap_err().to_string(), "invalid signature: it must be 64 hex digits");
    }

    #[test]
    fn session_check_error_names_the_parameter() {
        let cases = [
            ("openid=a&signature=0", "invalid parameter: sig_method must be hmac_sha256"),
            ("openid=a&signature=0&sig_method=md5", "invalid parameter: sig_method must be hmac_sha256"),
            ("sig_method=hmac_sha256&signature=0", "invalid parameter: openid is missing"),
            (
                "sig_method=hmac_sha256&openid=a%20b",
                "invalid parameter: openid holds a space; 1 to 64 digits, letters or any of _- are allowed",
            ),
            ("sig_method=hmac_sha256&openid=a", "invalid signature: it must be 64 hex digits"),
        ];
        for (query, words) in cases {
            assert_eq!(SessionCheck::from_query(Query::new(query)).unwrap_err().to_string(), words);
        }
    }
}

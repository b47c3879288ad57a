//! Players' logins: the call that makes a session of a login code, and the one that checks a session.
//!
//! What a code stands for, and which session a player has, is for the server to say.
//! The contract in prose: `docs/protocol.md`, "Tokens and login".

use std::time::Duration;

use pactolus_types::OpenId;

use crate::error::{ErrorCode, ErrorReply};
use crate::json::ObjectWriter;
use crate::query::Query;
use crate::secret::{LoginCode, SessionKey};
use crate::sign::Signature;

/// Where a login code becomes a session, with GET.
pub const LOGIN_PATH: &str = "/sns/jscode2session";

/// Where a session is checked, with GET.
pub const CHECK_SESSION_PATH: &str = "/wxa/checksession";

/// How long the session of a login code lives.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How long a login code waits to be used, as the vendor has it.
pub const CODE_LIFETIME: Duration = Duration::from_secs(300);

impl LoginCode {
    /// The code that a login shows, beside its [`Credentials`](crate::Credentials): 40029 for what cannot be one.
    pub fn from_query(query: Query<'_>) -> Result<Self, ErrorReply> {
        let invalid = |problem| ErrorReply::with_detail(ErrorCode::InvalidCode, format!("js_code {problem}"));
        let code = query.get("js_code").ok_or_else(|| invalid("is missing".to_owned()))?;
        Self::new(&code).map_err(|error| invalid(error.to_string()))
    }
}

/// The answer to a login.
#[derive(Clone, Debug)]
pub struct LoginReply {
    /// Who logged in.
    pub openid: OpenId,
    /// What the player's calls are signed with from now on.
    pub session_key: SessionKey,
}

impl LoginReply {
    /// The reply's body. The vendor's has no `errcode` here.
    pub fn to_json(&self) -> Vec<u8> {
        ObjectWriter::new()
            .text("openid", self.openid.as_str())
            .text("session_key", self.session_key.expose())
            .finish()
    }
}

/// What `GET /wxa/checksession` asks beside its access token: whether the caller has the player's session key.
#[derive(Clone, Debug)]
pub struct SessionCheck {
    /// Whose session.
    pub openid: OpenId,
    signature: Signature,
}

impl SessionCheck {
    /// The request in a query: 90018 for a `sig_method` or an `openid` that is missing or wrong, 87009 for a
    /// `signature` that cannot be one.
    pub fn from_query(query: Query<'_>) -> Result<Self, ErrorReply> {
        let invalid = |what| ErrorReply::with_detail(ErrorCode::InvalidParameter, what);
        if query.get("sig_method").as_deref() != Some("hmac_sha256") {
            return Err(invalid("sig_method must be hmac_sha256".to_owned()));
        }
        let openid = query.get("openid").ok_or_else(|| invalid("openid is missing".to_owned()))?;
        let openid = OpenId::new(&openid).map_err(|error| invalid(format!("openid {error}")))?;
        let signature = query.get("signature").as_deref().and_then(Signature::parse);
        let signature = signature.ok_or_else(|| {
            ErrorReply::with_detail(ErrorCode::InvalidSignature, "it must be 64 hex digits")
        })?;
        Ok(Self { openid, signature })
    }

    /// Whether the signature was made with `key`: 87009 if not. The time it takes tells nothing of the right one.
    pub fn verify(&self, key: &SessionKey) -> Result<(), ErrorReply> {
        if session_signature(key).matches(&self.signature) {
            Ok(())
        } else {
            Err(ErrorCode::InvalidSignature.into())
        }
    }
}

/// The `signature` that shows a session key: that of the empty text. The key is used as its text, as for `mp_sig`.
pub fn session_signature(key: &SessionKey) -> Signature {
    Signature::compute(key.mac(), "", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";
    /// By `openssl dgst -sha256 -hmac`.
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
                "invalid parameter: openid holds ' '; 1 to 64 digits, letters or any of _- are allowed",
            ),
            ("sig_method=hmac_sha256&openid=a", "invalid signature: it must be 64 hex digits"),
        ];
        for (query, words) in cases {
            assert_eq!(SessionCheck::from_query(Query::new(query)).unwrap_err().to_string(), words);
        }
    }
}

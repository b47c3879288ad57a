//! App credentials in requests for tokens and logins: `appid` and secret.
//!
//! The server checks that the app exists (40013) and that the secret is its own (40125).
//! Contract: `docs/protocol/midas.md`, "Tokens and login".

use std::fmt;

use pactolus_types::AppId;

use crate::error::{ErrorCode, ErrorReply};
use crate::json::ObjectWriter;
use crate::midas::body::{Body, Value};
use crate::query::{self, Query};
use crate::secret::AppSecret;

/// An app and its secret, not yet compared.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The app.
    pub appid: AppId,
    /// The app's secret.
    pub secret: AppSecret,
}

/// The `grant_type`; each call accepts one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// An access token.
    ClientCredential,
    /// A player's login.
    AuthorizationCode,
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientCredential => "client_credential",
            Self::AuthorizationCode => "authorization_code",
        })
    }
}

impl Credentials {
    /// Reads a query. Errors, in this order: 41002 and 41004 for a missing value, 40002, 40013, 40125.
    pub fn from_query(query: Query<'_>, expected: GrantType) -> Result<Self, ErrorReply> {
        let value = |name| query.get(name);
        Self::check(
            value("grant_type").as_deref(),
            expected,
            value("appid").as_deref(),
            value("secret").as_deref(),
        )
    }

    /// The query with the credentials. It holds the secret, so it must never be logged.
    pub fn to_query(&self, grant_type: GrantType) -> String {
        let pairs = [
            query::pair("grant_type", &grant_type.to_string()),
            query::pair("appid", self.appid.as_str()),
            query::pair("secret", self.secret.expose()),
        ];
        pairs.join("&")
    }

    pub(crate) fn write(&self, grant_type: GrantType, object: ObjectWriter) -> ObjectWriter {
        object
            .text("grant_type", &grant_type.to_string())
            .text("appid", self.appid.as_str())
            .text("secret", self.secret.expose())
    }

    /// Reads a body, with the errors of a query; before them 47001, if a value is not a string.
    pub(crate) fn from_body(body: &Body<'_>, expected: GrantType) -> Result<Self, ErrorReply> {
        let (grant_type, appid, secret) =
            (text(body, "grant_type")?, text(body, "appid")?, text(body, "secret")?);
        Self::check(grant_type, expected, appid, secret)
    }

    fn check(
        grant_type: Option<&str>,
        expected: GrantType,
        appid: Option<&str>,
        secret: Option<&str>,
    ) -> Result<Self, ErrorReply> {
        let appid = appid.ok_or(ErrorCode::AppIdMissing)?;
        let secret = secret.ok_or(ErrorCode::AppSecretMissing)?;
        if grant_type != Some(&expected.to_string()) {
            return Err(ErrorReply::with_detail(
                ErrorCode::InvalidGrantType,
                format!("it must be {expected}"),
            ));
        }
        let appid = AppId::new(appid).map_err(|_| ErrorCode::InvalidAppId)?;
        let secret = AppSecret::new(secret).map_err(|_| ErrorCode::InvalidAppSecret)?;
        Ok(Self { appid, secret })
    }
}

/// The text of a field; `None` if it is absent, `null` or empty.
fn text<'b>(body: &'b Body<'_>, key: &str) -> Result<Option<&'b str>, ErrorReply> {
    match body.field(key) {
        None | Some(Value::Literal("null")) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(&**text).filter(|text| !text.is_empty())),
        Some(other) => Err(ErrorReply::with_detail(
            ErrorCode::DataFormat,
            format!("{key} is {}; it must be a string", other.describe()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_checked_in_documented_order() {
        let from = |query| Credentials::from_query(Query::new(query), GrantType::ClientCredential);
        let credentials = from("grant_type=client_credential&appid=wx1234567&secret=s").unwrap();
        assert_eq!(credentials.appid.as_str(), "wx1234567");
        assert!(credentials.secret.matches("s"));
        let cases = [
            ("", 41002),
            ("appid=&secret=s", 41002),
            ("appid=a%20b", 41004),
            ("appid=a%20b&secret=", 41004),
            ("appid=a%20b&secret=s+s", 40002),
            ("appid=a%20b&secret=s+s&grant_type=authorization_code", 40002),
            ("appid=a%20b&secret=s+s&grant_type=client_credential", 40013),
            ("appid=ab&secret=s+s&grant_type=client_credential", 40125),
        ];
        for (query, code) in cases {
            assert_eq!(from(query).unwrap_err().code().code(), code, "{query}");
        }
    }

    #[test]
    fn query_round_trips() {
        let (appid, secret) = (AppId::new("wx1234567").unwrap(), AppSecret::new("a&b=c+d%").unwrap());
        let query = Credentials { appid, secret }.to_query(GrantType::ClientCredential);
        let read = Credentials::from_query(Query::new(&query), GrantType::ClientCredential).unwrap();
        assert_eq!(read.appid, appid);
        assert!(read.secret.matches("a&b=c+d%"));
    }

    #[test]
    fn other_grant_type_is_rejected() {
        for (given, wanted) in [
            (GrantType::ClientCredential, GrantType::AuthorizationCode),
            (GrantType::AuthorizationCode, GrantType::ClientCredential),
        ] {
            let query = format!("appid=ab&secret=s&grant_type={given}");
            let refusal = Credentials::from_query(Query::new(&query), wanted).unwrap_err();
            assert_eq!(refusal.to_string(), format!("invalid grant_type: it must be {wanted}"));
            assert!(Credentials::from_query(Query::new(&query), given).is_ok());
        }
    }
}

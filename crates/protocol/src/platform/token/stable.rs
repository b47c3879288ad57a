//! `POST /cgi-bin/stable_token`: returns the same token until it expires.

use crate::error::{ErrorCode, ErrorReply};
use crate::json::ObjectWriter;
use crate::midas::body::{Body, Value};
use crate::platform::credentials::{Credentials, GrantType};
use crate::query::Query;

/// POST endpoint of stable access tokens.
pub const STABLE_TOKEN_PATH: &str = "/cgi-bin/stable_token";

/// Request for a stable token. [`TokenReply`](super::TokenReply) answers it.
#[derive(Clone, Debug)]
pub struct StableTokenRequest {
    /// The requesting app.
    pub credentials: Credentials,
    /// When to replace the current token.
    pub refresh: RefreshMode,
}

/// When a stable token is replaced: the parameter `force_refresh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshMode {
    /// After it has expired.
    WhenExpired,
    /// Now; the current token becomes invalid at once.
    Force,
}

impl StableTokenRequest {
    /// Reads a body. Errors: 47001 for a value of another type, then those of [`Credentials`] in a query. `null`
    /// counts as absent, because clients send it for values they leave out.
    pub fn from_body(body: &Body<'_>) -> Result<Self, ErrorReply> {
        let refresh = match body.field("force_refresh") {
            None | Some(Value::Literal("false" | "null")) => RefreshMode::WhenExpired,
            Some(Value::Literal("true")) => RefreshMode::Force,
            Some(other) => {
                let what = other.describe();
                let detail = format!("force_refresh is {what}; it must be true or false");
                return Err(ErrorReply::with_detail(ErrorCode::DataFormat, detail));
            }
        };
        Ok(Self { credentials: Credentials::from_body(body, GrantType::ClientCredential)?, refresh })
    }

    /// Reads a form, or a query: the same parameters and errors as a body's, all of them text.
    pub fn from_query(query: Query<'_>) -> Result<Self, ErrorReply> {
        let refresh = match query.get("force_refresh").as_deref() {
            None | Some("false" | "null") => RefreshMode::WhenExpired,
            Some("true") => RefreshMode::Force,
            Some(_) => {
                let detail = "force_refresh must be true or false";
                return Err(ErrorReply::with_detail(ErrorCode::DataFormat, detail));
            }
        };
        Ok(Self { credentials: Credentials::from_query(query, GrantType::ClientCredential)?, refresh })
    }

    /// The request's body, for a client. It holds the secret, so it must never be logged.
    pub fn to_json(&self) -> Vec<u8> {
        let object = self.credentials.write(GrantType::ClientCredential, ObjectWriter::new());
        object.boolean("force_refresh", self.refresh == RefreshMode::Force).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = r#""grant_type":"client_credential","appid":"wx1234567","secret":"s""#;

    fn from(json: &str) -> Result<StableTokenRequest, ErrorReply> {
        StableTokenRequest::from_body(&Body::parse(json.as_bytes())?)
    }

    #[test]
    fn only_force_refresh_true_replaces_the_token() {
        for (field, refresh) in [
            ("", RefreshMode::WhenExpired),
            (r#","force_refresh":false"#, RefreshMode::WhenExpired),
            (r#","force_refresh":null"#, RefreshMode::WhenExpired),
            (r#","force_refresh":true"#, RefreshMode::Force),
        ] {
            let request = from(&format!("{{{CREDENTIALS}{field}}}")).unwrap();
            assert_eq!(request.refresh, refresh, "{field}");
            assert_eq!(request.credentials.appid.as_str(), "wx1234567");
            assert!(request.credentials.secret.matches("s"));
        }
    }

    #[test]
    fn request_round_trips() {
        for refresh in [RefreshMode::WhenExpired, RefreshMode::Force] {
            let request = StableTokenRequest { refresh, ..from(&format!("{{{CREDENTIALS}}}")).unwrap() };
            let json = String::from_utf8(request.to_json()).unwrap();
            assert_eq!(
                json,
                format!("{{{CREDENTIALS},\"force_refresh\":{}}}", refresh == RefreshMode::Force)
            );
            assert_eq!(from(&json).unwrap().refresh, refresh);
        }
    }

    #[test]
    fn wrong_type_error_names_the_field() {
        let all = format!("{{{CREDENTIALS},\"force_refresh\":true}}");
        let cases = [
            ("true", "\"true\"", "data format error: force_refresh is a string; it must be true or false"),
            ("true", "1", "data format error: force_refresh is a number; it must be true or false"),
            ("\"wx1234567\"", "5", "data format error: appid is a number; it must be a string"),
            ("\"s\"", "[]", "data format error: secret is an object or an array; it must be a string"),
            ("\"s\"", "null", "appsecret missing"),
            ("\"wx1234567\"", "\"\"", "appid missing"),
            ("\"client_credential\"", "null", "invalid grant_type: it must be client_credential"),
        ];
        for (given, other, words) in cases {
            assert_eq!(from(&all.replace(given, other)).unwrap_err().to_string(), words);
        }
    }
}

//! Fuzz target `query`: query strings, and the credentials, codes and checks read from them.

use super::keys::{SESSION_KEY, session_key};
use super::reference;
use crate::platform::credentials::{Credentials, GrantType};
use crate::platform::login::SessionCheck;
use crate::query::Query;
use crate::secret::{AccessToken, LoginCode};

/// Query parsing agrees with the reference, and a query that a client writes round-trips.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let query = Query::new(text);
    let known =
        ["access_token", "appid", "secret", "grant_type", "js_code", "openid", "signature", "sig_method"];
    let sent = text.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    for name in known.into_iter().chain(sent.take(32)) {
        assert_eq!(query.get(name).map(std::borrow::Cow::into_owned), reference::query(text, name), "{name}");
    }
    if let Ok(token) = AccessToken::from_query(query) {
        let again =
            AccessToken::from_query(Query::new(&token.to_query())).expect("a written query can be read");
        assert!(again.matches(token.expose()));
    }
    for grant in [GrantType::ClientCredential, GrantType::AuthorizationCode] {
        if let Ok(shown) = Credentials::from_query(query, grant) {
            let again = Credentials::from_query(Query::new(&shown.to_query(grant)), grant);
            let again = again.expect("a written query can be read");
            assert!(again.appid == shown.appid && again.secret.matches(shown.secret.expose()));
            let is_leaked = format!("{shown:?}").contains(&format!("{:?}", shown.secret.expose()));
            assert!(!is_leaked || shown.appid.as_str() == shown.secret.expose(), "it is redacted");
        }
    }
    if let Ok(code) = LoginCode::from_query(query) {
        assert!(code.matches(&reference::query(text, "js_code").expect("there is one")));
    }
    if let Ok(check) = SessionCheck::from_query(query) {
        let is_right = check.verify(&session_key()).is_ok();
        let sent = reference::query(text, "signature").expect("there is one");
        let right = reference::hex(&reference::hmac_sha256(SESSION_KEY.as_bytes(), b""));
        assert_eq!(is_right, sent.eq_ignore_ascii_case(&right));
    }
}

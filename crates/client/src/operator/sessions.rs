//! Logins of players: sessions and one-time codes.

use std::time::Duration;

use pactolus_protocol::{LoginCode, SessionKey};
use pactolus_types::{AppId, OpenId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::json::text;

/// A session to store in place of the current one.
#[derive(Serialize)]
pub(super) struct NewSessionBody<'a> {
    session_key: &'a str,
    expires_in: u64,
}

impl<'a> NewSessionBody<'a> {
    pub(super) fn new(key: &'a SessionKey, lifetime: Duration) -> Self {
        Self { session_key: key.expose(), expires_in: lifetime.as_secs() }
    }
}

/// The session that is now current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionDetails {
    /// The mini game.
    #[serde(with = "text")]
    pub appid: AppId,
    /// The player.
    #[serde(with = "text")]
    pub openid: OpenId,
    /// In seconds since 1970.
    pub expires_at: u64,
}

/// A one-time login code. It is a secret, so it does not serialize.
#[derive(Clone, Debug, Deserialize)]
pub struct IssuedCode {
    /// The `js_code` of `/sns/jscode2session`.
    #[serde(rename = "js_code", deserialize_with = "login_code")]
    pub code: LoginCode,
    /// Lifetime in seconds.
    pub expires_in: u64,
}

fn login_code<'de, D: Deserializer<'de>>(from: D) -> Result<LoginCode, D::Error> {
    LoginCode::new(&String::deserialize(from)?).map_err(D::Error::custom)
}

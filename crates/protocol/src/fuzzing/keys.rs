//! Keys, secrets and token of the app and the player in every fuzz target.

use pactolus_types::Environment;

use crate::secret::{AccessToken, MidasKey, SessionKey};

pub(super) const LIVE_KEY: &str = "zNLgAGgqsEWJOg1nFVaO5r7fAlIQxr1u";
pub(super) const SANDBOX_KEY: &str = "the-sandbox-key-of-the-same-app";
pub(super) const APP_SECRET: &str = "the-secret-that-asks-for-tokens";
pub(super) const SESSION_KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";
pub(super) const PREVIOUS_SESSION_KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";
pub(super) const TOKEN: &str = "ACCESS-TOKEN-of-the-query";

pub(super) const VALID: &str = "a valid value";

pub(super) fn midas_key(environment: Environment) -> MidasKey {
    MidasKey::new(match environment {
        Environment::Live => LIVE_KEY,
        Environment::Sandbox => SANDBOX_KEY,
    })
    .expect(VALID)
}

pub(super) fn session_key() -> SessionKey {
    SessionKey::new(SESSION_KEY).expect(VALID)
}

pub(super) fn token() -> AccessToken {
    AccessToken::new(TOKEN).expect(VALID)
}

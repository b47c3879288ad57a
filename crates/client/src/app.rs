//! The calling app, in one of its two environments.

use std::fmt;

use pactolus_protocol::{AppSecret, Credentials, MidasKey};
use pactolus_types::{AppId, Environment, OfferId};

/// An app in one environment, with its secret and its Midas key.
///
/// Key and environment are set together, so a sandbox key cannot sign a live call by mistake.
#[derive(Clone)]
pub struct App {
    pub(crate) credentials: Credentials,
    pub(crate) offer_id: OfferId,
    pub(crate) environment: Environment,
    pub(crate) midas_key: MidasKey,
}

impl App {
    /// The app in its live environment: `midas_key` is the key for real coins.
    pub fn live(appid: AppId, offer_id: OfferId, secret: AppSecret, midas_key: MidasKey) -> Self {
        Self::new(Environment::Live, appid, offer_id, secret, midas_key)
    }

    /// The app in its sandbox: `midas_key` is the sandbox key.
    pub fn sandbox(appid: AppId, offer_id: OfferId, secret: AppSecret, midas_key: MidasKey) -> Self {
        Self::new(Environment::Sandbox, appid, offer_id, secret, midas_key)
    }

    fn new(
        environment: Environment,
        appid: AppId,
        offer_id: OfferId,
        secret: AppSecret,
        midas_key: MidasKey,
    ) -> Self {
        Self { credentials: Credentials { appid, secret }, offer_id, environment, midas_key }
    }

    /// The mini game's id.
    pub const fn appid(&self) -> AppId {
        self.credentials.appid
    }

    /// The coin's id.
    pub const fn offer_id(&self) -> OfferId {
        self.offer_id
    }

    /// The key that signs `sig`.
    pub const fn midas_key(&self) -> &MidasKey {
        &self.midas_key
    }

    /// Live or sandbox.
    pub const fn environment(&self) -> Environment {
        self.environment
    }
}

/// Redacted: ids and environment only.
impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("appid", &self.appid())
            .field("offer_id", &self.offer_id)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

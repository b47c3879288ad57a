//! The app that calls, in one of its two environments.

use std::fmt;

use pactolus_protocol::{AppSecret, Credentials, MidasKey};
use pactolus_types::{AppId, Environment, OfferId};

/// An app in one environment, with the keys that prove it.
///
/// The Midas key and the environment come together, so a sandbox key cannot sign a live call by a slip.
#[derive(Clone)]
pub struct App {
    pub(crate) credentials: Credentials,
    pub(crate) offer_id: OfferId,
    pub(crate) environment: Environment,
    pub(crate) midas_key: MidasKey,
}

impl App {
    /// The app in its live environment: `midas_key` is the one for players' real coins.
    pub fn live(appid: AppId, offer_id: OfferId, secret: AppSecret, midas_key: MidasKey) -> Self {
        Self::new(Environment::Live, appid, offer_id, secret, midas_key)
    }

    /// The app in its sandbox: `midas_key` is the sandbox's own.
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

    /// The mini game.
    pub const fn appid(&self) -> AppId {
        self.credentials.appid
    }

    /// Its coin.
    pub const fn offer_id(&self) -> OfferId {
        self.offer_id
    }

    /// What signs its calls.
    pub const fn midas_key(&self) -> &MidasKey {
        &self.midas_key
    }

    /// Which of its two banks this is.
    pub const fn environment(&self) -> Environment {
        self.environment
    }
}

/// The names alone.
impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("appid", &self.appid())
            .field("offer_id", &self.offer_id)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

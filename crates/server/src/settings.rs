//! What a bank is told: its apps, and its bounds.

use std::time::Duration;

use pactolus_nouns::{AppId, Environment, OfferId};
use pactolus_protocol::{AccessToken, AppSecret, Dialects, MidasKey, MpSig, Pf};

/// What a bank is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What opens the operator API.
    pub operator_token: AccessToken,
    /// The apps that it serves, no appid twice.
    pub apps: Vec<AppSettings>,
    /// Its bounds.
    pub limits: Limits,
}

impl Settings {
    /// A bank without apps, with the usual bounds.
    pub fn new(operator_token: AccessToken) -> Self {
        Self { operator_token, apps: Vec::new(), limits: Limits::default() }
    }
}

/// What a bank is told about one app.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// The mini game.
    pub appid: AppId,
    /// What its back end shows for an access token.
    pub app_secret: AppSecret,
    /// Its coin.
    pub offer_id: OfferId,
    /// What signs live calls.
    pub midas_key: MidasKey,
    /// What signs sandbox calls.
    pub sandbox_midas_key: MidasKey,
    /// Whether calls need the player's signature too.
    pub mp_sig: MpSig,
    /// Which forms of the signed text are taken.
    pub dialects: Dialects,
    /// The platforms that a call may name.
    pub pf: Vec<Pf>,
    /// For development: access tokens that never expire.
    pub static_access_tokens: Vec<AccessToken>,
    /// How long after a pay it may be cancelled.
    pub cancel_window: Duration,
}

impl AppSettings {
    /// The vendor's cancel window: 48 hours.
    pub const CANCEL_WINDOW: Duration = Duration::from_secs(48 * 3600);

    /// What signs the calls of an environment.
    pub(crate) fn midas_key(&self, environment: Environment) -> &MidasKey {
        match environment {
            Environment::Live => &self.midas_key,
            Environment::Sandbox => &self.sandbox_midas_key,
        }
    }
}

/// The bounds of a bank's server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a request may take, its body's arrival included; then it is answered as busy.
    pub request_deadline: Duration,
    /// How long open requests may take once the server is told to stop.
    pub drain_deadline: Duration,
    /// How many players' sessions are held in memory, at some 600 bytes each: 65,536 take 40 MiB.
    pub sessions_cached: usize,
    /// How many access tokens are held in memory; an app has two or three.
    pub tokens_cached: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_deadline: Duration::from_secs(5),
            drain_deadline: Duration::from_secs(10),
            sessions_cached: 65_536,
            tokens_cached: 4096,
        }
    }
}

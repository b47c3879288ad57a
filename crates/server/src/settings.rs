//! What a bank is told: its apps, and its bounds.

use std::num::NonZeroU32;
use std::time::Duration;

use pactolus_protocol::{AccessToken, AppSecret, DialectPolicy, MidasKey, MpSig, Pf};
use pactolus_types::{Amount, AppId, Environment, OfferId};

use crate::seal::Keyring;

/// What a bank is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What opens the operator API.
    pub operator_token: AccessToken,
    /// The apps that it serves, no appid twice.
    pub apps: Vec<AppSettings>,
    /// What seals its logins and tokens in the store.
    pub keys: Keyring,
    /// Its bounds.
    pub limits: Limits,
}

impl Settings {
    /// A bank without apps and without a master key, with the usual bounds.
    pub fn new(operator_token: AccessToken) -> Self {
        Self { operator_token, apps: Vec::new(), keys: Keyring::default(), limits: Limits::default() }
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
    pub dialects: DialectPolicy,
    /// The platforms that a call may name.
    pub pf: Vec<Pf>,
    /// How its players log in.
    pub login: LoginMode,
    /// For development: access tokens that never expire.
    pub static_access_tokens: Vec<AccessToken>,
    /// How long after a pay it may be cancelled.
    pub cancel_window: Duration,
    /// How many calls a second it may make in each environment; with none, as many as it likes.
    pub rate_limit_per_second: Option<NonZeroU32>,
    /// How many of these may be about one player.
    pub rate_limit_per_player_per_second: Option<NonZeroU32>,
    /// The most coins that one present may give.
    pub present_max: Option<Amount>,
    /// The most coins that presents may give a player in a zone in one day by UTC.
    pub present_max_per_player_per_day: Option<Amount>,
}

impl AppSettings {
    /// The vendor's cancel window: 48 hours.
    pub const CANCEL_WINDOW: Duration = Duration::from_secs(48 * 3600);

    /// An app with its names and keys, and for the rest what holds where nothing else is said: the documented checks
    /// in every known dialect, Android, pushed logins, the vendor's cancel window, and no limits.
    pub fn new(
        appid: AppId,
        app_secret: AppSecret,
        offer_id: OfferId,
        midas_key: MidasKey,
        sandbox_midas_key: MidasKey,
    ) -> Self {
        Self {
            appid,
            app_secret,
            offer_id,
            midas_key,
            sandbox_midas_key,
            mp_sig: MpSig::Required,
            dialects: DialectPolicy::Lenient,
            pf: vec![Pf::new("android").expect("it is a valid platform")],
            login: LoginMode::Push,
            static_access_tokens: Vec::new(),
            cancel_window: Self::CANCEL_WINDOW,
            rate_limit_per_second: None,
            rate_limit_per_player_per_second: None,
            present_max: None,
            present_max_per_player_per_day: None,
        }
    }

    /// What signs the calls of an environment.
    pub(crate) fn midas_key(&self, environment: Environment) -> &MidasKey {
        match environment {
            Environment::Live => &self.midas_key,
            Environment::Sandbox => &self.sandbox_midas_key,
        }
    }
}

/// How the players of an app log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginMode {
    /// As the operator says: by a session that the operator API is told, or a one-time code that it gives out.
    #[default]
    Push,
    /// By any code, each of which is a player: for development.
    Open,
}

/// The bounds of a bank's server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a connection may stay idle before it is closed.
    pub idle_timeout: Duration,
    /// How long the head of a request may take from its first byte to its last before the connection is closed.
    pub header_timeout: Duration,
    /// How long a request may take, its body's arrival included; then it is answered as busy.
    pub request_timeout: Duration,
    /// How long a client may take to read a reply, from when its system would take no more of it; then the
    /// connection is closed.
    pub write_timeout: Duration,
    /// How long open requests may take once the server is told to stop.
    pub shutdown_timeout: Duration,
    /// How many connections may be open, at some 2 KiB each while they rest, and 24 KiB more while something
    /// comes or goes: 20,000 take 40 MB, and 520 MB if all do. When there are as many, one that rests is closed for each that comes.
    pub connections_max: usize,
    /// How many of them one address may have, or one /64 network of IPv6; with none, all of them. Behind a load
    /// balancer all have its address.
    pub connections_per_address_max: Option<usize>,
    /// How many bytes the head of a request may have; a longer one is answered with 431. It is also the most that is
    /// read ahead of a connection. 8,192 at least.
    pub header_bytes_max: usize,
    /// How many players' sessions are held in memory, at some 600 bytes each: 131,072 take 80 MiB.
    pub sessions_cached: usize,
    /// How many access tokens are held in memory; an app has two or three.
    pub tokens_cached: usize,
    /// How many players' rates are held in memory, at some 300 bytes each: 65,536 take 20 MiB. Of more players than
    /// this at once, some may make a second's worth of calls too many.
    pub rates_cached: usize,
    /// How many refusals of Midas calls are kept in memory, to be asked about.
    pub rejections_max: usize,
    /// How many bytes they may take.
    pub rejections_bytes_max: usize,
    /// How many refused signatures a second are searched for a known mistake in the live environment, each in about
    /// 0.2 ms and 3 ms at most: 20 take half a percent of a core, and 6 percent at most.
    pub diagnoses_per_second: NonZeroU32,
}

const DIAGNOSES_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(75),
            header_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
            connections_max: 20_000,
            connections_per_address_max: None,
            header_bytes_max: 8192,
            sessions_cached: 131_072,
            tokens_cached: 4096,
            rates_cached: 65_536,
            rejections_max: 1000,
            rejections_bytes_max: 4 * 1024 * 1024,
            diagnoses_per_second: DIAGNOSES_PER_SECOND,
        }
    }
}

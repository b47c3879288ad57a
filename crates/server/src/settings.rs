//! Settings of a bank: its apps and its limits.

use std::num::NonZeroU32;
use std::time::Duration;

use pactolus_protocol::raw::PresentSignature;
use pactolus_protocol::{
    AccessToken, AppSecret, DialectPolicy, ErrorCode, ErrorReply, MidasKey, MpSig, OperatorToken, Pf,
    RawWire, Wire,
};
use pactolus_types::{Amount, AppId, Environment, OfferId, ZoneId};

use crate::metrics::{MetricsMode, ProcessInfo};
use crate::seal::Keyring;
use crate::time_zone::AppTimeZone;

/// Settings of a bank.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bearer token of the operator API.
    pub operator_token: OperatorToken,
    /// The apps, no appid twice.
    pub apps: Vec<AppSettings>,
    /// Master keys that seal sessions and tokens in the store.
    pub keys: Keyring,
    /// Limits of the server.
    pub limits: Limits,
    /// Whether calls are counted.
    pub metrics: MetricsMode,
    /// Facts about the process for the metrics.
    pub process: ProcessInfo,
}

impl Settings {
    /// A bank without apps and without a master key, with the default limits.
    pub fn new(operator_token: OperatorToken) -> Self {
        Self {
            operator_token,
            apps: Vec::new(),
            keys: Keyring::default(),
            limits: Limits::default(),
            metrics: MetricsMode::default(),
            process: ProcessInfo::default(),
        }
    }
}

/// Settings of one app.
#[derive(Clone, Debug)]
pub struct AppSettings {
    /// The mini game.
    pub appid: AppId,
    /// Secret that its back end exchanges for an access token.
    pub app_secret: AppSecret,
    /// Its coin.
    pub offer_id: OfferId,
    /// Key of live signatures.
    pub midas_key: MidasKey,
    /// Key of sandbox signatures.
    pub sandbox_midas_key: MidasKey,
    /// The live key before it, accepted beside it until callers have changed over.
    pub midas_key_previous: Option<MidasKey>,
    /// The sandbox key before it.
    pub sandbox_midas_key_previous: Option<MidasKey>,
    /// Families of calls that it may make.
    pub wires: Vec<Wire>,
    /// Whether calls need the player's signature too (`mp_sig`).
    pub mp_sig: MpSig,
    /// Whether a present of `/wxa/game/*` needs the player's signature, and one of `/xpay/*` the app's.
    pub present_signature: PresentSignature,
    /// Accepted forms of the signed text.
    pub dialects: DialectPolicy,
    /// Platforms that a call may name.
    pub pf: Vec<Pf>,
    /// Zones that a call may name; empty for any.
    pub zones: Vec<ZoneId>,
    /// Most that `ts` may differ from the bank's clock, before or after it; `None` is unlimited.
    pub ts_window: Option<Duration>,
    /// How its players log in.
    pub login: LoginMode,
    /// Access tokens that never expire, for development.
    pub static_access_tokens: Vec<AccessToken>,
    /// Time after a pay in which it may be cancelled.
    pub cancel_window: Duration,
    /// Calls per second in each environment; `None` is unlimited.
    pub rate_limit_per_second: Option<NonZeroU32>,
    /// Calls per second about one player in each environment; `None` is unlimited.
    pub rate_limit_per_player_per_second: Option<NonZeroU32>,
    /// Most coins of one present; `None` is unlimited.
    pub present_max: Option<Amount>,
    /// Most coins that presents may give a player in a zone in one day; `None` is unlimited.
    pub present_max_per_player_per_day: Option<Amount>,
    /// Time zone of the days of that limit and of the totals.
    pub time_zone: AppTimeZone,
}

impl AppSettings {
    /// The vendor's cancel window: 48 hours.
    pub const CANCEL_WINDOW: Duration = Duration::from_secs(48 * 3600);

    /// The two vocabularies of a mini game's coins. `/xpay/*` is of mini programs, which are other apps.
    pub const WIRES: [Wire; 2] = [Wire::Midas, Wire::Raw(RawWire::Game)];

    /// An app with its ids and keys, and defaults for the rest: the documented checks in every known dialect,
    /// Android, any zone and any `ts`, pushed logins, the vendor's cancel window, no limits, and UTC days.
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
            midas_key_previous: None,
            sandbox_midas_key_previous: None,
            wires: Self::WIRES.to_vec(),
            mp_sig: MpSig::Required,
            present_signature: PresentSignature::Required,
            dialects: DialectPolicy::Lenient,
            pf: vec![Pf::new("android").expect("it is a valid platform")],
            zones: Vec::new(),
            ts_window: None,
            login: LoginMode::Push,
            static_access_tokens: Vec::new(),
            cancel_window: Self::CANCEL_WINDOW,
            rate_limit_per_second: None,
            rate_limit_per_player_per_second: None,
            present_max: None,
            present_max_per_player_per_day: None,
            time_zone: AppTimeZone::UTC,
        }
    }

    pub(crate) fn previous_midas_key(&self, environment: Environment) -> Option<&MidasKey> {
        match environment {
            Environment::Live => self.midas_key_previous.as_ref(),
            Environment::Sandbox => self.sandbox_midas_key_previous.as_ref(),
        }
    }

    /// 48001 for a family of calls that is not one of the app's.
    pub(crate) fn check_wire(&self, wire: Wire) -> Result<(), ErrorReply> {
        if self.wires.contains(&wire) {
            return Ok(());
        }
        let detail = format!("the wires of this app in the bank's settings do not have \"{wire}\"");
        Err(ErrorReply::with_detail(ErrorCode::ApiUnauthorized, detail))
    }

    pub(crate) fn midas_key(&self, environment: Environment) -> &MidasKey {
        match environment {
            Environment::Live => &self.midas_key,
            Environment::Sandbox => &self.sandbox_midas_key,
        }
    }
}

/// Login mode of an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginMode {
    /// The operator pushes a session, or issues a one-time login code.
    #[default]
    Push,
    /// Any code is a player, in live and sandbox: for development.
    Open,
    /// Codes as with [`LoginMode::Push`]; any other code is a player of the sandbox, whom live calls refuse.
    OpenSandbox,
}

/// Limits of the server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Time after which an idle connection is closed.
    pub idle_timeout: Duration,
    /// Time from the first byte of a request's header to its last; then the connection is closed.
    pub header_timeout: Duration,
    /// Time for a request, its body's arrival included; then it is answered as busy.
    pub request_timeout: Duration,
    /// Time for a client to read a reply, from when the kernel takes no more of it; then the connection is closed.
    pub write_timeout: Duration,
    /// Time for open requests to finish after a shutdown began.
    pub shutdown_timeout: Duration,
    /// Cap on open connections; at the cap a new one evicts an idle one. Each takes some 4 KiB while it is idle. While
    /// a request arrives or is in flight, and for half a second after, hyper's buffers and state take some 20 KiB more.
    /// 20,000 take 80 MB idle, and 490 MB with a request in flight on each.
    pub connections_max: usize,
    /// Cap per address, or per /64 network of IPv6; `None` is unlimited. Behind a load balancer all connections have
    /// its address.
    pub connections_per_address_max: Option<usize>,
    /// Most bytes of a request's header, at least 8,192; a longer one is answered with 431. It is also the most that
    /// is read ahead on a connection.
    pub header_bytes_max: usize,
    /// Sessions cached in memory, at some 600 bytes each: 131,072 take 80 MiB.
    pub sessions_cached: usize,
    /// Access tokens cached in memory; an app has two or three.
    pub tokens_cached: usize,
    /// Players' token buckets cached in memory, at some 300 bytes each: 65,536 take 20 MiB. With more players than
    /// this at once, some may make a second's worth of calls too many.
    pub rates_cached: usize,
    /// Rejections of Midas calls that are kept in memory.
    pub rejections_max: usize,
    /// Bytes of memory for the kept rejections.
    pub rejections_bytes_max: usize,
    /// Failed signatures per second that are searched for a known mistake in the live environment, each in about 0.2
    /// ms and 3 ms at most: 20 take half a percent of a core, and 6 percent at most.
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

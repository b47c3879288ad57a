//! Configuration: `pactolus.toml` and the environment, parsed into types that cannot hold an invalid value.
//!
//! One pass finds every problem and reports all of them, each with its line and a valid form.
//! No message ever shows a secret, nor the line that holds one.
//!
//! To add a setting: a field of [`Config`] or of the server's settings, one line in [`config`] or [`app`] that reads
//! it by name and parser, and a line in the template of `pactolus init`, which a test enforces. Its environment
//! variable, its place in the list of known keys, and the hint for a misspelt key follow from that line.
//! Read next: [`section`], which reads settings, and [`parse`], the parsers.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod listen;
mod load;
mod nearest;
mod parse;
mod placeholder;
mod problem;
mod profile;
mod reader;
mod section;
mod sources;
mod store;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use pactolus_ledger_embedded::EmbeddedSettings;
use pactolus_protocol::raw::PresentSignature;
use pactolus_protocol::{
    AccessToken, AppSecret, DialectPolicy, MidasKey, MpSig, OperatorToken, Pf, RawWire, Wire,
};
use pactolus_server::{
    AppSettings, AppTimeZone, Keyring, Limits, LoginMode, MasterKey, MetricsMode, ProcessInfo, Settings,
    TlsIdentity,
};
use pactolus_types::{Amount, AppId, OfferId, ZoneId};

pub(crate) use listen::parse_listen_address;
use listen::parse_operator_listen;
pub(crate) use nearest::closest_match;
pub(crate) use problem::ConfigError;
pub(crate) use profile::Profile;
pub(crate) use sources::EnvSnapshot;
pub(crate) use store::{InvalidStoreUrl, StoreUrl};

use crate::logging::filter::{LogFilter, parse_filter};
use parse::{choice, count, limit, list, seconds, secret, secret_or_off, text};
use section::Section;

/// Default listen address: this machine only.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8790);

/// Configuration of a bank.
#[derive(Debug)]
pub(crate) struct Config {
    /// Listen address.
    pub(crate) listen: SocketAddr,
    /// Listen address of the operator API; `None` if it shares `listen` with the game.
    pub(crate) operator_listen: Option<SocketAddr>,
    /// Certificate of `listen`; `None` without TLS.
    pub(crate) tls: Option<TlsIdentity>,
    /// Store of the orders.
    pub(crate) store: StoreUrl,
    /// Log filter, unless the command line or the environment sets one.
    pub(crate) log: LogFilter,
    /// Settings of an embedded store.
    pub(crate) embedded: EmbeddedSettings,
    /// Settings of this node for a store on PostgreSQL.
    pub(crate) postgres: PostgresSettings,
    /// Settings of the server: at least one app, distinct appids, no access token shared by two apps.
    pub(crate) server: Settings,
}

/// Settings of a node on PostgreSQL. A build without that engine parses them too, so it reads the same files.
#[derive(Clone, Debug)]
pub(crate) struct PostgresSettings {
    /// Order transactions in flight, each on a connection of its own.
    pub(crate) write_connections: NonZeroUsize,
    /// Orders that may wait for them.
    pub(crate) queue_orders_max: usize,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self { write_connections: NonZeroUsize::new(2).expect("it is not zero"), queue_orders_max: 16_384 }
    }
}

impl Config {
    /// Address of the game's calls on this machine.
    pub(crate) fn game_address(&self) -> SocketAddr {
        listen::reachable(self.listen)
    }

    /// Address of the operator API on this machine.
    pub(crate) fn operator_address(&self) -> SocketAddr {
        listen::reachable(self.operator_listen.unwrap_or(self.listen))
    }

    /// Reads the file at `path`. The environment variable of a setting overrides the file.
    pub(crate) fn read(path: &Path, variables: &EnvSnapshot) -> Result<Self, ConfigError> {
        load::read(path, variables, reader::PREFIX, config)
    }
}

fn config(top: &mut Section<'_>) -> Option<Config> {
    let listen = top.optional("listen", DEFAULT_LISTEN, text(parse_listen_address));
    let operator_listen = top.optional("operator_listen", None, text(parse_operator_listen));
    let log = top.optional("log", LogFilter::default(), text(parse_filter));
    let metrics = top.optional("metrics", MetricsMode::On, choice(METRICS_CHOICES));
    let default_store = StoreUrl::default().relative_to(top.folder());
    let store = top.optional("store", default_store, store::store);
    let operator_token =
        top.table("operator", |operator| operator.required("token", secret(OperatorToken::new)));
    let tls = top.table("tls", tls::tls);
    let keys = top.table("seal", seal);
    let mut duplicates = DuplicateCheck::default();
    let apps = top.tables("apps", |app_section| app(app_section, &mut duplicates));
    let limits = top.table("limits", limits);
    let embedded = top.table("embedded", embedded);
    let postgres = top.table("postgres", postgres);
    let server = Settings {
        operator_token: operator_token?,
        apps: apps?,
        keys: keys?,
        limits: limits?,
        metrics: metrics?,
        process: ProcessInfo::default(),
    };
    Some(Config {
        listen: listen?,
        operator_listen: operator_listen?,
        tls: tls?.0,
        store: store?,
        log: log?,
        embedded: embedded?,
        postgres: postgres?,
        server,
    })
}

fn seal(seal: &mut Section<'_>) -> Option<Keyring> {
    let keys = seal.optional("master_keys", Vec::new(), list(secret(MasterKey::new)))?;
    Keyring::new(keys).inspect_err(|error| seal.report("master_keys", error)).ok()
}

/// Maximum of a timeout: an hour, so that a wrong unit is found.
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// Range of the header limit: from the HTTP server's smallest buffer to a mebibyte, which finds a typo.
const HEADER_BYTES: RangeInclusive<usize> = 8192..=1024 * 1024;

/// Maximum number of anything held in memory; a typo of a digit or two is not found.
const COUNT_MAX: usize = 1_000_000_000;

fn limits(limits: &mut Section<'_>) -> Option<Limits> {
    let defaults = Limits::default();
    let timeout = || seconds(TIMEOUT_MAX);
    let bounded = || count(1..=COUNT_MAX);
    let idle_timeout = limits.optional("idle_timeout_s", defaults.idle_timeout, timeout());
    let header_timeout = limits.optional("header_timeout_s", defaults.header_timeout, timeout());
    let request_timeout = limits.optional("request_timeout_s", defaults.request_timeout, timeout());
    let write_timeout = limits.optional("write_timeout_s", defaults.write_timeout, timeout());
    let shutdown_timeout = limits.optional("shutdown_timeout_s", defaults.shutdown_timeout, timeout());
    let connections_max = limits.optional("connections_max", defaults.connections_max, bounded());
    let connections_per_address_max = limits.optional(
        "connections_per_address_max",
        defaults.connections_per_address_max,
        limit(parse_connections_per_address),
    );
    let header_bytes_max =
        limits.optional("header_bytes_max", defaults.header_bytes_max, count(HEADER_BYTES));
    let sessions_cached = limits.optional("sessions_cached", defaults.sessions_cached, bounded());
    let tokens_cached = limits.optional("tokens_cached", defaults.tokens_cached, bounded());
    let rates_cached = limits.optional("rates_cached", defaults.rates_cached, bounded());
    let rejections_max = limits.optional("rejections_max", defaults.rejections_max, bounded());
    let rejections_bytes_max =
        limits.optional("rejections_bytes_max", defaults.rejections_bytes_max, bounded());
    let diagnoses_per_second = limits.optional(
        "diagnoses_per_second",
        defaults.diagnoses_per_second,
        count(NonZeroU32::MIN..=NonZeroU32::MAX),
    );
    Some(Limits {
        idle_timeout: idle_timeout?,
        header_timeout: header_timeout?,
        request_timeout: request_timeout?,
        write_timeout: write_timeout?,
        shutdown_timeout: shutdown_timeout?,
        connections_max: connections_max?,
        connections_per_address_max: connections_per_address_max?,
        header_bytes_max: header_bytes_max?,
        sessions_cached: sessions_cached?,
        tokens_cached: tokens_cached?,
        rates_cached: rates_cached?,
        rejections_max: rejections_max?,
        rejections_bytes_max: rejections_bytes_max?,
        diagnoses_per_second: diagnoses_per_second?,
    })
}

/// Smallest journal segment. A larger batch gets a segment of its own.
const SEGMENT_BYTES_MIN: u64 = 4096;

fn embedded(embedded: &mut Section<'_>) -> Option<EmbeddedSettings> {
    let defaults = EmbeddedSettings::default();
    let queue_orders_max =
        embedded.optional("queue_orders_max", defaults.queue_orders_max, count(1..=COUNT_MAX));
    let memtable_orders =
        embedded.optional("memtable_orders", defaults.memtable_orders, count(1..=COUNT_MAX));
    let accounts_cached =
        embedded.optional("accounts_cached", defaults.accounts_cached, count(0..=COUNT_MAX));
    let segment_bytes =
        embedded.optional("segment_bytes", defaults.segment_bytes, count(SEGMENT_BYTES_MIN..=u64::MAX));
    let filter_bytes = embedded.optional("filter_bytes", defaults.filter_bytes, count(0..=u64::MAX));
    let disk_reserve_bytes =
        embedded.optional("disk_reserve_bytes", defaults.disk_reserve_bytes, count(0..=u64::MAX));
    Some(EmbeddedSettings {
        queue_orders_max: queue_orders_max?,
        memtable_orders: memtable_orders?,
        accounts_cached: accounts_cached?,
        segment_bytes: segment_bytes?,
        filter_bytes: filter_bytes?,
        disk_reserve_bytes: disk_reserve_bytes?,
        randomness: defaults.randomness,
    })
}

/// Each write connection is a database connection, and a database has some hundred for all its clients.
const WRITE_CONNECTIONS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");

fn postgres(postgres: &mut Section<'_>) -> Option<PostgresSettings> {
    let defaults = PostgresSettings::default();
    let write_connections = postgres.optional(
        "write_connections",
        defaults.write_connections,
        count(NonZeroUsize::MIN..=WRITE_CONNECTIONS_MAX),
    );
    let queue_orders_max =
        postgres.optional("queue_orders_max", defaults.queue_orders_max, count(1..=COUNT_MAX));
    Some(PostgresSettings { write_connections: write_connections?, queue_orders_max: queue_orders_max? })
}

/// Values of the apps so far that a later app must not repeat.
#[derive(Default)]
struct DuplicateCheck {
    appids: BTreeSet<AppId>,
    tokens: Vec<AccessToken>,
}

fn app(app: &mut Section<'_>, duplicates: &mut DuplicateCheck) -> Option<AppSettings> {
    let appid = app.required("appid", text(AppId::new));
    let app_secret = app.required("app_secret", secret(AppSecret::new));
    let offer_id = app.required("offer_id", text(OfferId::new));
    let midas_key = app.required("midas_key", secret(MidasKey::new));
    let sandbox_midas_key = app.required("sandbox_midas_key", secret(MidasKey::new));
    let midas_key_previous = app.optional("midas_key_previous", None, secret_or_off(MidasKey::new));
    let sandbox_midas_key_previous =
        app.optional("sandbox_midas_key_previous", None, secret_or_off(MidasKey::new));
    let wires = app.optional("wires", AppSettings::WIRES.to_vec(), list(choice(WIRE_CHOICES)));
    let mp_sig = app.optional("mp_sig", MpSig::Required, choice(MP_SIG_CHOICES));
    let present_signature =
        app.optional("present_signature", PresentSignature::Required, choice(PRESENT_SIGNATURE_CHOICES));
    let dialects = app.optional("dialects", DialectPolicy::Lenient, choice(DIALECTS_CHOICES));
    let pf = app.optional("pf", vec![android_pf()], list(text(Pf::new)));
    let zones = app.optional("zones", Vec::new(), list(text(ZoneId::new)));
    let ts_window = app.optional("ts_window_s", None, limit(parse_ts_window));
    let login = app.optional("login", LoginMode::Push, choice(LOGIN_CHOICES));
    let static_access_tokens =
        app.optional("static_access_tokens", Vec::new(), list(secret(AccessToken::new)));
    let cancel_window =
        app.optional("cancel_window_s", AppSettings::CANCEL_WINDOW, seconds(CANCEL_WINDOW_MAX));
    let rate_limit_per_second = app.optional("rate_limit_per_second", None, limit(parse_rate));
    let rate_limit_per_player_per_second =
        app.optional("rate_limit_per_player_per_second", None, limit(parse_rate));
    let present_max = app.optional("present_max", None, limit(Amount::new));
    let present_max_per_player_per_day =
        app.optional("present_max_per_player_per_day", None, limit(Amount::new));
    let time_zone = app.optional("time_zone", AppTimeZone::UTC, text(parse_time_zone));

    if let Some(appid) = appid
        && !duplicates.appids.insert(appid)
    {
        app.report("appid", format!("is {appid}, as in an app above; configure each app once"));
    }
    if pf.as_ref().is_some_and(Vec::is_empty) {
        app.report("pf", "is empty; it must hold at least one platform, such as \"android\"");
    }
    if wires.as_ref().is_some_and(Vec::is_empty) {
        app.report("wires", "is empty; it must hold at least one of \"midas\", \"game\" and \"xpay\"");
    }
    for token in static_access_tokens.iter().flatten() {
        if duplicates.tokens.iter().any(|other| other.matches(token.expose())) {
            app.report(
                "static_access_tokens",
                "holds a token that is used twice; each must identify one app",
            );
        }
        duplicates.tokens.push(token.clone());
    }

    Some(AppSettings {
        appid: appid?,
        app_secret: app_secret?,
        offer_id: offer_id?,
        midas_key: midas_key?,
        sandbox_midas_key: sandbox_midas_key?,
        midas_key_previous: midas_key_previous?,
        sandbox_midas_key_previous: sandbox_midas_key_previous?,
        wires: wires?,
        mp_sig: mp_sig?,
        present_signature: present_signature?,
        dialects: dialects?,
        pf: pf?,
        zones: zones?,
        ts_window: ts_window?,
        login: login?,
        static_access_tokens: static_access_tokens?,
        cancel_window: cancel_window?,
        rate_limit_per_second: rate_limit_per_second?,
        rate_limit_per_player_per_second: rate_limit_per_player_per_second?,
        present_max: present_max?,
        present_max_per_player_per_day: present_max_per_player_per_day?,
        time_zone: time_zone?,
    })
}

const METRICS_CHOICES: &[(&str, MetricsMode)] = &[("on", MetricsMode::On), ("off", MetricsMode::Off)];

const MP_SIG_CHOICES: &[(&str, MpSig)] =
    &[("required", MpSig::Required), ("if-present", MpSig::IfPresent), ("off", MpSig::Off)];

const PRESENT_SIGNATURE_CHOICES: &[(&str, PresentSignature)] = &[
    ("required", PresentSignature::Required),
    ("if-present", PresentSignature::IfPresent),
    ("off", PresentSignature::Off),
];

const WIRE_CHOICES: &[(&str, Wire)] =
    &[("midas", Wire::Midas), ("game", Wire::Raw(RawWire::Game)), ("xpay", Wire::Raw(RawWire::Xpay))];

const LOGIN_CHOICES: &[(&str, LoginMode)] =
    &[("push", LoginMode::Push), ("open", LoginMode::Open), ("open-sandbox", LoginMode::OpenSandbox)];

const DIALECTS_CHOICES: &[(&str, DialectPolicy)] =
    &[("lenient", DialectPolicy::Lenient), ("strict", DialectPolicy::Strict)];

/// Maximum of the cancel window: a year, so that a wrong unit is found.
const CANCEL_WINDOW_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// A window of `ts`: a second to a day, so that a wrong unit is found.
fn parse_ts_window(seconds: u64) -> Result<Duration, &'static str> {
    let window = (1..=24 * 3600).contains(&seconds).then(|| Duration::from_secs(seconds));
    window.ok_or("must be 1 to 86400 seconds, or \"off\"")
}

/// A time zone by its IANA name.
fn parse_time_zone(name: &str) -> Result<AppTimeZone, String> {
    name.parse::<AppTimeZone>().map_err(|error| {
        let names: Vec<_> = AppTimeZone::names().collect();
        match closest_match(name, names.iter().map(String::as_str)) {
            Some(meant) => format!("is {name:?}, which {error}; did you mean {meant:?}?"),
            None => format!("is {name:?}, which {error}"),
        }
    })
}

/// A rate, in calls per second.
fn parse_rate(count: u64) -> Result<NonZeroU32, &'static str> {
    let rate = u32::try_from(count).ok().and_then(NonZeroU32::new);
    rate.ok_or("must be 1 to 4294967295 calls a second, or \"off\"")
}

/// A number of connections.
fn parse_connections_per_address(count: u64) -> Result<usize, &'static str> {
    let connections = usize::try_from(count).ok().filter(|count| (1..=COUNT_MAX).contains(count));
    connections.ok_or("must be 1 to 1000000000 connections, or \"off\"")
}

fn android_pf() -> Pf {
    Pf::new("android").expect("it keeps the rule of a platform")
}

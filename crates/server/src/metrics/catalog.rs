//! The list of metrics: name, type, labels with their bounds, help.
//!
//! Everything else follows from it: the output of `GET /metrics`, `pactolus metrics`, and `docs/operating/metrics.md`.
//! To add a metric: its line here, and where `metrics/collect.rs` reads it. A label is one of [`Label`], whose values
//! are few. No player, bill number, zone, user, address or request id is ever one.

use pactolus_ledger::metrics::{BATCH_BOUNDS, FLUSH_BOUNDS, SYNC_BOUNDS};
use pactolus_protocol::{MidasCode, PlatformCode};

/// Apps with series of their own.
pub(crate) const NAMED_APPS: usize = 50;

/// These, and one place for all others.
pub(crate) const APP_SLOTS: usize = NAMED_APPS + 1;

/// A metric of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name, with unit and suffix: `pactolus_calls_total`.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// Its labels.
    pub labels: &'static [Label],
    /// What it counts.
    pub help: &'static str,
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A count that only grows until the process ends.
    Counter,
    /// A level.
    Gauge,
    /// Counts of values up to each bound.
    Histogram(Buckets),
    /// A constant whose labels hold the information.
    Info,
}

/// Bounds of a histogram and their unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buckets {
    /// Bounds in nanoseconds, shown in seconds.
    Durations(&'static [u64]),
    /// Bounds of a plain count.
    Counts(&'static [u64]),
}

impl Buckets {
    /// The bounds, in nanoseconds or as counts.
    pub const fn bounds(self) -> &'static [u64] {
        match self {
            Self::Durations(bounds) | Self::Counts(bounds) => bounds,
        }
    }
}

impl Buckets {
    /// The bounds as shown: durations in seconds.
    pub fn shown(self) -> Vec<String> {
        let shown = |bound: &u64| match self {
            Self::Durations(_) => decimal_seconds(*bound),
            Self::Counts(_) => bound.to_string(),
        };
        self.bounds().iter().map(shown).collect()
    }
}

/// Nanoseconds as decimal seconds: `0.00025`, `5`.
pub(crate) fn decimal_seconds(nanos: u64) -> String {
    const NANOS: u64 = 1_000_000_000;
    let text = format!("{}.{:09}", nanos / NANOS, nanos % NANOS);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl MetricKind {
    /// Name of the type in OpenMetrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
            Self::Info => "info",
        }
    }
}

macro_rules! labels {
    ($($(#[$doc:meta])* $label:ident = $name:literal, $values:expr;)*) => {
        /// A label. Its values are few and known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Label {
            $($(#[$doc])* $label,)*
        }

        impl Label {
            /// Every label.
            pub const ALL: &'static [Self] = &[$(Self::$label,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$label => $name,)* }
            }

            /// Most values that it can have.
            pub const fn values_max(self) -> usize {
                match self { $(Self::$label => $values,)* }
            }
        }
    };
}

labels! {
    /// The first 50 apps of the configuration by their appid; all others are `other`.
    App = "app", APP_SLOTS;
    /// `live` or `sandbox`.
    Env = "env", 2;
    /// Protocol of a call: `midas`.
    Wire = "wire", 1;
    /// `present`, `getbalance`, `pay` or `cancelpay`.
    Call = "call", 4;
    /// Code of the reply; 0 is success.
    Errcode = "errcode", PlatformCode::ALL.len() + MidasCode::ALL.len() + 1;
    /// `ok`, `replayed`, `refused` or `unavailable`.
    Outcome = "outcome", 4;
    /// Kind of an order or of a record.
    Kind = "kind", 6;
    /// Name of a diagnosis, as `pactolus explain` shows it.
    Finding = "finding", 64;
    /// What a limit counts: `app` or `player`; `order` or `day`.
    Scope = "scope", 2;
    /// Why a connection was closed.
    Reason = "reason", 6;
    /// How an operation ended.
    Result = "result", 4;
    /// State of the store.
    State = "state", 7;
    /// `bills` or `accounts`.
    Index = "index", 2;
    /// Template of a path.
    HttpRoute = "http_route", 16;
    /// Method of a request; unknown ones are `_OTHER`.
    HttpMethod = "http_request_method", 8;
    /// Status of a response.
    HttpStatus = "http_response_status_code", 12;
    /// Version of the program.
    Version = "version", 1;
    /// Commit that it was built from.
    Revision = "revision", 1;
    /// `embedded` or `postgres`.
    Engine = "engine", 1;
}

/// Bounds of a call's duration, in nanoseconds: 0.25 ms to 5 s.
pub(crate) const CALL_BOUNDS: &[u64; 14] = &[
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
];

const fn durations(bounds: &'static [u64]) -> MetricKind {
    MetricKind::Histogram(Buckets::Durations(bounds))
}

use MetricKind::{Counter, Gauge, Info};

macro_rules! catalog {
    ($($id:ident = $name:literal, $kind:expr, [$($label:ident),*], $help:literal;)*) => {
        $(pub(crate) const $id: Metric =
            Metric { name: $name, kind: $kind, labels: &[$(Label::$label),*], help: $help };)*

        /// Every metric, in the order of the output.
        pub const CATALOG: &[Metric] = &[$($id,)*];
    };
}

catalog! {
    BUILD = "pactolus_build_info", Info, [Version, Revision, Engine], "Version, commit and engine of the bank";
    CALLS = "pactolus_calls_total", Counter, [Wire, Env, Call, Errcode], "Answered calls of /cgi-bin/midas";
    CALL_DURATION = "pactolus_call_duration_seconds", durations(CALL_BOUNDS), [Wire, Env, Call],
        "Time from the header of a call of /cgi-bin/midas to its reply";
    APP_CALLS = "pactolus_app_calls_total", Counter, [App, Env, Outcome], "Answered calls with a valid token";
    COINS = "pactolus_coins_total", Counter, [App, Env, Kind], "Coins moved by orders that were applied";
    REJECTION_FINDINGS = "pactolus_rejection_findings_total", Counter, [Finding],
        "Diagnoses of rejected calls";
    RATE_LIMITED = "pactolus_rate_limited_total", Counter, [App, Env, Scope], "Calls over a rate limit";
    GIFT_LIMITED = "pactolus_gift_limited_total", Counter, [App, Env, Scope], "Presents over a gift limit";
    PREVIOUS_KEY_CALLS = "pactolus_previous_key_calls_total", Counter, [App, Env],
        "Calls signed with the key before the present one";
    HTTP_DURATION = "http_server_request_duration_seconds", durations(CALL_BOUNDS),
        [HttpRoute, HttpMethod, HttpStatus], "Time of a request to the operator API";
    CONNECTIONS = "pactolus_connections", Gauge, [], "Open connections of clients";
    CONNECTIONS_LIMIT = "pactolus_connections_limit", Gauge, [],
        "Open connections at which a new one evicts an idle one";
    CONNECTIONS_CLOSED = "pactolus_connections_closed_total", Counter, [Reason], "Closed connections of clients";
    SESSION_LOOKUPS = "pactolus_session_lookups_total", Counter, [Result],
        "Look-ups of players' sessions: cached, read from the store, or none found";
    TOKEN_LOOKUPS = "pactolus_token_lookups_total", Counter, [Result],
        "Look-ups of access tokens: cached, read from the store, or none found";
    STORE_READY = "pactolus_store_ready", Gauge, [State], "1 for the present state of the store, 0 for the others";
    STORE_DAMAGED = "pactolus_store_damaged", Gauge, [],
        "1 if a read met damage since the start; orders that need the damaged bytes are refused";
    QUEUE_ORDERS = "pactolus_ledger_queue_orders", Gauge, [], "Orders that wait to be decided";
    QUEUE_ORDERS_LIMIT = "pactolus_ledger_queue_orders_limit", Gauge, [],
        "Queued orders at which callers wait to queue theirs";
    BATCH_ORDERS = "pactolus_ledger_batch_orders", MetricKind::Histogram(Buckets::Counts(BATCH_BOUNDS)), [],
        "Orders of each durable batch";
    SYNC_DURATION = "pactolus_ledger_sync_duration_seconds", durations(SYNC_BOUNDS), [],
        "Time until a batch is durable: write and sync, or the transaction of the database";
    LEDGER_ORDERS = "pactolus_ledger_orders_total", Counter, [], "Orders in durable batches";
    JOURNAL_BYTES = "pactolus_journal_bytes", Gauge, [], "Bytes of the journal";
    MEMTABLE_ORDERS = "pactolus_memtable_orders", Gauge, [], "Orders in memory that no flush has taken yet";
    INDEX_RUNS = "pactolus_index_runs", Gauge, [Index], "Files of an index that a look-up may search";
    FLUSH_DURATION = "pactolus_flush_duration_seconds", durations(FLUSH_BOUNDS), [],
        "Time of a flush of the memtable";
    MERGES = "pactolus_merges_total", Counter, [Result], "Merges of index files";
    DISK_FREE = "pactolus_disk_free_bytes", Gauge, [], "Free bytes of the store's disk";
    DISK_RESERVE = "pactolus_disk_reserve_bytes", Gauge, [], "Free bytes below which new orders are refused";
    POSTGRES_BATCHES = "pactolus_postgres_batches_total", Counter, [Result],
        "Attempts at a transaction of orders: committed, retried, lost, or refused";
    POSTGRES_CONNECTIONS = "pactolus_postgres_connections", Gauge, [],
        "Connections to the database that can post orders";
    POSTGRES_CONNECTIONS_LIMIT = "pactolus_postgres_connections_limit", Gauge, [],
        "The same when the database is reachable";
    RECORDS_WRITES = "pactolus_records_writes_total", Counter, [Kind, Result],
        "Writes of logins and tokens: stored, conflict, or failed";
    LOG_LINES_DROPPED = "pactolus_log_lines_dropped_total", Counter, [],
        "Log lines that stderr did not take";
    MANUAL_CLOCK = "pactolus_manual_clock", Gauge, [], "1 if the operator API can set the bank's clock";
    OPEN_LOGIN_APPS = "pactolus_open_login_apps", Gauge, [], "Apps that accept any login code, in live too";
    RUNTIME_WORKERS = "pactolus_runtime_workers", Gauge, [], "Worker threads of the runtime";
    RUNTIME_TASKS = "pactolus_runtime_tasks_alive", Gauge, [], "Tasks of the runtime";
    RUNTIME_QUEUE = "pactolus_runtime_global_queue_tasks", Gauge, [], "Tasks that wait for any worker thread";
    PROCESS_CPU = "process_cpu_seconds_total", Counter, [], "Processor time of the process";
    PROCESS_MEMORY = "process_resident_memory_bytes", Gauge, [], "Memory of the process";
    PROCESS_FDS = "process_open_fds", Gauge, [], "Open files of the process";
    PROCESS_FDS_MAX = "process_max_fds", Gauge, [], "Most open files of the process";
    PROCESS_START = "process_start_time_seconds", Gauge, [], "Start of the process, in seconds since 1970";
}

impl Metric {
    /// The name without `_total` or `_info`: the name of its family in OpenMetrics.
    pub fn family(&self) -> &'static str {
        let name = self.name;
        match self.kind {
            MetricKind::Counter => name.strip_suffix("_total").unwrap_or(name),
            MetricKind::Info => name.strip_suffix("_info").unwrap_or(name),
            MetricKind::Gauge | MetricKind::Histogram(_) => name,
        }
    }

    /// The unit at the end of the family's name.
    pub fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes"].into_iter().find(|unit| self.family().ends_with(unit))
    }

    /// Most series of a node.
    pub fn series_max(&self) -> usize {
        let combinations = self.labels.iter().map(|label| label.values_max()).product::<usize>();
        match self.kind {
            MetricKind::Counter | MetricKind::Gauge | MetricKind::Info => combinations,
            // A bucket without a bound, the sum and the count come on top.
            MetricKind::Histogram(buckets) => combinations * (buckets.bounds().len() + 3),
        }
    }
}

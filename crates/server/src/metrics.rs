//! Metrics: what the bank counts, and `GET /metrics`.
//!
//! Calls are counted in `metrics/shard.rs`, one set of plain atomics for each worker thread. The engines count their
//! own (`pactolus_ledger::metrics`). A scrape reads all of them in `metrics/collect.rs` and writes them in
//! `metrics/text.rs`.
//! Reasons: `docs/decisions/0033-metrics.md`.
//! Read next: [`catalog`], the list of metrics.

pub mod catalog;
pub(crate) mod collect;
pub(crate) mod connections;
pub(crate) mod endpoint;
pub(crate) mod lookups;
mod page;
mod process;
pub(crate) mod record_writes;
pub(crate) mod requests;
pub(crate) mod shard;
mod text;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pactolus_ledger::{OrderKind, PostError, Posted, Refusal};
use pactolus_protocol::{CallPath, ErrorCode, ErrorReply};
use pactolus_types::{AppId, Environment};

use self::catalog::{CALL_BOUNDS, NAMED_APPS};
use self::connections::ConnectionCounters;
use self::requests::RequestMetrics;
use self::shard::{
    AppSlot, CallOutcome, CallShard, LimitScope, PerWorker, code_index, order_kind_index, path_index,
};

pub use catalog::{CATALOG, Label, Metric, MetricKind};
pub use page::reference_page;

/// Whether the bank counts its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsMode {
    /// It counts, and `GET /metrics` shows the counts.
    #[default]
    On,
    /// It counts nothing, and `GET /metrics` is not found: to measure what counting costs.
    Off,
}

/// Facts about the process that only the program knows.
#[derive(Clone, Copy, Debug)]
pub struct ProcessInfo {
    /// Version of the program.
    pub version: &'static str,
    /// Commit that it was built from.
    pub revision: &'static str,
    /// Engine of the store: `embedded` or `postgres`.
    pub engine: &'static str,
    /// Log lines dropped so far.
    pub log_lines_dropped: fn() -> u64,
}

impl Default for ProcessInfo {
    /// A program that keeps no such facts.
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            revision: "unknown",
            engine: "unknown",
            log_lines_dropped: || 0,
        }
    }
}

/// Counters of a bank.
pub(crate) struct Metrics {
    mode: MetricsMode,
    pub(crate) process: ProcessInfo,
    calls: PerWorker<CallShard>,
    /// Names of the apps with places of their own, by place. Locked by a scrape and when apps are configured.
    app_names: Mutex<Vec<AppId>>,
    /// Locked for a rejection with a diagnosis, and by a scrape. The names are constants of the program.
    findings: Mutex<BTreeMap<&'static str, u64>>,
    pub(crate) requests: RequestMetrics,
    pub(crate) connections: ConnectionCounters,
}

/// Start of a call; `None` if calls are not counted.
#[derive(Clone, Copy)]
pub(crate) struct CallStart(Option<Instant>);

impl Metrics {
    pub(crate) fn new(mode: MetricsMode, process: ProcessInfo) -> Self {
        Self {
            mode,
            process,
            calls: PerWorker::new(CallShard::new),
            app_names: Mutex::default(),
            findings: Mutex::default(),
            requests: RequestMetrics::default(),
            connections: ConnectionCounters::default(),
        }
    }

    pub(crate) const fn mode(&self) -> MetricsMode {
        self.mode
    }

    /// The place of an app: its own if it is among the first.
    pub(crate) fn slot(&self, appid: AppId) -> AppSlot {
        let mut names = self.app_names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = names.iter().position(|name| *name == appid) {
            return AppSlot::new(place);
        }
        if names.len() == NAMED_APPS {
            return AppSlot::OTHER;
        }
        names.push(appid);
        AppSlot::new(names.len() - 1)
    }

    pub(crate) fn start_call(&self) -> CallStart {
        CallStart((self.mode == MetricsMode::On).then(Instant::now))
    }

    /// Counts an answered call; `app` is that of a valid token.
    pub(crate) fn count_call(
        &self,
        path: CallPath,
        start: CallStart,
        app: Option<AppSlot>,
        error: Option<&ErrorReply>,
    ) {
        let Some(start) = start.0 else { return };
        let shard = self.calls.local();
        let place = path_index(path);
        shard.replies[place][code_index(error.map(ErrorReply::code))].fetch_add(1, Ordering::Relaxed);
        let nanos = nanos_of(start.elapsed());
        let bucket = CALL_BOUNDS.partition_point(|bound| *bound < nanos);
        shard.buckets[place][bucket].fetch_add(1, Ordering::Relaxed);
        shard.nanos[place].fetch_add(nanos, Ordering::Relaxed);
        if let Some(app) = app {
            let outcome = outcome_of(error).index();
            shard.app(app, path.environment).outcomes[outcome].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the outcome of an answered call of a raw wire. One without a readable environment is not counted.
    pub(crate) fn count_raw_call(
        &self,
        app: Option<AppSlot>,
        environment: Option<Environment>,
        error: Option<&ErrorReply>,
    ) {
        if self.mode == MetricsMode::On
            && let (Some(app), Some(environment)) = (app, environment)
        {
            let outcome = outcome_of(error).index();
            self.calls.local().app(app, environment).outcomes[outcome].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the coins of an order that was applied, or the gift limit that refused it.
    pub(crate) fn count_post(
        &self,
        app: AppSlot,
        environment: Environment,
        kind: OrderKind,
        posted: &Result<Posted, PostError>,
    ) {
        match posted {
            Ok(Posted::Applied(receipt)) => {
                if self.mode == MetricsMode::On {
                    let counters = self.calls.local().app(app, environment);
                    counters.coins[order_kind_index(kind)].fetch_add(receipt.coins.get(), Ordering::Relaxed);
                }
            }
            Err(PostError::Refused(Refusal::GiftTooLarge(_))) => {
                self.count_limited(app, environment, LimitScope::OrderGift);
            }
            Err(PostError::Refused(Refusal::DailyGiftsTooLarge { .. })) => {
                self.count_limited(app, environment, LimitScope::DayGift);
            }
            Ok(Posted::Replayed { .. }) | Err(_) => {}
        }
    }

    /// Counts a call over a limit.
    pub(crate) fn count_limited(&self, app: AppSlot, environment: Environment, scope: LimitScope) {
        if self.mode == MetricsMode::On {
            let counters = self.calls.local().app(app, environment);
            counters.limited[scope.index()].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call that is signed with the key before the present one.
    pub(crate) fn count_previous_key(&self, app: AppSlot, environment: Environment) {
        if self.mode == MetricsMode::On {
            self.calls.local().app(app, environment).previous_key.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a diagnosis of a rejected call by its name, a constant of the program.
    pub(crate) fn count_finding(&self, name: &'static str) {
        if self.mode == MetricsMode::On {
            let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
            *findings.entry(name).or_default() += 1;
        }
    }
}

fn outcome_of(error: Option<&ErrorReply>) -> CallOutcome {
    match error {
        None => CallOutcome::Ok,
        // A cancel of a pay that was cancelled before is the replay of the first.
        Some(reply) if reply.existing().is_some() || reply.code() == ErrorCode::OrderCanceled => {
            CallOutcome::Replayed
        }
        Some(reply) if reply.code() == ErrorCode::SystemError => CallOutcome::Unavailable,
        Some(_) => CallOutcome::Refused,
    }
}

fn nanos_of(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

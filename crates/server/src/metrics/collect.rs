//! A scrape: reads every counter of a bank.

use std::sync::PoisonError;
use std::time::Duration;

use pactolus_ledger::Unavailable;
use pactolus_ledger::metrics::{EngineMetric, EngineSample, HistogramSnapshot, SampleValue};
use pactolus_protocol::{CallPath, ErrorCode};
use pactolus_types::Environment;

use super::catalog::{self, Metric};
use super::connections::CloseReason;
use super::lookups::{LookupCounters, LookupResult};
use super::process::{self, ProcessStats};
use super::shard::{AppSlot, CallOutcome, CallShard, LimitScope, ORDER_KINDS, path_index};
use super::text::{Family, Value};
use super::{Metrics, ProcessInfo};
use crate::settings::LoginMode;
use crate::state::AppState;

/// Protocol of the calls.
const MIDAS: &str = "midas";

/// Place of the apps without series of their own.
const OTHER_APPS: &str = "other";

/// Longest wait for the store's answer whether it is ready.
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// The series that were read so far, by metric.
#[derive(Default)]
struct Scrape(Vec<Family>);

impl Scrape {
    fn add<const N: usize>(&mut self, metric: &'static Metric, labels: [&str; N], value: Value) {
        let series = (labels.map(str::to_owned).to_vec(), value);
        match self.0.iter_mut().find(|family| family.metric == metric) {
            Some(family) => family.series.push(series),
            None => self.0.push(Family { metric, series: vec![series] }),
        }
    }

    fn number<const N: usize>(&mut self, metric: &'static Metric, labels: [&str; N], number: u64) {
        self.add(metric, labels, Value::Number(number));
    }

    /// The families in the order of the list.
    fn finish(mut self) -> Vec<Family> {
        let place = |family: &Family| catalog::CATALOG.iter().position(|metric| metric == family.metric);
        self.0.sort_by_key(place);
        self.0
    }
}

/// Reads every counter.
pub(crate) async fn collect(bank: &AppState) -> Vec<Family> {
    let mut scrape = Scrape::default();
    let ProcessInfo { version, revision, engine, log_lines_dropped } = bank.metrics.process;
    scrape.number(&catalog::BUILD, [version, revision, engine], 1);
    add_calls(&mut scrape, &bank.metrics);
    add_apps(&mut scrape, &bank.metrics);
    add_requests(&mut scrape, &bank.metrics);
    add_connections(&mut scrape, &bank.metrics);
    add_lookups(&mut scrape, &catalog::SESSION_LOOKUPS, bank.sessions.lookups());
    add_lookups(&mut scrape, &catalog::TOKEN_LOOKUPS, bank.tokens.lookups());
    add_readiness(&mut scrape, bank).await;
    for sample in bank.ledger.samples() {
        add_engine(&mut scrape, sample);
    }
    for (kind, result, count) in bank.vault.writes() {
        scrape.number(&catalog::RECORDS_WRITES, [kind, result], count);
    }
    scrape.number(&catalog::LOG_LINES_DROPPED, [], log_lines_dropped());
    scrape.number(&catalog::MANUAL_CLOCK, [], bank.manual_clock().is_some().into());
    let open = bank.live().apps.values().filter(|app| app.login == LoginMode::Open).count();
    scrape.number(&catalog::OPEN_LOGIN_APPS, [], to_u64(open));
    add_runtime(&mut scrape);
    add_process(&mut scrape, tokio::task::spawn_blocking(process::read).await.unwrap_or_default());
    scrape.finish()
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn add_calls(scrape: &mut Scrape, metrics: &Metrics) {
    for path in CallPath::all() {
        let place = path_index(path);
        let (env, call) = (path.environment.as_str(), path.kind.name());
        let codes = std::iter::once(0).chain(ErrorCode::of_midas().map(ErrorCode::code));
        for (reply, code) in codes.enumerate() {
            let count = metrics.calls.sum(|shard| &shard.replies[place][reply]);
            scrape.number(&catalog::CALLS, [MIDAS, env, call, &code.to_string()], count);
        }
        let counts = HistogramSnapshot {
            bounds: catalog::CALL_BOUNDS,
            buckets: (0..=catalog::CALL_BOUNDS.len())
                .map(|bucket| metrics.calls.sum(|shard: &CallShard| &shard.buckets[place][bucket]))
                .collect(),
            sum: metrics.calls.sum(|shard| &shard.nanos[place]),
        };
        scrape.add(&catalog::CALL_DURATION, [MIDAS, env, call], Value::Histogram(counts));
    }
}

fn add_apps(scrape: &mut Scrape, metrics: &Metrics) {
    let names = metrics.app_names.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (number, name) in names.iter().enumerate() {
        add_app(scrape, metrics, name.as_str(), AppSlot::new(number));
    }
    if names.len() == catalog::NAMED_APPS {
        add_app(scrape, metrics, OTHER_APPS, AppSlot::OTHER);
    }
    let findings = metrics.findings.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (finding, count) in findings {
        scrape.number(&catalog::REJECTION_FINDINGS, [finding], count);
    }
}

fn add_app(scrape: &mut Scrape, metrics: &Metrics, app: &str, slot: AppSlot) {
    let calls = &metrics.calls;
    for environment in Environment::ALL {
        let env = environment.as_str();
        let previous = calls.sum(|shard| &shard.app(slot, environment).previous_key);
        scrape.number(&catalog::PREVIOUS_KEY_CALLS, [app, env], previous);
        for (outcome, name) in CallOutcome::ALL {
            let count = calls.sum(|shard| &shard.app(slot, environment).outcomes[outcome.index()]);
            scrape.number(&catalog::APP_CALLS, [app, env, name], count);
        }
        for (place, kind) in ORDER_KINDS.into_iter().enumerate() {
            let coins = calls.sum(|shard| &shard.app(slot, environment).coins[place]);
            scrape.number(&catalog::COINS, [app, env, kind], coins);
        }
        let scopes =
            [(&catalog::RATE_LIMITED, LimitScope::RATES), (&catalog::GIFT_LIMITED, LimitScope::GIFTS)];
        for (metric, (scope, name)) in
            scopes.iter().flat_map(|(metric, scopes)| scopes.map(|scope| (*metric, scope)))
        {
            let count = calls.sum(|shard| &shard.app(slot, environment).limited[scope.index()]);
            scrape.number(metric, [app, env, name], count);
        }
    }
}

fn add_requests(scrape: &mut Scrape, metrics: &Metrics) {
    for ((route, method, status), counts) in metrics.requests.snapshot() {
        let labels = [&*route, method, &*status.to_string()];
        scrape.add(&catalog::HTTP_DURATION, labels, Value::Histogram(counts));
    }
}

fn add_connections(scrape: &mut Scrape, metrics: &Metrics) {
    let connections = &metrics.connections;
    scrape.number(&catalog::CONNECTIONS, [], connections.open_count());
    scrape.number(&catalog::CONNECTIONS_LIMIT, [], connections.limit());
    for (reason, name) in CloseReason::ALL {
        scrape.number(&catalog::CONNECTIONS_CLOSED, [name], connections.closed(reason));
    }
}

fn add_lookups(scrape: &mut Scrape, metric: &'static Metric, lookups: &LookupCounters) {
    for (result, name) in LookupResult::ALL {
        scrape.number(metric, [name], lookups.get(result));
    }
}

/// Series of all states, so that an alert on one does not vanish with it.
async fn add_readiness(scrape: &mut Scrape, bank: &AppState) {
    const STATES: [&str; 7] = ["ready", "busy", "full", "unreachable", "failed", "records-failed", "closed"];
    let ready = tokio::time::timeout(READY_TIMEOUT, bank.ledger.ready()).await;
    let state = match ready.unwrap_or(Err(Unavailable::Unreachable)) {
        Ok(()) => "ready",
        Err(Unavailable::Busy) => "busy",
        Err(Unavailable::DiskFull) => "full",
        Err(Unavailable::Unreachable) => "unreachable",
        Err(Unavailable::Failed | Unavailable::Damaged) => "failed",
        Err(Unavailable::RecordsFailed) => "records-failed",
        Err(Unavailable::Closed) => "closed",
    };
    for name in STATES {
        scrape.number(&catalog::STORE_READY, [name], (name == state).into());
    }
    scrape.number(&catalog::STORE_DAMAGED, [], bank.ledger.damage().is_some().into());
}

fn add_engine(scrape: &mut Scrape, sample: EngineSample) {
    let EngineSample { metric, label, value } = sample;
    let metric = engine_metric(metric);
    if let (EngineMetric::BatchOrders, SampleValue::Histogram(batches)) = (sample.metric, &value) {
        scrape.number(&catalog::LEDGER_ORDERS, [], batches.sum);
    }
    let value = match value {
        SampleValue::Number(number) => Value::Number(number),
        SampleValue::Histogram(counts) => Value::Histogram(counts),
    };
    match label {
        Some(label) => scrape.add(metric, [label], value),
        None => scrape.add(metric, [], value),
    }
}

const fn engine_metric(metric: EngineMetric) -> &'static Metric {
    match metric {
        EngineMetric::QueueOrders => &catalog::QUEUE_ORDERS,
        EngineMetric::QueueOrdersLimit => &catalog::QUEUE_ORDERS_LIMIT,
        EngineMetric::BatchOrders => &catalog::BATCH_ORDERS,
        EngineMetric::SyncDuration => &catalog::SYNC_DURATION,
        EngineMetric::JournalBytes => &catalog::JOURNAL_BYTES,
        EngineMetric::MemtableOrders => &catalog::MEMTABLE_ORDERS,
        EngineMetric::IndexRuns => &catalog::INDEX_RUNS,
        EngineMetric::FlushDuration => &catalog::FLUSH_DURATION,
        EngineMetric::Merges => &catalog::MERGES,
        EngineMetric::DiskFree => &catalog::DISK_FREE,
        EngineMetric::DiskReserve => &catalog::DISK_RESERVE,
        EngineMetric::DatabaseBatches => &catalog::POSTGRES_BATCHES,
        EngineMetric::DatabaseConnections => &catalog::POSTGRES_CONNECTIONS,
        EngineMetric::DatabaseConnectionsLimit => &catalog::POSTGRES_CONNECTIONS_LIMIT,
    }
}

fn add_runtime(scrape: &mut Scrape) {
    let runtime = tokio::runtime::Handle::current().metrics();
    scrape.number(&catalog::RUNTIME_WORKERS, [], to_u64(runtime.num_workers()));
    scrape.number(&catalog::RUNTIME_TASKS, [], to_u64(runtime.num_alive_tasks()));
    scrape.number(&catalog::RUNTIME_QUEUE, [], to_u64(runtime.global_queue_depth()));
}

fn add_process(scrape: &mut Scrape, stats: ProcessStats) {
    let facts = [
        (&catalog::PROCESS_CPU, stats.cpu_nanos.map(Value::Nanos)),
        (&catalog::PROCESS_MEMORY, stats.resident_bytes.map(Value::Number)),
        (&catalog::PROCESS_FDS, stats.open_fds.map(Value::Number)),
        (&catalog::PROCESS_FDS_MAX, stats.max_fds.map(Value::Number)),
        (&catalog::PROCESS_START, stats.start_nanos.map(Value::Nanos)),
    ];
    for (metric, value) in facts {
        if let Some(value) = value {
            scrape.add(metric, [], value);
        }
    }
}

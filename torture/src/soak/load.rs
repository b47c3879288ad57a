//! Open-loop load: calls become due at a fixed rate, independent of earlier calls, and each is retried until
//! answered.
//!
//! The due times are fixed in advance, and latency counts from them. So a stalled bank is charged with every call
//! that came due meanwhile. Each worker has one connection, which it reopens from time to time, and one call in
//! flight. It retries an unanswered call with the same bill number.
//! Read next: `worker.rs`, one turn of a worker.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pactolus_protocol::AccessToken;
use pactolus_reports::latency::{LatencySamples, STALL};
use tokio::sync::{Semaphore, watch};

use super::calls::{GameClient, OpKind};
use super::connection::CallFailure;
use super::reconcile::Plan;
use super::verdict::CallTiming;
use super::worker::{Worker, WorkerResult};

/// Minimum sleep of the pacer, so that it does not wake for each call. The delay counts as latency.
const PACER_INTERVAL_MIN: Duration = Duration::from_micros(250);

/// Unexpected answers kept for the report.
const UNEXPECTED_SHOWN_MAX: usize = 10;

/// State that all workers share.
pub(super) struct LoadState {
    pub(super) plan: Plan,
    pub(super) game: GameClient,
    /// The game's current access token.
    token: RwLock<AccessToken>,
    stats: Mutex<LoadStats>,
    started: Instant,
    rate: f64,
    calls_max: u64,
    /// One permit for each due call that no worker has taken.
    due_permits: Semaphore,
    next_call: AtomicU64,
}

/// Counts since the last [`LoadState::take_stats`].
#[derive(Default)]
pub(super) struct LoadStats {
    pub(super) waits: LatencySamples,
    /// Slow calls. The verdict later excuses those around a kill.
    pub(super) slow_calls: Vec<CallTiming>,
    pub(super) calls: [u64; OpKind::ALL.len()],
    pub(super) failure_counts: [u64; CallFailure::ALL.len()],
    /// Failed attempts: when, and why.
    pub(super) failures: Vec<(u64, CallFailure)>,
    pub(super) unexpected: u64,
    /// The first of them, in words.
    pub(super) unexpected_shown: Vec<String>,
}

impl LoadState {
    /// Waits until the next turn is due; `None` after the last.
    pub(super) async fn next_turn(&self) -> Option<(u64, Instant)> {
        self.due_permits.acquire().await.expect("the semaphore is never closed").forget();
        let index = self.next_call.fetch_add(1, Ordering::Relaxed);
        (index < self.calls_max).then(|| (index, self.started + self.due_at(index)))
    }

    pub(super) fn token(&self) -> AccessToken {
        self.token.read().expect("nothing panics while it sets a token").clone()
    }

    pub(super) fn set_token(&self, token: AccessToken) {
        *self.token.write().expect("nothing panics while it sets a token") = token;
    }

    pub(super) fn record_answer(&self, kind: OpKind, due: Instant) {
        let wait = due.elapsed();
        let due_ms = self.millis(due);
        let call = CallTiming { due_ms, answered_ms: due_ms + millis(wait) };
        let mut stats = self.stats();
        stats.calls[kind as usize] += 1;
        stats.waits.push(wait);
        if wait > STALL {
            stats.slow_calls.push(call);
        }
    }

    pub(super) fn record_failure(&self, failure: CallFailure) {
        let at = self.millis(Instant::now());
        let mut stats = self.stats();
        stats.failure_counts[failure as usize] += 1;
        stats.failures.push((at, failure));
    }

    pub(super) fn record_unexpected(&self, kind: OpKind, words: &str) {
        let mut stats = self.stats();
        stats.unexpected += 1;
        if stats.unexpected_shown.len() < UNEXPECTED_SHOWN_MAX {
            stats.unexpected_shown.push(format!("{}: {words}", kind.name()));
        }
    }

    /// Takes the counts since the last call.
    pub(super) fn take_stats(&self) -> LoadStats {
        std::mem::take(&mut *self.stats())
    }

    fn stats(&self) -> MutexGuard<'_, LoadStats> {
        self.stats.lock().expect("nothing panics while it counts")
    }

    /// Milliseconds since the start.
    pub(super) fn millis(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.started))
    }

    fn due_at(&self, index: u64) -> Duration {
        Duration::from_secs_f64(pactolus_reports::table::to_f64(index) / self.rate)
    }

    /// Releases permits as calls become due, and at the end one more for each worker, which ends it.
    fn run_pacer(&self) {
        let mut given = 0;
        while given < self.calls_max {
            let passed = self.started.elapsed();
            let mut due = 0;
            while given + due < self.calls_max && self.due_at(given + due) <= passed {
                due += 1;
            }
            self.due_permits.add_permits(usize::try_from(due).expect("a count of calls fits"));
            given += due;
            std::thread::sleep(
                self.due_at(given).saturating_sub(self.started.elapsed()).max(PACER_INTERVAL_MIN),
            );
        }
        self.due_permits.add_permits(usize::try_from(self.plan.workers).expect("a count of workers fits"));
    }
}

/// A running load.
pub(super) struct Load {
    pub(super) state: Arc<LoadState>,
    /// Address of the bank; `None` while it is down.
    address: watch::Sender<Option<SocketAddr>>,
    workers: JoinHandle<anyhow::Result<Vec<WorkerResult>>>,
}

impl Load {
    /// Starts to call the bank at `address`, with `rate` calls a second.
    pub(super) fn start(
        plan: Plan,
        game: GameClient,
        address: SocketAddr,
        rate: f64,
        lasting: Duration,
    ) -> anyhow::Result<Self> {
        let (sender, receiver) = watch::channel(Some(address));
        let (runtime, token) = std::thread::scope(|scope| {
            let first = || {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                let token = runtime.block_on(super::worker::fetch_token(&game, address))?;
                anyhow::Ok((runtime, token))
            };
            scope.spawn(first).join().map_err(|_| anyhow::anyhow!("the load panicked"))?
        })?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count far below 2^53")]
        let count = (lasting.as_secs_f64() * rate) as u64;
        let shared = Arc::new(LoadState {
            plan,
            game,
            token: RwLock::new(token),
            stats: Mutex::default(),
            started: Instant::now(),
            rate,
            calls_max: count,
            due_permits: Semaphore::new(0),
            next_call: AtomicU64::new(0),
        });
        let pacer = Arc::clone(&shared);
        std::thread::spawn(move || pacer.run_pacer());
        let worker_state = Arc::clone(&shared);
        let workers = std::thread::spawn(move || {
            runtime.block_on(async {
                let lanes = usize::try_from(worker_state.plan.workers)?;
                let run = |worker| {
                    tokio::spawn(Worker::new(worker, Arc::clone(&worker_state), receiver.clone()).run())
                };
                let tasks: Vec<_> = (0..lanes).map(run).collect();
                let mut ended = Vec::new();
                for task in tasks {
                    ended.push(task.await.context("a worker panicked")??);
                }
                Ok(ended)
            })
        });
        Ok(Self { state: shared, address: sender, workers })
    }

    /// Publishes the bank's address to the workers, or that it is down.
    pub(super) fn set_bank_address(&self, address: Option<SocketAddr>) {
        // An error means that every worker has ended.
        let _ = self.address.send(address);
    }

    /// Waits until every call is answered.
    pub(super) fn wait(self) -> anyhow::Result<(Arc<LoadState>, Vec<WorkerResult>)> {
        let ended = self.workers.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        Ok((self.state, ended))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! The load: calls at a fixed rate, whatever becomes of those before, and each repeated until it is answered.
//!
//! When a call is due is fixed beforehand, and its wait counts from then: a bank that stands still is charged with every
//! call that should have come meanwhile. Each lane has one connection, which it closes and opens anew now and then, and
//! sends one call at a time. Where there was no answer, it asks the same again, under the same bill number.
//! Read next: `lane.rs`, what a lane does with a turn.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pactolus_protocol::AccessToken;
use pactolus_reports::latency::{LatencySamples, STALL};
use tokio::sync::{Semaphore, watch};

use super::calls::{Game, Kind};
use super::connection::Trouble;
use super::reconcile::Plan;
use super::verdict::Call;
use super::worker::{Ended, Lane};

/// The longest that a due call is kept back, so that the pacer does not wake for each. It is counted as waiting.
const PACE: Duration = Duration::from_micros(250);

/// How many answers that nobody expected are kept to be shown.
const UNEXPECTED_SHOWN: usize = 10;

/// What all lanes share.
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) game: Game,
    /// What the game shows now.
    token: RwLock<AccessToken>,
    seen: Mutex<Seen>,
    begun: Instant,
    rate: f64,
    count: u64,
    /// As many permits as calls are due that no lane has taken.
    due: Semaphore,
    next: AtomicU64,
}

/// What lanes have seen since somebody last looked.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) waits: LatencySamples,
    /// Those that took long: whether it was for a kill, is said at the end.
    pub(super) slow: Vec<Call>,
    pub(super) calls: [u64; Kind::ALL.len()],
    pub(super) troubles: [u64; Trouble::ALL.len()],
    /// Troubles while the bank was served all the time: when, and which.
    pub(super) troubled: Vec<(u64, Trouble)>,
    pub(super) unexpected: u64,
    /// The first of them, in words.
    pub(super) unexpected_shown: Vec<String>,
}

impl Shared {
    /// The next turn, when it is due; nothing when there are no more.
    pub(super) async fn turn(&self) -> Option<(u64, Instant)> {
        self.due.acquire().await.expect("nobody closes it").forget();
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        (index < self.count).then(|| (index, self.begun + self.due_at(index)))
    }

    pub(super) fn token(&self) -> AccessToken {
        self.token.read().expect("nothing panics while it sets a token").clone()
    }

    pub(super) fn set_token(&self, token: AccessToken) {
        *self.token.write().expect("nothing panics while it sets a token") = token;
    }

    pub(super) fn answered(&self, kind: Kind, due: Instant) {
        let wait = due.elapsed();
        let due_ms = self.millis(due);
        let call = Call { due_ms, answered_ms: due_ms + millis(wait) };
        let mut seen = self.seen();
        seen.calls[kind as usize] += 1;
        seen.waits.push(wait);
        if wait > STALL {
            seen.slow.push(call);
        }
    }

    pub(super) fn troubled(&self, trouble: Trouble) {
        let at = self.millis(Instant::now());
        let mut seen = self.seen();
        seen.troubles[trouble as usize] += 1;
        seen.troubled.push((at, trouble));
    }

    pub(super) fn unexpected(&self, kind: Kind, words: &str) {
        let mut seen = self.seen();
        seen.unexpected += 1;
        if seen.unexpected_shown.len() < UNEXPECTED_SHOWN {
            seen.unexpected_shown.push(format!("{}: {words}", kind.name()));
        }
    }

    /// What was seen since this was last asked.
    pub(super) fn take_seen(&self) -> Seen {
        std::mem::take(&mut *self.seen())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nothing panics while it counts")
    }

    /// Milliseconds from the beginning.
    pub(super) fn millis(&self, at: Instant) -> u64 {
        millis(at.saturating_duration_since(self.begun))
    }

    fn due_at(&self, index: u64) -> Duration {
        Duration::from_secs_f64(pactolus_reports::table::to_f64(index) / self.rate)
    }

    /// Gives out turns as they become due, and at the end one more to each lane, by which it learns of the end.
    fn pace(&self) {
        let mut given = 0;
        while given < self.count {
            let passed = self.begun.elapsed();
            let mut due = 0;
            while given + due < self.count && self.due_at(given + due) <= passed {
                due += 1;
            }
            self.due.add_permits(usize::try_from(due).expect("not more are due than memory has room for"));
            given += due;
            std::thread::sleep(self.due_at(given).saturating_sub(self.begun.elapsed()).max(PACE));
        }
        self.due.add_permits(usize::try_from(self.plan.lanes).expect("lanes are in memory"));
    }
}

/// A load that goes on.
pub(super) struct Load {
    pub(super) shared: Arc<Shared>,
    /// Where the bank is; nothing while it is down.
    address: watch::Sender<Option<SocketAddr>>,
    lanes: JoinHandle<anyhow::Result<Vec<Ended>>>,
}

impl Load {
    /// Begins to call the bank at `address`, so many times a second, for so long.
    pub(super) fn begin(
        plan: Plan,
        game: Game,
        address: SocketAddr,
        rate: f64,
        lasting: Duration,
    ) -> anyhow::Result<Self> {
        let (sender, receiver) = watch::channel(Some(address));
        let (runtime, token) = std::thread::scope(|scope| {
            let first = || {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
                let token = runtime.block_on(super::worker::first_token(&game, address))?;
                anyhow::Ok((runtime, token))
            };
            scope.spawn(first).join().map_err(|_| anyhow::anyhow!("the load panicked"))?
        })?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count far below 2^53")]
        let count = (lasting.as_secs_f64() * rate) as u64;
        let shared = Arc::new(Shared {
            plan,
            game,
            token: RwLock::new(token),
            seen: Mutex::default(),
            begun: Instant::now(),
            rate,
            count,
            due: Semaphore::new(0),
            next: AtomicU64::new(0),
        });
        let pacer = Arc::clone(&shared);
        std::thread::spawn(move || pacer.pace());
        let of_lanes = Arc::clone(&shared);
        let lanes = std::thread::spawn(move || {
            runtime.block_on(async {
                let lanes = usize::try_from(of_lanes.plan.lanes)?;
                let run = |lane| tokio::spawn(Lane::new(lane, Arc::clone(&of_lanes), receiver.clone()).run());
                let tasks: Vec<_> = (0..lanes).map(run).collect();
                let mut ended = Vec::new();
                for task in tasks {
                    ended.push(task.await.context("a lane panicked")??);
                }
                Ok(ended)
            })
        });
        Ok(Self { shared, address: sender, lanes })
    }

    /// Tells the lanes where the bank is now, or that it is down.
    pub(super) fn bank_is_at(&self, address: Option<SocketAddr>) {
        // Lanes that all ended need no address.
        let _ = self.address.send(address);
    }

    /// Waits until every call is answered.
    pub(super) fn end(self) -> anyhow::Result<(Arc<Shared>, Vec<Ended>)> {
        let ended = self.lanes.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        Ok((self.shared, ended))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

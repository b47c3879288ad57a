//! State of one connection: new, idle, busy or evicted, and whether it has authenticated.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

pub(crate) struct ConnectionState {
    /// Origin of the times in `state`.
    epoch: Instant,
    /// When it became idle, in milliseconds since `epoch`; or [`NEW`], [`BUSY`] or [`EVICTED`].
    state: AtomicU64,
    /// Whether a signed call was answered on it.
    pub(super) authenticated: AtomicBool,
    /// Whether the last reply was flushed and nothing was read or written since.
    reply_flushed: AtomicBool,
    pub(super) task: OnceLock<AbortHandle>,
}

/// A request is in flight.
const BUSY: u64 = u64::MAX;
/// The limiter evicted it. It begins no more requests.
const EVICTED: u64 = u64::MAX - 1;
/// Its task has not run yet. Its socket may already hold a whole request.
const NEW: u64 = u64::MAX - 2;

/// Kind of a request, for the eviction order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// A signed call, answered without an error.
    SignedCall,
    /// A rejected call, or a request that needs no signature.
    Other,
}

impl ConnectionState {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            state: AtomicU64::new(NEW),
            authenticated: AtomicBool::new(false),
            reply_flushed: AtomicBool::new(false),
            task: OnceLock::new(),
        }
    }

    /// Begins a request. Fails once the connection is evicted.
    pub(crate) fn mark_busy(&self) -> Result<(), Evicted> {
        let begun = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != EVICTED).then_some(BUSY));
        begun.map(|_| ()).map_err(|_| Evicted)
    }

    /// Ends a request: the connection is idle until the next.
    pub(crate) fn mark_idle(&self, kind: RequestKind) {
        if kind == RequestKind::SignedCall && !self.authenticated.load(Ordering::Relaxed) {
            self.authenticated.store(true, Ordering::Relaxed);
        }
        self.set_idle();
    }

    /// Called only while it is new or busy, when no other thread changes its state.
    pub(super) fn set_idle(&self) {
        self.state.store(millis_since(self.epoch), Ordering::Release);
    }

    /// A part of a request was read, or a part of a reply written.
    pub(crate) fn note_traffic(&self) {
        self.reply_flushed.store(false, Ordering::Relaxed);
    }

    /// A whole reply was sent.
    pub(crate) fn note_flushed(&self) {
        self.reply_flushed.store(true, Ordering::Relaxed);
    }

    /// Whether it has been idle for `min_idle`, its last reply was flushed, and nothing was read since.
    ///
    /// Only the task that records both may call it.
    pub(crate) fn is_quiescent(&self, min_idle: Duration) -> bool {
        let now = millis_since(self.epoch);
        let is_idle = self
            .idle_since()
            .is_some_and(|since| u128::from(now.saturating_sub(since)) >= min_idle.as_millis());
        is_idle && self.reply_flushed.load(Ordering::Relaxed)
    }

    pub(super) fn idle_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        (state < NEW).then_some(state)
    }

    pub(super) fn is_new(&self) -> bool {
        self.state.load(Ordering::Acquire) == NEW
    }

    pub(super) fn is_evicted(&self) -> bool {
        self.state.load(Ordering::Acquire) == EVICTED
    }

    /// Evicts the connection if it has been idle since `since`. Fails if a request has come in meanwhile.
    pub(super) fn try_evict(&self, since: u64) -> bool {
        // The connection is a moment old: its task handle is not set yet.
        let Some(task) = self.task.get() else { return false };
        let evicted =
            self.state.compare_exchange(since, EVICTED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if evicted {
            task.abort();
        }
        evicted
    }
}

/// The connection was evicted before the request began.
#[derive(Debug, thiserror::Error)]
#[error("the connection was evicted for a new one")]
pub(crate) struct Evicted;

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).map_or(NEW - 1, |millis| millis.min(NEW - 1))
}

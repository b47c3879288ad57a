//! What one connection is doing, and what came of its last request.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What a connection is doing.
pub(crate) struct ConnectionState {
    /// When the time of connections begins.
    epoch: Instant,
    /// Since when it rests, in milliseconds since connections began to be counted; or [`NEW`], [`BUSY`] or [`EVICTED`].
    state: AtomicU64,
    /// Whether a signed call was answered on it.
    pub(super) authenticated: AtomicBool,
    /// Whether nothing was read or written since the last reply had been sent whole.
    reply_flushed: AtomicBool,
    pub(super) task: OnceLock<AbortHandle>,
}

/// A request of it is being worked on.
const BUSY: u64 = u64::MAX;
/// It was told to go, and begins no request any more.
const EVICTED: u64 = u64::MAX - 1;
/// Its task has not run yet, so nobody has looked at what has come on it, which may be a whole request.
const NEW: u64 = u64::MAX - 2;

/// What came of a request, for the standing of its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// It was a signed call and was answered.
    SignedCall,
    /// It was refused, or anybody could have made it.
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

    /// Begins a request, unless the connection was told to go.
    pub(crate) fn mark_busy(&self) -> Result<(), Evicted> {
        let begun = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != EVICTED).then_some(BUSY));
        begun.map(|_| ()).map_err(|_| Evicted)
    }

    /// Its request has been answered; it rests until the next.
    pub(crate) fn mark_idle(&self, kind: RequestKind) {
        if kind == RequestKind::SignedCall && !self.authenticated.load(Ordering::Relaxed) {
            self.authenticated.store(true, Ordering::Relaxed);
        }
        self.set_idle();
    }

    /// It was new or busy until now; meanwhile nobody else changes its state.
    pub(super) fn set_idle(&self) {
        self.state.store(millis_since(self.epoch), Ordering::Release);
    }

    /// Something of a request was read, or something of a reply written.
    pub(crate) fn note_traffic(&self) {
        self.reply_flushed.store(false, Ordering::Relaxed);
    }

    /// A reply was sent whole.
    pub(crate) fn note_flushed(&self) {
        self.reply_flushed.store(true, Ordering::Relaxed);
    }

    /// Whether it has rested for so long, its last reply was sent whole, and nothing has come since.
    ///
    /// It is asked by the task that notes both.
    pub(crate) fn is_quiescent(&self, min_idle: Duration) -> bool {
        let now = millis_since(self.epoch);
        let rests = self
            .idle_since()
            .is_some_and(|since| u128::from(now.saturating_sub(since)) >= min_idle.as_millis());
        rests && self.reply_flushed.load(Ordering::Relaxed)
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

    /// Tells the connection to go, if it has rested since then; not if a request has come in meanwhile.
    pub(super) fn try_evict(&self, since: u64) -> bool {
        // It is a moment old, and its task is not known yet.
        let Some(task) = self.task.get() else { return false };
        let closed = self.state.compare_exchange(since, EVICTED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if closed {
            task.abort();
        }
        closed
    }
}

/// The connection was told to go; nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed to make room for another")]
pub(crate) struct Evicted;

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).map_or(NEW - 1, |millis| millis.min(NEW - 1))
}

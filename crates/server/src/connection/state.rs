//! What one connection is doing, and what came of its last request.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What a connection is doing.
pub(crate) struct Standing {
    /// When the time of connections begins.
    begun: Instant,
    /// Since when it rests, in milliseconds since connections began to be counted; or [`NEW`], [`BUSY`] or [`CLOSED`].
    state: AtomicU64,
    /// Whether a signed call was answered on it.
    pub(super) has_proven_itself: AtomicBool,
    /// Whether nothing was read or written since the last reply had been sent whole.
    is_sent: AtomicBool,
    pub(super) task: OnceLock<AbortHandle>,
}

/// A request of it is being worked on.
const BUSY: u64 = u64::MAX;
/// It was told to go, and begins no request any more.
const CLOSED: u64 = u64::MAX - 1;
/// Its task has not run yet, so nobody has looked at what has come on it, which may be a whole request.
const NEW: u64 = u64::MAX - 2;

/// What came of a request, for the standing of its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// It was a signed call and was answered.
    SignedCall,
    /// It was refused, or anybody could have made it.
    Other,
}

impl Standing {
    pub(crate) fn of_a_new_one(begun: Instant) -> Self {
        Self {
            begun,
            state: AtomicU64::new(NEW),
            has_proven_itself: AtomicBool::new(false),
            is_sent: AtomicBool::new(false),
            task: OnceLock::new(),
        }
    }

    /// Begins a request, unless the connection was told to go.
    pub(crate) fn begin(&self) -> Result<(), ToldToGo> {
        let begun = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != CLOSED).then_some(BUSY));
        begun.map(|_| ()).map_err(|_| ToldToGo)
    }

    /// Its request has been answered; it rests until the next.
    pub(crate) fn rest(&self, came: Came) {
        if came == Came::SignedCall && !self.has_proven_itself.load(Ordering::Relaxed) {
            self.has_proven_itself.store(true, Ordering::Relaxed);
        }
        self.begin_to_rest();
    }

    /// It was new or busy until now; meanwhile nobody else changes its state.
    pub(super) fn begin_to_rest(&self) {
        self.state.store(millis_since(self.begun), Ordering::Release);
    }

    /// Something of a request was read, or something of a reply written.
    pub(crate) fn note_traffic(&self) {
        self.is_sent.store(false, Ordering::Relaxed);
    }

    /// A reply was sent whole.
    pub(crate) fn note_sent(&self) {
        self.is_sent.store(true, Ordering::Relaxed);
    }

    /// Whether it has rested for so long, its last reply was sent whole, and nothing has come since.
    ///
    /// It is asked by the task that notes both.
    pub(crate) fn is_quiet(&self, for_so_long: Duration) -> bool {
        let now = millis_since(self.begun);
        let rests = self
            .resting_since()
            .is_some_and(|since| u128::from(now.saturating_sub(since)) >= for_so_long.as_millis());
        rests && self.is_sent.load(Ordering::Relaxed)
    }

    pub(super) fn resting_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        (state < NEW).then_some(state)
    }

    pub(super) fn is_new(&self) -> bool {
        self.state.load(Ordering::Acquire) == NEW
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// Tells the connection to go, if it has rested since then; not if a request has come in meanwhile.
    pub(super) fn close(&self, since: u64) -> bool {
        // It is a moment old, and its task is not known yet.
        let Some(task) = self.task.get() else { return false };
        let closed = self.state.compare_exchange(since, CLOSED, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if closed {
            task.abort();
        }
        closed
    }
}

/// The connection was told to go; nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed to make room for another")]
pub(crate) struct ToldToGo;

fn millis_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).map_or(NEW - 1, |millis| millis.min(NEW - 1))
}

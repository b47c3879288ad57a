//! Counters of look-ups in the caches of tokens and sessions.

use std::sync::atomic::{AtomicU64, Ordering};

use super::MetricsMode;
use super::shard::PerWorker;

/// Result of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupResult {
    Cached,
    /// From the store.
    Read,
    /// The store has none.
    NotFound,
}

impl LookupResult {
    pub(crate) const ALL: [(Self, &'static str); 3] =
        [(Self::Cached, "cached"), (Self::Read, "read"), (Self::NotFound, "none")];

    const fn index(self) -> usize {
        match self {
            Self::Cached => 0,
            Self::Read => 1,
            Self::NotFound => 2,
        }
    }
}

/// Look-ups by their result. `None` counts nothing.
pub(crate) struct LookupCounters(Option<PerWorker<[AtomicU64; 3]>>);

impl LookupCounters {
    pub(crate) fn new(mode: MetricsMode) -> Self {
        Self((mode == MetricsMode::On).then(|| PerWorker::new(|| std::array::from_fn(|_| AtomicU64::new(0)))))
    }

    pub(crate) fn count(&self, result: LookupResult) {
        if let Some(counts) = &self.0 {
            counts.local()[result.index()].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, result: LookupResult) -> u64 {
        self.0.as_ref().map_or(0, |counts| counts.sum(|shard| &shard[result.index()]))
    }
}

//! Counters of connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pactolus_ledger::metrics::Counter;

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseReason {
    /// The client closed it, or asked for one request only.
    Client,
    /// No request came within the idle timeout.
    IdleTimeout,
    /// It broke, or a timeout of a header or a reply ended it.
    Error,
    /// The limiter evicted it for a new one.
    Evicted,
    /// Its address was at its limit: it never got a permit.
    AddressLimit,
    /// The bank stopped.
    Shutdown,
}

impl CloseReason {
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Client, "client"),
        (Self::IdleTimeout, "idle_timeout"),
        (Self::Error, "error"),
        (Self::Evicted, "evicted"),
        (Self::AddressLimit, "address_limit"),
        (Self::Shutdown, "shutdown"),
    ];

    const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::IdleTimeout => 1,
            Self::Error => 2,
            Self::Evicted => 3,
            Self::AddressLimit => 4,
            Self::Shutdown => 5,
        }
    }
}

/// Open and closed connections of all listeners. Clones count the same connections.
#[derive(Clone, Default)]
pub(crate) struct ConnectionCounters(Arc<Counts>);

#[derive(Default)]
struct Counts {
    open: AtomicU64,
    limit: AtomicU64,
    closed: [Counter; CloseReason::ALL.len()],
}

impl ConnectionCounters {
    /// Adds the cap of a listener.
    pub(crate) fn add_limit(&self, connections: usize) {
        self.0.limit.fetch_add(u64::try_from(connections).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts a connection as open until the guard is dropped.
    pub(crate) fn open(&self) -> OpenConnection {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection { counts: Arc::clone(&self.0), reason: CloseReason::Evicted }
    }

    /// Counts a connection that was closed before it was served.
    pub(crate) fn count_closed(&self, reason: CloseReason) {
        self.0.closed[reason.index()].increment();
    }

    pub(crate) fn open_count(&self) -> u64 {
        self.0.open.load(Ordering::Relaxed)
    }

    pub(crate) fn limit(&self) -> u64 {
        self.0.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn closed(&self, reason: CloseReason) -> u64 {
        self.0.closed[reason.index()].get()
    }
}

/// An open connection. A task that is aborted drops it without a reason, and only an eviction aborts one.
pub(crate) struct OpenConnection {
    counts: Arc<Counts>,
    reason: CloseReason,
}

impl OpenConnection {
    /// Counts the connection as closed for this reason.
    pub(crate) fn close(mut self, reason: CloseReason) {
        self.reason = reason;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.counts.open.fetch_sub(1, Ordering::Relaxed);
        self.counts.closed[self.reason.index()].increment();
    }
}

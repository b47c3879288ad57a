//! Metrics of a node: what its writers count, and the samples of a scrape. None asks the database.

use std::time::Duration;

use pactolus_ledger::metrics::{BATCH_BOUNDS, Counter, EngineMetric, EngineSample, Histogram, SYNC_BOUNDS};

use crate::error::ErrorAction;

/// Counts of all writers of a node.
#[derive(Debug)]
pub(crate) struct NodeMetrics {
    batch_orders: Histogram,
    transaction_duration: Histogram,
    committed: Counter,
    retried: Counter,
    lost: Counter,
    refused: Counter,
}

/// Result of one attempt at a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchResult {
    /// A conflict: the batch is attempted again.
    Retried,
    /// The connection broke: the outcome is unknown.
    Lost,
    /// The database gave another error.
    Refused,
}

impl BatchResult {
    /// The result of an attempt that failed; `may_retry` is false for the last one.
    pub(crate) const fn of(action: ErrorAction, may_retry: bool) -> Self {
        match action {
            ErrorAction::Reconnect => Self::Lost,
            ErrorAction::Retry if may_retry => Self::Retried,
            ErrorAction::Retry | ErrorAction::GiveUp | ErrorAction::Reject | ErrorAction::Discard => {
                Self::Refused
            }
        }
    }
}

/// State of the writers at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolState {
    /// Queued orders, and the capacity for them.
    pub(crate) queued: usize,
    pub(crate) queue_max: usize,
    /// Writers with a connection, and all of them.
    pub(crate) connections: usize,
    pub(crate) connections_max: usize,
}

impl NodeMetrics {
    pub(crate) fn new() -> Self {
        Self {
            batch_orders: Histogram::new(BATCH_BOUNDS),
            transaction_duration: Histogram::new(SYNC_BOUNDS),
            committed: Counter::default(),
            retried: Counter::default(),
            lost: Counter::default(),
            refused: Counter::default(),
        }
    }

    /// Counts a committed batch. `orders` includes the refused ones, which change nothing.
    pub(crate) fn count_commit(&self, orders: usize, duration: Duration) {
        self.committed.increment();
        self.batch_orders.observe(u64::try_from(orders).unwrap_or(u64::MAX));
        self.transaction_duration.observe_duration(duration);
    }

    pub(crate) fn count_failure(&self, result: BatchResult) {
        let counter = match result {
            BatchResult::Retried => &self.retried,
            BatchResult::Lost => &self.lost,
            BatchResult::Refused => &self.refused,
        };
        counter.increment();
    }

    /// The samples of a node whose writers are in this state.
    pub(crate) fn samples(&self, pool: PoolState) -> Vec<EngineSample> {
        use EngineMetric as Metric;
        let PoolState { queued, queue_max, connections, connections_max } = pool;
        let number =
            |metric, count: usize| EngineSample::number(metric, u64::try_from(count).unwrap_or(u64::MAX));
        vec![
            number(Metric::QueueOrders, queued),
            number(Metric::QueueOrdersLimit, queue_max),
            EngineSample::histogram(Metric::BatchOrders, &self.batch_orders),
            EngineSample::histogram(Metric::SyncDuration, &self.transaction_duration),
            EngineSample::labelled(Metric::DatabaseBatches, "committed", self.committed.get()),
            EngineSample::labelled(Metric::DatabaseBatches, "retried", self.retried.get()),
            EngineSample::labelled(Metric::DatabaseBatches, "lost", self.lost.get()),
            EngineSample::labelled(Metric::DatabaseBatches, "refused", self.refused.get()),
            number(Metric::DatabaseConnections, connections),
            number(Metric::DatabaseConnectionsLimit, connections_max),
        ]
    }
}

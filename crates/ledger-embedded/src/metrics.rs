//! Metrics of a store: what its threads count. Read next: `samples.rs`, what a scrape reads.

use std::time::Duration;

use pactolus_ledger::metrics::{
    BATCH_BOUNDS, Counter, EngineMetric, EngineSample, FLUSH_BOUNDS, Histogram, SYNC_BOUNDS,
};

/// Counts of the writer, the flusher and the merger.
#[derive(Debug)]
pub(crate) struct StoreMetrics {
    batch_orders: Histogram,
    sync_duration: Histogram,
    flush_duration: Histogram,
    merges_done: Counter,
    merges_deferred: Counter,
    merges_failed: Counter,
}

/// Result of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MergeResult {
    Done,
    /// The disk had no space for it.
    Deferred,
    Failed,
}

impl StoreMetrics {
    pub(crate) fn new() -> Self {
        Self {
            batch_orders: Histogram::new(BATCH_BOUNDS),
            sync_duration: Histogram::new(SYNC_BOUNDS),
            flush_duration: Histogram::new(FLUSH_BOUNDS),
            merges_done: Counter::default(),
            merges_deferred: Counter::default(),
            merges_failed: Counter::default(),
        }
    }

    /// Counts a batch that became durable.
    pub(crate) fn count_batch(&self, orders: usize, duration: Duration) {
        self.batch_orders.observe(orders as u64);
        self.sync_duration.observe_duration(duration);
    }

    pub(crate) fn count_flush(&self, duration: Duration) {
        self.flush_duration.observe_duration(duration);
    }

    pub(crate) fn count_merge(&self, result: MergeResult) {
        let counter = match result {
            MergeResult::Done => &self.merges_done,
            MergeResult::Deferred => &self.merges_deferred,
            MergeResult::Failed => &self.merges_failed,
        };
        counter.increment();
    }

    /// What the threads have counted.
    pub(crate) fn samples(&self) -> Vec<EngineSample> {
        vec![
            EngineSample::histogram(EngineMetric::BatchOrders, &self.batch_orders),
            EngineSample::histogram(EngineMetric::SyncDuration, &self.sync_duration),
            EngineSample::histogram(EngineMetric::FlushDuration, &self.flush_duration),
            EngineSample::labelled(EngineMetric::Merges, "done", self.merges_done.get()),
            EngineSample::labelled(EngineMetric::Merges, "deferred", self.merges_deferred.get()),
            EngineSample::labelled(EngineMetric::Merges, "failed", self.merges_failed.get()),
        ]
    }
}

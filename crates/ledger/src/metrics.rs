//! Metrics of an engine: counters and histograms that it fills, and the samples that monitoring reads.
//!
//! Both are plain atomics without a lock, so that a thread that writes orders never waits for a scrape. Names and
//! units are not here: the server's list of metrics names each [`EngineMetric`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `count`. At the maximum it wraps around, which monitoring takes for a restart.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of values in buckets, and their sum. Durations are in nanoseconds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for the values above the last.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram with these upper bounds, in ascending order; a value on a bound is in its bucket.
    pub fn new(bounds: &'static [u64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0) }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let index = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(index) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Counts a duration, in nanoseconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The counts so far. Values that are counted meanwhile may be in the buckets and not yet in the sum.
    pub fn snapshot(&self) -> HistogramSnapshot {
        let buckets = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        HistogramSnapshot { bounds: self.bounds, buckets, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// Counts of a [`Histogram`] at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramSnapshot {
    /// Upper bounds of all buckets but the last.
    pub bounds: &'static [u64],
    /// Values in each bucket alone, not cumulated.
    pub buckets: Vec<u64>,
    /// Sum of all values.
    pub sum: u64,
}

impl HistogramSnapshot {
    /// Number of values.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, bucket| sum.saturating_add(*bucket))
    }

    /// Adds the counts of a histogram with the same bounds.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket = bucket.saturating_add(*more);
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// Bounds of batch sizes, in orders.
pub const BATCH_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/// Bounds of the time until a batch is durable, in nanoseconds: 50 µs to 1 s.
pub const SYNC_BOUNDS: &[u64] = &[
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
];

/// Bounds of a flush, in nanoseconds: 10 ms to 5 min.
pub const FLUSH_BOUNDS: &[u64] = &[
    10_000_000,
    50_000_000,
    250_000_000,
    1_000_000_000,
    5_000_000_000,
    15_000_000_000,
    60_000_000_000,
    300_000_000_000,
];

/// What an engine can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineMetric {
    /// Orders that wait to be decided.
    QueueOrders,
    /// Capacity of that queue, in orders.
    QueueOrdersLimit,
    /// Orders of each batch that became durable.
    BatchOrders,
    /// Time until a batch was durable: write and sync, or the transaction of a database.
    SyncDuration,
    /// Bytes of the journal.
    JournalBytes,
    /// Orders of the memtable that no flush has taken yet.
    MemtableOrders,
    /// Runs of an index; the label names it.
    IndexRuns,
    /// Time of a flush.
    FlushDuration,
    /// Merges by their result, which the label names.
    Merges,
    /// Free bytes of the store's disk.
    DiskFree,
    /// Bytes below which the disk counts as full.
    DiskReserve,
    /// Transactions of orders by their result, which the label names.
    DatabaseBatches,
    /// Open connections to the database that post orders.
    DatabaseConnections,
    /// Number of those connections when all are open.
    DatabaseConnectionsLimit,
}

/// One value that an engine reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSample {
    /// Its meaning.
    pub metric: EngineMetric,
    /// Value of the metric's label, if it has one.
    pub label: Option<&'static str>,
    /// The value.
    pub value: SampleValue,
}

/// Value of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleValue {
    /// A count or a level.
    Number(u64),
    /// Counts in buckets.
    Histogram(HistogramSnapshot),
}

impl EngineSample {
    /// A number of a metric without a label.
    pub const fn number(metric: EngineMetric, value: u64) -> Self {
        Self { metric, label: None, value: SampleValue::Number(value) }
    }

    /// A number of a metric with a label.
    pub const fn labelled(metric: EngineMetric, label: &'static str, value: u64) -> Self {
        Self { metric, label: Some(label), value: SampleValue::Number(value) }
    }

    /// The counts of a histogram.
    pub fn histogram(metric: EngineMetric, histogram: &Histogram) -> Self {
        Self { metric, label: None, value: SampleValue::Histogram(histogram.snapshot()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_on_a_bound_is_in_its_bucket() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 1000] {
            histogram.observe(value);
        }
        let counted = histogram.snapshot();
        assert_eq!((&counted.buckets[..], counted.count()), (&[2, 2, 2][..], 6));
        assert_eq!(counted.sum, 1024);
    }

    #[test]
    fn snapshots_of_the_same_bounds_add_up() {
        let [one, other] = [(); 2].map(|()| Histogram::new(SYNC_BOUNDS));
        one.observe_duration(Duration::from_micros(60));
        other.observe_duration(Duration::from_secs(5));
        let mut both = one.snapshot();
        both.merge(&other.snapshot());
        assert_eq!((both.count(), both.buckets[1], both.buckets[14]), (2, 1, 1));
        assert_eq!(both.sum, 5_000_060_000);
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [BATCH_BOUNDS, SYNC_BOUNDS, FLUSH_BOUNDS] {
            assert!(bounds.is_sorted_by(|one, next| one < next));
        }
    }
}

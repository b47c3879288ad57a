//! Latency samples and their percentiles.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A request that waits longer than this is a stall: a player notices it.
pub const STALL: Duration = Duration::from_millis(100);

/// Latencies of requests, in no order.
///
/// Stored in microseconds, 4 bytes each: ten minutes at fifty thousand a second take 120 MB.
#[derive(Debug, Default)]
pub struct LatencySamples(Vec<u32>);

impl LatencySamples {
    /// Empty, with capacity for `count` samples.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds a sample. Longer ones saturate at `u32::MAX` microseconds, which is 71 minutes.
    pub fn push(&mut self, wait: Duration) {
        self.0.push(u32::try_from(wait.as_micros()).unwrap_or(u32::MAX));
    }

    /// Moves all samples of `others` here.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Number of samples.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Sorts the samples and computes the percentiles.
    pub fn summarize(mut self) -> Latency {
        self.0.sort_unstable();
        let stall = u32::try_from(STALL.as_micros()).expect("a stall is a fraction of a second");
        Latency {
            p50_ms: self.percentile_ms(500),
            p99_ms: self.percentile_ms(990),
            p999_ms: self.percentile_ms(999),
            longest_ms: self.percentile_ms(1000),
            stalls: self.0.len() - self.0.partition_point(|wait| *wait <= stall),
        }
    }

    /// Nearest-rank percentile in milliseconds. The samples must be sorted.
    fn percentile_ms(&self, thousandths: usize) -> f64 {
        let rank = (self.0.len() * thousandths).div_ceil(1000);
        let wait = self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default();
        f64::from(wait) / 1e3
    }
}

/// Percentiles of latency samples. Each is a recorded sample; no samples give zeros.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// Maximum.
    pub longest_ms: f64,
    /// Number of samples above [`STALL`].
    pub stalls: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summarize_millis(millis: impl Iterator<Item = u64>) -> Latency {
        let mut waits = LatencySamples::default();
        millis.for_each(|wait| waits.push(Duration::from_millis(wait)));
        waits.summarize()
    }

    #[test]
    fn percentiles_are_recorded_samples() {
        let hundred = Latency { p50_ms: 50.0, p99_ms: 99.0, p999_ms: 100.0, longest_ms: 100.0, stalls: 0 };
        assert_eq!(summarize_millis((1..=100).rev()), hundred);
        let one = Latency { p50_ms: 101.0, p99_ms: 101.0, p999_ms: 101.0, longest_ms: 101.0, stalls: 1 };
        assert_eq!(summarize_millis(std::iter::once(101)), one);
        let none = Latency { p50_ms: 0.0, p99_ms: 0.0, p999_ms: 0.0, longest_ms: 0.0, stalls: 0 };
        assert_eq!(summarize_millis(std::iter::empty()), none);
    }

    #[test]
    fn append_merges_and_push_saturates() {
        let mut waits = LatencySamples::with_capacity(1);
        waits.push(Duration::from_secs(10_000_000));
        let mut others = LatencySamples::default();
        others.push(Duration::ZERO);
        waits.append(others);
        assert_eq!(waits.count(), 2);
        let latency = waits.summarize();
        assert!(latency.p50_ms < 1.0 && latency.longest_ms > 3_600_000.0, "{latency:?}");
    }
}

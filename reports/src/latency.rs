//! How long many requests waited, and what of it is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is called a stall: a wait that a player notices.
pub const STALL: Duration = Duration::from_millis(100);

/// How long requests waited, in no order.
///
/// In microseconds, at four bytes each: ten minutes at fifty thousand a second take 120 MB.
#[derive(Debug, Default)]
pub struct LatencySamples(Vec<u32>);

impl LatencySamples {
    /// None yet, with room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds one; what is above an hour counts as an hour and some.
    pub fn push(&mut self, wait: Duration) {
        self.0.push(u32::try_from(wait.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds those of others.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What is told of them.
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

    /// The least wait that so many in a thousand do not exceed, in milliseconds; of sorted ones.
    fn percentile_ms(&self, thousandths: usize) -> f64 {
        let rank = (self.0.len() * thousandths).div_ceil(1000);
        let wait = self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default();
        f64::from(wait) / 1e3
    }
}

/// What is told of many waits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half took no longer.
    pub p50_ms: f64,
    /// One in a hundred took longer.
    pub p99_ms: f64,
    /// One in a thousand took longer.
    pub p999_ms: f64,
    /// None took longer.
    pub longest_ms: f64,
    /// How many were longer than [`STALL`].
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

//! How long many requests waited, and what of it is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is called a stall: a wait that a player notices.
pub const STALL: Duration = Duration::from_millis(100);

/// How long requests waited, in no order.
///
/// In microseconds, at four bytes each: ten minutes at fifty thousand a second take 120 MB.
#[derive(Debug, Default)]
pub struct Waits(Vec<u32>);

impl Waits {
    /// None yet, with room for so many.
    pub fn with_room(count: usize) -> Self {
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
    pub fn told(mut self) -> Latency {
        self.0.sort_unstable();
        let stall = u32::try_from(STALL.as_micros()).expect("a stall is a fraction of a second");
        Latency {
            p50_ms: self.part(500),
            p99_ms: self.part(990),
            p999_ms: self.part(999),
            longest_ms: self.part(1000),
            stalls: self.0.len() - self.0.partition_point(|wait| *wait <= stall),
        }
    }

    /// The least wait that so many in a thousand do not exceed, in milliseconds; of sorted ones.
    fn part(&self, thousandths: usize) -> f64 {
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

    fn told(millis: impl Iterator<Item = u64>) -> Latency {
        let mut waits = Waits::default();
        millis.for_each(|wait| waits.push(Duration::from_millis(wait)));
        waits.told()
    }

    #[test]
    fn percentiles_are_waits_that_happened() {
        let hundred = Latency { p50_ms: 50.0, p99_ms: 99.0, p999_ms: 100.0, longest_ms: 100.0, stalls: 0 };
        assert_eq!(told((1..=100).rev()), hundred);
        let one = Latency { p50_ms: 101.0, p99_ms: 101.0, p999_ms: 101.0, longest_ms: 101.0, stalls: 1 };
        assert_eq!(told(std::iter::once(101)), one);
        let none = Latency { p50_ms: 0.0, p99_ms: 0.0, p999_ms: 0.0, longest_ms: 0.0, stalls: 0 };
        assert_eq!(told(std::iter::empty()), none);
    }

    #[test]
    fn others_count_too_and_no_wait_is_too_long_to_count() {
        let mut waits = Waits::with_room(1);
        waits.push(Duration::from_secs(10_000_000));
        let mut others = Waits::default();
        others.push(Duration::ZERO);
        waits.append(others);
        assert_eq!(waits.count(), 2);
        let told = waits.told();
        assert!(told.p50_ms < 1.0 && told.longest_ms > 3_600_000.0, "{told:?}");
    }
}

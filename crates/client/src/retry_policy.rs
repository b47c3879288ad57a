//! How long a call is tried, and how long it waits before it is tried again.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::random::{Randomness, random_u64};

/// How long a call is tried before it gives up.
///
/// What is tried again is always the same order with the same bill number, so trying longer can never give twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How long one try may take.
    pub attempt_timeout: Duration,
    /// How long a call may take with all its tries and the waiting between them.
    pub call_timeout: Duration,
    /// How often it is tried at most.
    pub attempts_max: NonZeroU32,
    /// How long to wait after the first try that failed; after each further one, twice as long.
    pub backoff_min: Duration,
    /// How long to wait at most.
    pub backoff_max: Duration,
}

impl Default for RetryPolicy {
    /// A try takes milliseconds where all is well; 5 seconds are what an order that waits for a busy disk may need.
    /// 30 seconds see a bank through a restart, and are no longer than a game's back end can make a player wait.
    fn default() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            attempts_max: NonZeroU32::MAX,
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
        }
    }
}

impl RetryPolicy {
    /// How long to wait after `tries` tries have failed.
    ///
    /// At least half of what doubling comes to, the rest by chance: callers that failed together, because a bank was
    /// restarted, must not come back together.
    pub(crate) fn backoff(&self, attempts: u32, random: &dyn Randomness) -> Duration {
        let doubled = self.backoff_min.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
        let half = doubled.min(self.backoff_max) / 2;
        let range_us = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half.saturating_add(Duration::from_micros(random_u64(random) % range_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct ConstantRandomness(u8);

    impl Randomness for ConstantRandomness {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn backoff_doubles_up_to_its_maximum() {
        let patience = RetryPolicy::default();
        let least = |tries| patience.backoff(tries, &ConstantRandomness(0)).as_millis();
        assert_eq!([1, 2, 3, 6, 7, 40, u32::MAX].map(least), [50, 100, 200, 1600, 2500, 2500, 2500]);
    }

    #[test]
    fn backoff_jitter_stays_within_bounds() {
        let patience = RetryPolicy::default();
        for byte in [1, 77, 255] {
            let pause = patience.backoff(1, &ConstantRandomness(byte));
            assert!((50..=100).contains(&pause.as_millis()), "{pause:?}");
        }
    }
}

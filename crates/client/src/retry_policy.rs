//! Retry policy: timeouts, number of attempts, exponential backoff.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::random::{Randomness, random_u64};

/// Timeouts, attempts and backoff of a call.
///
/// Every attempt sends the same order with the same bill number, so a longer policy can never give twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Timeout of one attempt.
    pub attempt_timeout: Duration,
    /// Deadline of a call, with all attempts and backoff.
    pub call_timeout: Duration,
    /// Maximum number of attempts. Replacing a rejected token adds one.
    pub attempts_max: NonZeroU32,
    /// Backoff after the first failed attempt. It doubles with each further one.
    pub backoff_min: Duration,
    /// Maximum backoff.
    pub backoff_max: Duration,
}

impl Default for RetryPolicy {
    /// A healthy attempt takes milliseconds; 5 seconds cover an order that waits for a busy disk. 30 seconds outlast
    /// a restart of the bank, and are the longest that a game's back end can make a player wait.
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
    /// Backoff after `attempts` failed attempts.
    ///
    /// Half of the doubled and capped value is fixed, the other half is random jitter: clients that failed together,
    /// because a bank restarted, must not come back together.
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
        let policy = RetryPolicy::default();
        let least = |tries| policy.backoff(tries, &ConstantRandomness(0)).as_millis();
        assert_eq!([1, 2, 3, 6, 7, 40, u32::MAX].map(least), [50, 100, 200, 1600, 2500, 2500, 2500]);
    }

    #[test]
    fn backoff_jitter_stays_within_bounds() {
        let policy = RetryPolicy::default();
        for byte in [1, 77, 255] {
            let backoff = policy.backoff(1, &ConstantRandomness(byte));
            assert!((50..=100).contains(&backoff.as_millis()), "{backoff:?}");
        }
    }
}

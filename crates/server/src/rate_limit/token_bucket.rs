//! A token bucket: so many calls a second, and at most a second's worth at once.

use std::num::NonZeroU32;
use std::time::Duration;

use pactolus_types::UnixMillis;

/// A token bucket with a capacity of one second's worth of calls.
///
/// It counts in thousandths of a call, so that a rate of `rate` calls a second refills `rate` thousandths in a
/// millisecond, without a fraction.
pub(crate) struct TokenBucket {
    millitokens: u64,
    refilled_at: UnixMillis,
}

/// Time in which any bucket refills.
const REFILL_TIME: Duration = Duration::from_secs(1);

impl TokenBucket {
    /// A bucket that its first call fills, whatever the rate is then.
    pub(crate) const fn new() -> Self {
        Self { millitokens: 0, refilled_at: UnixMillis::new(0) }
    }

    pub(crate) fn take(&mut self, rate: NonZeroU32, now: UnixMillis) -> bool {
        // Requests may arrive here out of the order of their clock readings, and no moment may refill twice. But a
        // clock that was set back for good must not block the app for good.
        if self.refilled_at.saturating_since(now) > REFILL_TIME {
            self.refilled_at = now;
        }
        if now > self.refilled_at {
            let passed = now.saturating_since(self.refilled_at).min(REFILL_TIME).as_millis();
            let back = u64::try_from(passed).expect("it is a second at most") * u64::from(rate.get());
            self.millitokens = (self.millitokens + back).min(capacity(rate));
            self.refilled_at = now;
        }
        let left = self.millitokens.checked_sub(1000);
        self.millitokens = left.unwrap_or(self.millitokens);
        left.is_some()
    }
}

fn capacity(rate: NonZeroU32) -> u64 {
    1000 * u64::from(rate.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(bucket: &mut TokenBucket, rate: u32, at_ms: u64) -> usize {
        let rate = NonZeroU32::new(rate).unwrap();
        (0..100).take_while(|_| bucket.take(rate, UnixMillis::new(at_ms))).count()
    }

    #[test]
    fn one_second_refills_the_bucket() {
        let mut bucket = TokenBucket::new();
        assert_eq!(take_all(&mut bucket, 3, 10_000), 3);
        assert_eq!(take_all(&mut bucket, 3, 10_333), 0, "a third of a second, and not all of it");
        assert_eq!(take_all(&mut bucket, 3, 10_334), 1);
        assert_eq!(take_all(&mut bucket, 3, 11_334), 3);
        assert_eq!(take_all(&mut bucket, 3, 99_999), 3, "no more than a second's worth is kept");
    }

    #[test]
    fn clock_going_back_neither_refills_nor_blocks() {
        let mut bucket = TokenBucket::new();
        for _ in 0..10 {
            take_all(&mut bucket, 1000, 10_000);
        }
        for _ in 0..5 {
            assert_eq!(take_all(&mut bucket, 1000, 9_990), 0);
            assert_eq!(take_all(&mut bucket, 1000, 10_000), 0);
        }
        assert_eq!(take_all(&mut bucket, 1000, 5_000), 0, "the clock was turned back");
        assert_eq!(take_all(&mut bucket, 1000, 5_007), 7);
    }
}

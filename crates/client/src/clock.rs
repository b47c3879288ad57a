//! Wall clock: the only place of this crate that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use pactolus_types::UnixMillis;

/// A wall clock, for the request time `ts` and for bill numbers.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> UnixMillis;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = SystemTime::now();
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        UnixMillis::new(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

//! What time it is: the only place of this crate that asks.

use std::time::{SystemTime, UNIX_EPOCH};

use pactolus_types::UnixMillis;

/// Something that tells the time: for `ts`, which says when a request was made, and for bill numbers.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMillis;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others ask")]
        let now = SystemTime::now();
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        UnixMillis::new(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

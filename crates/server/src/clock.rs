//! Clock: the only place that reads the time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pactolus_types::UnixMillis;

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> UnixMillis;
}

/// The system clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        #[expect(clippy::disallowed_methods, reason = "the one implementation that reads the system clock")]
        let now = SystemTime::now();
        let millis = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        UnixMillis::new(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

/// A clock that changes only on request: for development, to see the state after an hour or a day.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

/// A change of a [`ManualClock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// Adds seconds; a negative number sets the clock back.
    AdvanceSeconds(i64),
    /// Sets the clock to this time.
    Set(UnixMillis),
}

/// The change would go before 1970 or past the year 9999. The clock keeps its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOutOfRange;

impl fmt::Display for ClockOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "would set the clock outside its range, which is 0 to {} in milliseconds", ManualClock::MAX)
    }
}

impl std::error::Error for ClockOutOfRange {}

impl ManualClock {
    /// The last millisecond of the year 9999: later dates have more than four digits in the year.
    pub const MAX: UnixMillis = UnixMillis::new(253_402_300_799_999);

    /// A clock that starts at `now`.
    pub const fn starting_at(now: UnixMillis) -> Self {
        Self(AtomicU64::new(now.get()))
    }

    /// Changes the clock and returns its new time. Concurrent changes all take effect.
    pub fn apply(&self, change: ClockChange) -> Result<UnixMillis, ClockOutOfRange> {
        let turned = |now: u64| {
            let then = match change {
                ClockChange::AdvanceSeconds(seconds) => now.checked_add_signed(seconds.checked_mul(1000)?)?,
                ClockChange::Set(moment) => moment.get(),
            };
            (then <= Self::MAX.get()).then_some(then)
        };
        // Relaxed: the clock orders no other memory.
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, turned);
        before.ok().and_then(turned).map(UnixMillis::new).ok_or(ClockOutOfRange)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::new(self.0.load(Ordering::Relaxed))
    }
}

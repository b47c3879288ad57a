//! What time it is: the only place that asks.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use pactolus_types::UnixMillis;

/// Something that tells the time.
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

/// A clock that stands still until it is turned: for development, to see what happens after an hour or a day.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

/// How a [`ManualClock`] is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockChange {
    /// By so many seconds, forward or, if there are fewer than none, backward.
    AdvanceSeconds(i64),
    /// To this moment.
    Set(UnixMillis),
}

/// A turn to before 1970 or past the year 9999; the clock stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOutOfRange;

impl fmt::Display for ClockOutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "would turn the clock out of its range, which is 0 to {} in milliseconds", ManualClock::MAX)
    }
}

impl std::error::Error for ClockOutOfRange {}

impl ManualClock {
    /// The last moment of the year 9999, which is as far as dates are written with four digits.
    pub const MAX: UnixMillis = UnixMillis::new(253_402_300_799_999);

    /// A clock that stands at `now`.
    pub const fn starting_at(now: UnixMillis) -> Self {
        Self(AtomicU64::new(now.get()))
    }

    /// Turns the clock, and tells what it says then. Of two turns at once, none is lost.
    pub fn apply(&self, change: ClockChange) -> Result<UnixMillis, ClockOutOfRange> {
        let turned = |now: u64| {
            let then = match change {
                ClockChange::AdvanceSeconds(seconds) => now.checked_add_signed(seconds.checked_mul(1000)?)?,
                ClockChange::Set(moment) => moment.get(),
            };
            (then <= Self::MAX.get()).then_some(then)
        };
        // The clock stands for itself: nothing else is ordered by it.
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, turned);
        before.ok().and_then(turned).map(UnixMillis::new).ok_or(ClockOutOfRange)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::new(self.0.load(Ordering::Relaxed))
    }
}

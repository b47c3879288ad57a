//! Timestamps and days of the server's clock, in UTC.

use std::fmt;
use std::time::Duration;

/// Timestamp: milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(u64);

impl UnixMillis {
    /// Timestamp `millis` milliseconds after the Unix epoch.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, the unit of the wire.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Adds `duration`; saturates at `u64::MAX` milliseconds.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time since `earlier`; zero if `earlier` is in the future.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Day in UTC: days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u32);

impl Day {
    /// 1970-01-01.
    pub const MIN: Self = Self(0);
    /// The latest representable day.
    pub const MAX: Self = Self(u32::MAX);

    /// The day `days` after 1970-01-01.
    pub const fn new(days: u32) -> Self {
        Self(days)
    }

    /// The UTC day of a timestamp.
    pub fn from_time(at: UnixMillis) -> Self {
        Self(u32::try_from(at.seconds() / 86_400).unwrap_or(u32::MAX))
    }

    /// Days since 1970-01-01.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

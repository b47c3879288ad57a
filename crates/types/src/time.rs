//! Timestamps of the server's clock, days in UTC or local time, and quarters of an hour.

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

/// Calendar day, in UTC or local time: days since 1970-01-01.
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

    /// The day of a timestamp in local time of this offset; 1970-01-01 for any earlier day.
    pub fn local(at: UnixMillis, offset: UtcOffset) -> Self {
        let seconds = i128::from(at.seconds()) + i128::from(offset.minutes()) * 60;
        Self(u32::try_from((seconds / 86_400).max(0)).unwrap_or(u32::MAX))
    }

    /// The day after; the latest day is its own.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
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

/// Offset of local time from UTC, in whole minutes, east of Greenwich positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct UtcOffset(i16);

impl UtcOffset {
    /// UTC itself.
    pub const UTC: Self = Self(0);

    /// The largest offset either way: 26 hours. Time zones have been at most 15:14 hours apart from UTC.
    pub const MINUTES_MAX: i16 = 26 * 60;

    /// An offset of `minutes`, or `None` beyond [`UtcOffset::MINUTES_MAX`].
    pub const fn from_minutes(minutes: i16) -> Option<Self> {
        if minutes.unsigned_abs() <= Self::MINUTES_MAX.unsigned_abs() { Some(Self(minutes)) } else { None }
    }

    /// The offset in minutes.
    pub const fn minutes(self) -> i16 {
        self.0
    }
}

/// Quarter of an hour: periods of 15 minutes since 1970-01-01 UTC.
///
/// Every time zone in use is a whole number of them from UTC, so a local day is a whole number of them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuarterHour(u32);

impl QuarterHour {
    /// The first quarter of 1970-01-01 UTC.
    pub const MIN: Self = Self(0);
    /// The latest representable quarter.
    pub const MAX: Self = Self(u32::MAX);

    const SECONDS: u64 = 900;

    /// Quarters of a day.
    pub const PER_DAY: u32 = 96;

    /// The quarter `number` quarters after [`QuarterHour::MIN`].
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The quarter that holds a timestamp.
    pub fn from_time(at: UnixMillis) -> Self {
        Self(u32::try_from(at.seconds() / Self::SECONDS).unwrap_or(u32::MAX))
    }

    /// Quarters since 1970-01-01 UTC.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The time at which it begins.
    pub fn start(self) -> UnixMillis {
        UnixMillis::new(u64::from(self.0).saturating_mul(Self::SECONDS * 1000))
    }

    /// The first quarter of its UTC day.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.0 - self.0 % Self::PER_DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(minutes: i16) -> UtcOffset {
        UtcOffset::from_minutes(minutes).unwrap()
    }

    #[test]
    fn local_day_follows_the_offset() {
        // 2017-10-09T16:00:00Z, midnight in Beijing.
        let midnight = UnixMillis::new(1_507_564_800_000);
        let before = UnixMillis::new(midnight.get() - 1);
        let day = |at, minutes| Day::local(at, offset(minutes)).get();
        assert_eq!((day(before, 480), day(midnight, 480), day(midnight, 0)), (17_448, 17_449, 17_448));
        assert_eq!((day(midnight, 7 * 60 + 59), day(midnight, -17 * 60)), (17_448, 17_447));
        assert_eq!(Day::local(midnight, UtcOffset::UTC), Day::from_time(midnight));
        assert_eq!(Day::local(UnixMillis::new(0), offset(-600)), Day::MIN, "no day is before 1970");
        assert_eq!(Day::local(UnixMillis::new(u64::MAX), offset(1560)), Day::MAX);
        assert_eq!(UtcOffset::from_minutes(1561), None);
        assert_eq!(UtcOffset::from_minutes(i16::MIN), None);
    }

    #[test]
    fn quarters_divide_the_day() {
        let at = |seconds: u64| QuarterHour::from_time(UnixMillis::new(seconds * 1000));
        assert_eq!((at(899).get(), at(900).get(), at(86_400).get()), (0, 1, QuarterHour::PER_DAY));
        assert_eq!(at(86_399).start_of_day(), QuarterHour::MIN);
        assert_eq!(at(86_401).start_of_day(), QuarterHour::new(96));
        assert_eq!(at(u64::MAX / 1000), QuarterHour::MAX);
    }
}

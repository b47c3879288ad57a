//! Time zone of an app: the days of its daily limit and its totals.
//!
//! The rules are compiled in, so that a day does not depend on the machine, and a container needs no `tzdata`.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan as _, Unit};
use pactolus_types::{Day, QuarterHour, UnixMillis, UtcOffset};

/// A time zone of the IANA database.
#[derive(Clone, PartialEq, Eq)]
pub struct AppTimeZone(TimeZone);

/// No time zone of the IANA database has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no time zone of the IANA database, such as \"Asia/Shanghai\" or \"UTC\"")]
pub struct UnknownTimeZone;

impl AppTimeZone {
    /// UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = String> {
        DATABASE.available().map(|name| name.as_str().to_owned())
    }

    /// The name, such as `Asia/Shanghai`.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The offset from UTC at a time.
    pub fn offset_at(&self, at: UnixMillis) -> UtcOffset {
        let minutes = self.offset(at).seconds().div_euclid(60);
        i16::try_from(minutes).ok().and_then(UtcOffset::from_minutes).unwrap_or_default()
    }

    /// The day of a time.
    pub fn day(&self, at: UnixMillis) -> Day {
        Day::local(at, self.offset_at(at))
    }

    /// The date of a time; `None` after the year 9999.
    pub fn date_at(&self, at: UnixMillis) -> Option<Date> {
        date(self.day(at))
    }

    /// The quarter of an hour at which a day begins; the latest one for a day after the year 9999.
    pub fn start_of(&self, day: Day) -> QuarterHour {
        let start = date(day).and_then(|date| date.to_zoned_datetime(self.0.clone()).ok());
        start.map_or(QuarterHour::MAX, |start| {
            let millis = u64::try_from(start.timestamp().as_millisecond()).unwrap_or_default();
            QuarterHour::from_time(UnixMillis::new(millis))
        })
    }

    /// The time at which a date begins; 1970 for an earlier one.
    pub fn start_of_date(&self, date: Date) -> UnixMillis {
        day(date).map_or(UnixMillis::new(0), |day| self.start_of(day).start())
    }

    fn offset(&self, at: UnixMillis) -> Offset {
        let timestamp = i64::try_from(at.get()).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        timestamp.map_or(Offset::UTC, |at| self.0.to_offset(at))
    }
}

/// The database that is compiled in.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl FromStr for AppTimeZone {
    type Err = UnknownTimeZone;

    fn from_str(name: &str) -> Result<Self, UnknownTimeZone> {
        // The crate has a zone named Etc/Unknown.
        let zone = DATABASE.get(name).ok().filter(|zone| !zone.is_unknown());
        zone.map(Self).ok_or(UnknownTimeZone)
    }
}

impl fmt::Display for AppTimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for AppTimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppTimeZone({})", self.name())
    }
}

const EPOCH: Date = Date::constant(1970, 1, 1);

/// The date of a day; `None` after the year 9999.
pub(crate) fn date(day: Day) -> Option<Date> {
    i32::try_from(day.get()).ok().and_then(|days| EPOCH.checked_add(days.days()).ok())
}

/// The day of a date; `None` before 1970.
pub(crate) fn day(date: Date) -> Option<Day> {
    let days = EPOCH.until((Unit::Day, date)).ok()?.get_days();
    u32::try_from(days).ok().map(Day::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> AppTimeZone {
        name.parse().unwrap()
    }

    fn millis(time: &str) -> UnixMillis {
        let time: Timestamp = time.parse().unwrap();
        UnixMillis::new(u64::try_from(time.as_millisecond()).unwrap())
    }

    fn start(name: &str, date: &str) -> UnixMillis {
        let start = zone(name).start_of(day(date.parse().unwrap()).unwrap());
        UnixMillis::new(u64::from(start.get()) * 900_000)
    }

    /// Whole, half and quarter hours, both hemispheres, a midnight that daylight saving time skips, and a day that a
    /// zone skipped.
    #[test]
    fn day_begins_at_local_midnight() {
        for (name, date, begins) in [
            ("UTC", "2017-10-09", "2017-10-09T00:00Z"),
            ("Asia/Shanghai", "2017-10-10", "2017-10-09T16:00Z"),
            ("Asia/Kolkata", "2017-10-10", "2017-10-09T18:30Z"),
            ("Asia/Kathmandu", "2017-10-10", "2017-10-09T18:15Z"),
            ("America/St_Johns", "2017-07-01", "2017-07-01T02:30Z"),
            ("America/Los_Angeles", "2017-07-01", "2017-07-01T07:00Z"),
            ("America/Los_Angeles", "2017-12-01", "2017-12-01T08:00Z"),
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00Z"),
            ("Pacific/Kiritimati", "2017-10-10", "2017-10-09T10:00Z"),
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00Z"),
            ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00Z"),
            ("Asia/Shanghai", "1970-01-01", "1970-01-01T00:00Z"),
        ] {
            assert_eq!(start(name, date), millis(&begins.replace('Z', ":00Z")), "{name} {date}");
        }
        assert_eq!(zone("UTC").start_of(Day::MAX), QuarterHour::MAX);
    }

    /// The day of a limit and the day of the totals are one.
    #[test]
    fn day_of_a_time_is_between_its_bounds() {
        for name in ["UTC", "Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"] {
            let zone = zone(name);
            for hour in 0..24 * 400 {
                let at = UnixMillis::new(1_507_530_737_000 + hour * 3_600_000);
                let (day, quarter) = (zone.day(at), QuarterHour::from_time(at));
                assert!(zone.start_of(day) <= quarter && quarter < zone.start_of(day.next()), "{name} {at}");
            }
        }
    }

    #[test]
    fn unknown_name_is_refused() {
        for name in
            ["", "Beijing", "Asia/Peking", "Etc/Unknown", "+08:00", "UTC+8", "../etc/localtime", "/UTC"]
        {
            assert_eq!(name.parse::<AppTimeZone>(), Err(UnknownTimeZone), "{name}");
        }
        assert_eq!(
            (zone("Asia/Shanghai").to_string(), zone("UTC")),
            ("Asia/Shanghai".to_owned(), AppTimeZone::UTC)
        );
        assert!(AppTimeZone::names().count() > 400);
    }
}

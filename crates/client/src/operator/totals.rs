//! Totals per offer, zone and day.

use std::fmt;
use std::str::FromStr;

use pactolus_types::{AppId, Environment, OfferId, ZoneId};
use serde::{Deserialize, Serialize};

use super::json::text;

/// A day of the calendar, such as `2017-10-09`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CalendarDay {
    year: u16,
    month: u8,
    day: u8,
}

/// The text is no day like 2017-10-09.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a day like 2017-10-09")]
pub struct InvalidDay;

impl CalendarDay {
    /// The day of the month `month` (from 1) of the year `year`.
    pub fn new(year: u16, month: u8, day: u8) -> Result<Self, InvalidDay> {
        let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return Err(InvalidDay),
        };
        if year <= 9999 && (1..=days).contains(&day) {
            Ok(Self { year, month, day })
        } else {
            Err(InvalidDay)
        }
    }
}

impl fmt::Display for CalendarDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl FromStr for CalendarDay {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let mut parts = text.split('-');
        let (Some(year), Some(month), Some(day), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidDay);
        };
        let read = |part: &str| part.parse().map_err(|_| InvalidDay);
        let day = Self::new(year.parse().map_err(|_| InvalidDay)?, read(month)?, read(day)?)?;
        // A day has one spelling.
        if day.to_string() == text { Ok(day) } else { Err(InvalidDay) }
    }
}

/// Totals of a range of days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the first fields repeat the query")]
pub struct PeriodTotals {
    #[serde(with = "text")]
    pub appid: AppId,
    #[serde(with = "text")]
    pub env: Environment,
    #[serde(with = "text")]
    pub from: CalendarDay,
    #[serde(with = "text")]
    pub to: CalendarDay,
    /// Time zone of the days, as configured for the app.
    pub time_zone: String,
    /// By offer, zone and day; only those with orders.
    pub totals: Vec<DayTotal>,
}

/// Totals of one offer, zone and day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayTotal {
    /// The coin.
    #[serde(with = "text")]
    pub offer_id: OfferId,
    /// Game server: the zone up to the `_` that joins a role.
    #[serde(with = "text")]
    pub zone_id: ZoneId,
    /// Day on which the bank decided the orders, in the app's time zone.
    #[serde(with = "text")]
    pub day: CalendarDay,
    /// Top-ups.
    pub save: KindTotal,
    /// Gifts.
    pub present: KindTotal,
    /// Pays, cancelled or not.
    pub pay: KindTotal,
    /// Cancels of pays.
    pub cancel: KindTotal,
    /// Debits, with the coins that they took.
    pub debit: KindTotal,
}

/// Totals of one kind of order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindTotal {
    /// Number of orders.
    pub orders: u64,
    /// Coins moved: the sum over accounts may exceed the maximum of one account.
    #[serde(with = "text")]
    pub coins: u128,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_round_trips_with_one_spelling() {
        for text in ["1970-01-01", "2016-02-29", "2017-10-09", "9999-12-31", "2000-02-29"] {
            assert_eq!(text.parse::<CalendarDay>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "2017-02-29",
            "1900-02-29",
            "2017-13-01",
            "2017-00-01",
            "2017-1-01",
            "20171009",
            "2017-10-09T",
            "+017-10-09",
            "10000-01-01",
        ] {
            assert_eq!(bad.parse::<CalendarDay>(), Err(InvalidDay), "{bad}");
        }
    }
}

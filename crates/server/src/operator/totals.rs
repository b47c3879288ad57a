//! Totals endpoint: sums of an app's orders per offer, zone and day of the app's time zone.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use pactolus_ledger::{OrderTally, Periods, Total};
use pactolus_types::{AppId, Day, Environment, OfferId, ZoneId};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::extract::{Path, Query};
use super::field::{AsText, TextParam, TextValue};
use super::problem::Problem;
use super::{AppPath, find_app};
use crate::state::AppState;
use crate::time_zone;

/// Most days of a query: a leap year.
const DAYS_MAX: u32 = 366;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TotalsQuery {
    env: TextParam<Environment>,
    /// First day, in the app's time zone.
    from: TextParam<CalendarDay>,
    /// Last day: not before `from`, and at most 366 days in all.
    to: TextParam<CalendarDay>,
}

/// Totals of a range of days.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PeriodTotals {
    appid: AsText<AppId>,
    env: AsText<Environment>,
    from: AsText<CalendarDay>,
    to: AsText<CalendarDay>,
    /// Time zone of the days, as configured for the app.
    time_zone: String,
    /// By offer, zone and day; only those with orders.
    totals: Vec<DayTotal>,
}

/// Totals of one offer, zone and day.
#[derive(Serialize, JsonSchema)]
struct DayTotal {
    offer_id: AsText<OfferId>,
    /// Game server: the zone up to the `_` that joins a role.
    zone_id: AsText<ZoneId>,
    /// Day on which the bank decided the orders, in the app's time zone.
    day: AsText<CalendarDay>,
    save: KindTotal,
    present: KindTotal,
    /// Pays, cancelled or not.
    pay: KindTotal,
    cancel: KindTotal,
    /// Debits, with the coins that they took.
    debit: KindTotal,
}

/// Totals of one kind of order.
#[derive(Serialize, JsonSchema)]
struct KindTotal {
    /// Number of orders.
    orders: u64,
    /// Coins moved, in decimal digits: the sum may exceed the integers that every JSON reader holds exactly.
    #[schemars(regex(pattern = "^(0|[1-9][0-9]*)$"))]
    coins: String,
}

pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<AppPath>,
    Query(query): Query<TotalsQuery>,
) -> Result<Json<PeriodTotals>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    let env = query.env.parse("env")?;
    let (from, to) = (query.from.parse("from")?, query.to.parse("to")?);
    match to.0.get().checked_sub(from.0.get()) {
        None => return Err(Problem::invalid("to", "is before from")),
        Some(later) if later >= DAYS_MAX => {
            return Err(Problem::invalid(
                "to",
                format_args!("is too late; a query covers at most {DAYS_MAX} days"),
            ));
        }
        Some(_) => {}
    }
    let days = || (from.0.get()..=to.0.get()).map(Day::new);
    let bounds = days().chain([to.0.next()]).map(|day| app.time_zone.start_of(day)).collect();
    // The bounds of days follow one another in every time zone.
    let periods = Periods::new(bounds).ok_or_else(|| Problem::invalid("from", "is out of range"))?;
    let totals = bank.ledger.totals(app.appid, env, periods).await?;
    let days: Vec<Day> = days().collect();
    let totals = totals.iter().filter_map(|total| Some(DayTotal::new(*days.get(total.period)?, total)));
    Ok(Json(PeriodTotals {
        appid: AsText(app.appid),
        env: AsText(env),
        from: AsText(from),
        to: AsText(to),
        time_zone: app.time_zone.to_string(),
        totals: totals.collect(),
    }))
}

impl DayTotal {
    fn new(day: Day, Total { offer, zone, tallies: sums, .. }: &Total) -> Self {
        Self {
            offer_id: AsText(*offer),
            zone_id: AsText(*zone),
            day: AsText(CalendarDay(day)),
            save: sums.saves.into(),
            present: sums.presents.into(),
            pay: sums.pays.into(),
            cancel: sums.cancels.into(),
            debit: sums.debits.into(),
        }
    }
}

impl From<OrderTally> for KindTotal {
    fn from(tally: OrderTally) -> Self {
        Self { orders: tally.orders, coins: tally.coins.to_string() }
    }
}

/// A calendar day, written `YYYY-MM-DD`, from 1970-01-01 to 9999-12-31.
#[derive(Clone, Copy)]
struct CalendarDay(Day);

impl fmt::Display for CalendarDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        time_zone::date(self.0).unwrap_or(Date::MAX).fmt(f)
    }
}

impl FromStr for CalendarDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let read = || {
            let date: Date = text.parse().ok()?;
            // jiff also parses other spellings of a date; only one is accepted.
            let date = Some(date).filter(|date| date.to_string() == text)?;
            time_zone::day(date).map(Self)
        };
        read().ok_or("is not a day like 2017-10-09, from 1970-01-01 on")
    }
}

impl TextValue for CalendarDay {
    fn schema() -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzz target for days.

    use pactolus_fuzz_support::Choices;
    use pactolus_types::Day;

    use super::CalendarDay;

    /// 9999-12-31.
    const LAST_DAY: u64 = 2_932_896;

    /// A day round-trips and has one spelling.
    pub(in crate::operator) fn days(bytes: &[u8]) {
        if let Some(day) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<CalendarDay>().ok()) {
            assert_eq!(day.to_string().as_bytes(), bytes, "a day has two spellings");
        }
        let days = u32::try_from(Choices::new(bytes).number() % (LAST_DAY + 1)).expect("it is less");
        let read: CalendarDay =
            CalendarDay(Day::new(days)).to_string().parse().expect("it was written as one");
        assert_eq!(read.0.get(), days);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_round_trips_with_one_spelling() {
        for (text, days) in
            [("1970-01-01", 0), ("1970-01-02", 1), ("2017-10-09", 17_448), ("9999-12-31", 2_932_896)]
        {
            let day: CalendarDay = text.parse().unwrap();
            assert_eq!((day.0.get(), day.to_string()), (days, text.to_owned()));
        }
        for bad in
            ["", "1969-12-31", "2017-02-29", "20171009", "2017-10-09T00:00", "+002017-10-09", "2017-10-9"]
        {
            assert!(bad.parse::<CalendarDay>().is_err(), "{bad}");
        }
    }
}

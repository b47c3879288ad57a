//! Gifts, their limits, and the daily count towards a limit.
//!
//! An account keeps one count: a day and the coins of it. The rule of [`LimitDays::Local`] on that day:
//!
//! - An earlier day than today is over: the count starts again.
//! - Tomorrow counts on. Two gifts decided around midnight, the later day's first, would otherwise restart the earlier
//!   day with a full limit, as would a clock that is set back by up to a day. A player gets at most one limit a day.
//! - A day after tomorrow was counted by a clock that was wrong, or in a time zone that the app has left. The count
//!   starts again today, so that the limit does not wait for that day. Each such jump of the clock costs at most one
//!   limit more.
//!
//! An audit decides every order again, so an order holds all inputs of its decision: the limit, and the offset from
//! UTC that the app's time zone had. A later change of the app's settings changes no earlier decision. Orders of
//! builds before that rule hold no offset, and are decided by theirs, [`LimitDays::LegacyUtc`].

use pactolus_types::{Amount, Coins, Day, UnixMillis, UtcOffset};

/// Coins to give, under limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gift {
    /// The coins.
    pub amount: Amount,
    /// Limits of this gift.
    pub limits: GiftLimits,
}

/// Limits of a gift, copied from the settings at the time of the order and stored with it, so that an audit can
/// decide the order again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GiftLimits {
    /// Maximum coins of one order.
    pub per_order: Option<Amount>,
    /// Maximum coins per account and day. Only gifts under such a limit count.
    pub per_day: Option<DailyLimit>,
}

/// Maximum coins of an account and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyLimit {
    /// The coins.
    pub max: Amount,
    /// The days.
    pub days: LimitDays,
}

/// Days of a daily limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitDays {
    /// Days in local time of this offset. A count of a day after tomorrow starts again.
    Local(UtcOffset),
    /// UTC days, and a count whose day never goes back. Only orders of earlier builds have it; post none.
    LegacyUtc,
}

impl DailyLimit {
    /// The gifts that count towards this limit at `now`, where `kept` is the account's count.
    pub fn count_at(self, kept: DailyGifts, now: UnixMillis) -> DailyGifts {
        let (today, latest) = match self.days {
            LimitDays::Local(offset) => {
                let today = Day::local(now, offset);
                (today, today.next())
            }
            LimitDays::LegacyUtc => (Day::from_time(now), Day::MAX),
        };
        if (today..=latest).contains(&kept.day) {
            kept
        } else {
            DailyGifts { day: today, coins: Coins::ZERO }
        }
    }
}

/// A gift without limits.
impl From<Amount> for Gift {
    fn from(amount: Amount) -> Self {
        Self { amount, limits: GiftLimits::default() }
    }
}

/// Coins given on one day by gifts under a daily limit.
///
/// An account keeps only the last such day: the limit of a new day does not depend on earlier days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DailyGifts {
    /// The day.
    pub day: Day,
    /// The coins given on it.
    pub coins: Coins,
}

impl Default for DailyGifts {
    fn default() -> Self {
        Self { day: Day::MIN, coins: Coins::ZERO }
    }
}

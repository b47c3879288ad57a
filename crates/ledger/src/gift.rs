//! Gifts, their limits, and the daily count towards a limit.

use pactolus_types::{Amount, Coins, Day};

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
    /// Maximum coins per account and UTC day. Only gifts under such a limit count.
    pub per_day: Option<Amount>,
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

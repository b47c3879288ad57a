//! Gifts: coins to give, the limits they come with, and what counts towards a day's limit.

use pactolus_types::{Amount, Coins, Day};

/// Coins to give, and under which limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gift {
    /// The coins.
    pub amount: Amount,
    /// What the gift must not pass.
    pub limits: GiftLimits,
}

/// What a gift must not pass. They come with the order, as the settings are when it is asked for, and are kept
/// with it, so that an audit can decide it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GiftLimits {
    /// The most coins of one order.
    pub per_order: Option<Amount>,
    /// The most coins that an account gets in a day, by UTC, from gifts under such a limit; others do not count.
    pub per_day: Option<Amount>,
}

/// A gift without limits.
impl From<Amount> for Gift {
    fn from(amount: Amount) -> Self {
        Self { amount, limits: GiftLimits::default() }
    }
}

/// The coins that gifts under a day's limit gave on one day.
///
/// An account keeps those of the last such day only: the limit of a new day needs nothing of the days before.
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

//! Debit: an operator takes coins back, such as a mistaken gift or a refunded top-up.
//!
//! A debit never takes a balance below zero. It is counted apart from spending: [`Account::debited`] grows, and
//! [`Account::spent`], the `cost_sum` of the wire, stays.
//!
//! [`Account::debited`]: crate::account::Account::debited
//! [`Account::spent`]: crate::account::Account::spent

use pactolus_types::{Amount, Coins};

/// Coins to take from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debit {
    /// The requested coins.
    pub amount: Amount,
    /// Rule for a balance below `amount`.
    pub shortfall: Shortfall,
    /// The part of the balance that is taken first; the rest comes from the other part.
    pub first: CoinPart,
}

impl Debit {
    /// Coins and gifted coins that this debit takes from a balance with this gifted part; `None` refuses it.
    ///
    /// A debit that would take no coins is refused, whatever its shortfall rule.
    pub fn take_from(self, balance: Coins, gifted: Coins) -> Option<(Coins, Coins)> {
        let amount = self.amount.coins();
        let coins = match self.shortfall {
            Shortfall::Refuse => Some(amount).filter(|amount| *amount <= balance)?,
            Shortfall::TakeAvailable => amount.min(balance),
        };
        let paid = balance.checked_sub(gifted)?;
        let gifted = match self.first {
            CoinPart::Gifted => coins.min(gifted),
            CoinPart::Paid => coins.checked_sub(coins.min(paid))?,
        };
        (!coins.is_zero()).then_some((coins, gifted))
    }
}

/// A debit of coins that refuses a shortfall and takes gifted coins first, as a pay does.
impl From<Amount> for Debit {
    fn from(amount: Amount) -> Self {
        Self { amount, shortfall: Shortfall::Refuse, first: CoinPart::Gifted }
    }
}

/// Rule for a balance below the requested coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shortfall {
    /// Refuse the debit.
    #[default]
    Refuse,
    /// Take the whole balance, if there is any.
    TakeAvailable,
}

/// Part of a balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoinPart {
    /// Coins from presents. The default: a debit mostly takes back a gift.
    #[default]
    Gifted,
    /// Coins from top-ups, for a top-up that was refunded.
    Paid,
}

//! Refund: gives back a part of a pay, or all of it, under a number of its own.
//!
//! A pay may have several refunds; together they give back at most what it took. Paid coins go back first. A pay takes
//! gifted coins first, so *pay a, refund r* leaves what *pay a − r* would have left.

use std::time::Duration;

use pactolus_types::{Amount, BillNo, Coins};

/// Coins of a pay to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    /// The number of the pay, in the same numbering as the refund's own.
    pub pay: BillNo,
    /// The coins that this refund gives back.
    pub amount: Amount,
    /// Maximum age of the pay; `None` is unlimited.
    pub window: Option<Duration>,
}

/// Coins that the refunds of a pay have given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// All of them.
    pub coins: Coins,
    /// The gifted part.
    pub gifted: Coins,
}

impl GivenBack {
    /// The coins of a pay of `coins` that are not given back.
    pub(crate) fn left_of(self, coins: Coins) -> Coins {
        coins.checked_sub(self.coins).unwrap_or(Coins::ZERO)
    }

    /// The sums after `amount` more of a pay of `coins`, `gifted` of them gifted; `None` if less is left.
    ///
    /// Gifted coins go back once all paid ones are back.
    pub(crate) fn plus(self, amount: Amount, coins: Coins, gifted: Coins) -> Option<Self> {
        let after = self.coins.checked_add(amount.coins()).filter(|after| *after <= coins)?;
        let paid = coins.checked_sub(gifted)?;
        Some(Self { coins: after, gifted: after.checked_sub(paid).unwrap_or(Coins::ZERO) })
    }

    /// The coins and gifted coins between the sums `before` and these.
    pub(crate) fn since(self, before: Self) -> Option<(Coins, Coins)> {
        Some((self.coins.checked_sub(before.coins)?, self.gifted.checked_sub(before.gifted)?))
    }
}

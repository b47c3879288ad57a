//! The rule: whether an order applies, and what it does.
//!
//! Every change of a balance, in every engine, is a [`OrderEffect`] made here.
//! Replays are looked at first, so that repeating an order that was applied is never refused for what happened
//! since.

use std::fmt;

use pactolus_types::{Amount, Coins, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::gift::Gift;
use crate::order::{BillEntry, Order, OrderEffect, OrderKind, Receipt};

/// What to do with an order that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Keep the order with this change, and set the account to what it says.
    Apply(OrderEffect),
    /// The very same order was applied before, with this receipt; nothing changes.
    Replay(&'a Receipt),
}

/// Why an order does not apply. Nothing changes, and its bill number is not used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bill number already made another order.
    #[error("the bill number already made an order with another {0}")]
    BillNoTaken(Mismatch),
    /// The account has fewer coins than the pay takes.
    #[error("the balance is {0}")]
    BalanceNotEnough(Coins),
    /// The account's sums would pass [`Coins::MAX`].
    #[error("the account's sums would pass {}", Coins::MAX)]
    TooManyCoins,
    /// The gift has more coins than one order may give.
    #[error("one order may give at most {0}")]
    GiftTooLarge(Amount),
    /// With the gift, the account would get more coins than a day's gifts may have.
    #[error("a day's gifts may have at most {max}, and {left} of them are left")]
    DailyGiftsTooLarge {
        /// The limit.
        max: Amount,
        /// What is left of it today.
        left: Coins,
    },
    /// No pay to cancel has this bill number.
    #[error("no pay has this bill number")]
    PayNotFound,
    /// The bill number is that of a pay, or of another order, that differs from what the cancel says.
    #[error("the bill number made an order with another {0}")]
    PayMismatch(Mismatch),
    /// The pay is too old to be cancelled.
    #[error("the pay is past its cancel window")]
    PastCancelWindow,
}

/// In what an order differs from the one that used its bill number before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The player.
    Player,
    /// The zone.
    Zone,
    /// The offer.
    Offer,
    /// Save, present or pay.
    Kind,
    /// The number of coins.
    Amount,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Player => "player",
            Self::Zone => "zone",
            Self::Offer => "offer",
            Self::Kind => "kind",
            Self::Amount => "amount",
        })
    }
}

/// Decides `order` at `now`, against the `account` it names and what its bill number already made.
pub fn decide<'a>(
    account: &Account,
    earlier: Option<&'a BillEntry>,
    order: &Order,
    now: UnixMillis,
) -> Result<Decision<'a>, Refusal> {
    let (coins, gifted, after) = match (order.kind, earlier) {
        (OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_), Some(entry)) => {
            return match order_mismatch(&entry.receipt.order, order) {
                None => Ok(Decision::Replay(&entry.receipt)),
                Some(mismatch) => Err(Refusal::BillNoTaken(mismatch)),
            };
        }
        (OrderKind::Save(amount), None) => {
            let coins = amount.coins();
            (coins, Coins::ZERO, account.save(coins).ok_or(Refusal::TooManyCoins)?)
        }
        (OrderKind::Present(gift), None) => {
            check_limits(account, gift, now)?;
            let coins = gift.amount.coins();
            (coins, coins, account.present(gift, now).ok_or(Refusal::TooManyCoins)?)
        }
        (OrderKind::Pay(amount), None) => {
            let coins = amount.coins();
            let gifted = coins.min(account.gifted());
            let after = account.pay(coins, gifted);
            (coins, gifted, after.ok_or_else(|| Refusal::BalanceNotEnough(account.balance()))?)
        }
        (OrderKind::Cancel { .. }, None) => return Err(Refusal::PayNotFound),
        (OrderKind::Cancel { window }, Some(filed)) => {
            let pay = pay_to_cancel(&filed.receipt, order)?;
            if let Some(cancel) = &filed.cancel {
                return Ok(Decision::Replay(cancel));
            }
            if now.saturating_since(pay.at) > window {
                return Err(Refusal::PastCancelWindow);
            }
            let after = account.cancel(pay.coins, pay.gifted).ok_or(Refusal::TooManyCoins)?;
            (pay.coins, pay.gifted, after)
        }
    };
    Ok(Decision::Apply(OrderEffect { at: now, coins, gifted, after }))
}

/// Whether `gift` stays within its limits.
fn check_limits(account: &Account, gift: Gift, now: UnixMillis) -> Result<(), Refusal> {
    if let Some(max) = gift.limits.per_order
        && gift.amount > max
    {
        return Err(Refusal::GiftTooLarge(max));
    }
    if let Some(max) = gift.limits.per_day {
        // A limit that was lowered since may be passed already.
        let left = max.coins().checked_sub(account.daily_gifts_at(now).coins).unwrap_or(Coins::ZERO);
        if gift.amount.coins() > left {
            return Err(Refusal::DailyGiftsTooLarge { max, left });
        }
    }
    Ok(())
}

/// The receipt of the pay that `cancel` means, if it is one and the cancel's account is the pay's.
fn pay_to_cancel<'a>(receipt: &'a Receipt, cancel: &Order) -> Result<&'a Receipt, Refusal> {
    match receipt.order.kind {
        OrderKind::Pay(_) => {}
        OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Cancel { .. } => {
            return Err(Refusal::PayMismatch(Mismatch::Kind));
        }
    }
    match account_mismatch(&receipt.order.account, &cancel.account) {
        None => Ok(receipt),
        Some(mismatch) => Err(Refusal::PayMismatch(mismatch)),
    }
}

/// The first thing in which two orders of one bill number differ; what the caller noted does not count.
fn order_mismatch(earlier: &Order, order: &Order) -> Option<Mismatch> {
    account_mismatch(&earlier.account, &order.account)
        .or_else(|| (earlier.kind.name() != order.kind.name()).then_some(Mismatch::Kind))
        .or_else(|| {
            let amounts = (earlier.kind.amount().map(Amount::get), order.kind.amount().map(Amount::get));
            (amounts.0 != amounts.1).then_some(Mismatch::Amount)
        })
}

fn account_mismatch(earlier: &AccountKey, account: &AccountKey) -> Option<Mismatch> {
    let checks = [
        (earlier.player != account.player, Mismatch::Player),
        (earlier.zone != account.zone, Mismatch::Zone),
        (earlier.offer != account.offer, Mismatch::Offer),
    ];
    checks.into_iter().find_map(|(differs, mismatch)| differs.then_some(mismatch))
}

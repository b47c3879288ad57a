//! The decision rule: whether an order applies, and its effect.
//!
//! Every change of a balance, in every engine, is an [`OrderEffect`] made here.
//! Replays are checked first, so a repeated order that was applied is never refused because of later events.

use std::fmt;
use std::time::Duration;

use pactolus_types::{Amount, Coins, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::debit::Debit;
use crate::gift::Gift;
use crate::order::{BillEntry, Numbering, Order, OrderEffect, OrderKind, Receipt};
use crate::refund::{GivenBack, Refund};

/// Decision on an order that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Store the order with this effect, and set the account to [`OrderEffect::after`].
    Apply(OrderEffect),
    /// Idempotent replay: the same order was applied before, with this receipt; nothing changes.
    Replay(&'a Receipt),
}

/// Reason why an order does not apply. Nothing changes, and the bill number stays unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bill number belongs to a different order.
    #[error("the bill number belongs to an order with another {0}")]
    BillNoTaken(Mismatch),
    /// The balance is below the amount of the pay or debit, or zero for a debit of what is available.
    #[error("the balance is {0}")]
    BalanceNotEnough(Coins),
    /// A sum of the account would exceed [`Coins::MAX`].
    #[error("the account's sums would exceed {}", Coins::MAX)]
    TooManyCoins,
    /// The gift exceeds the limit per order.
    #[error("one order may give at most {0} coins")]
    GiftTooLarge(Amount),
    /// The gift would exceed the account's daily limit.
    #[error("the daily limit of gifts is {max} coins, {left} of them left")]
    DailyGiftsTooLarge {
        /// The daily limit.
        max: Amount,
        /// The rest of today's limit.
        left: Coins,
    },
    /// No order has the bill number of the pay to give back.
    #[error("no pay has this bill number")]
    PayNotFound,
    /// The bill number of the pay to give back belongs to an order that is no pay, or to a pay of another account.
    #[error("the bill number belongs to an order with another {0}")]
    PayMismatch(Mismatch),
    /// The pay is older than the cancel window.
    #[error("the pay is older than its cancel window")]
    PastCancelWindow,
    /// All coins of the pay are given back.
    #[error("all coins of the pay are given back")]
    NothingLeft,
    /// The refund exceeds the coins of the pay that are left.
    #[error("{0} coins of the pay are left to give back")]
    MoreThanLeft(Coins),
}

/// First field in which an order differs from the earlier order of its bill number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The player.
    Player,
    /// The zone.
    Zone,
    /// The offer.
    Offer,
    /// Save, present, pay, debit or refund.
    Kind,
    /// The number of coins.
    Amount,
    /// The shortfall rule of a debit.
    Shortfall,
    /// The coins that a debit takes first.
    TakeFirst,
    /// The pay that a refund gives back.
    Pay,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Player => "player",
            Self::Zone => "zone",
            Self::Offer => "offer",
            Self::Kind => "kind",
            Self::Amount => "amount",
            Self::Shortfall => "shortfall rule",
            Self::TakeFirst => "kind of coins to take first",
            Self::Pay => "pay",
        })
    }
}

/// The entries of the numbers that an order names.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriorEntries<'a> {
    /// The entry of the order's own number.
    pub number: Option<&'a BillEntry>,
    /// For a refund, the entry of its pay's number.
    pub pay: Option<&'a BillEntry>,
}

impl<'a> From<Option<&'a BillEntry>> for PriorEntries<'a> {
    fn from(number: Option<&'a BillEntry>) -> Self {
        Self { number, pay: None }
    }
}

/// Decides `order` at `now`, given its `account` and the `earlier` entries of its numbers.
pub fn decide<'a>(
    account: &Account,
    earlier: impl Into<PriorEntries<'a>>,
    order: &Order,
    now: UnixMillis,
) -> Result<Decision<'a>, Refusal> {
    let earlier = earlier.into();
    let mut given_back = GivenBack::default();
    let (coins, gifted, after) = match (order.kind, earlier.number) {
        (
            OrderKind::Save(_)
            | OrderKind::Present(_)
            | OrderKind::Pay(_)
            | OrderKind::Debit(_)
            | OrderKind::Refund(_),
            Some(entry),
        ) => {
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
        (OrderKind::Debit(debit), None) => {
            let balance = account.balance();
            let taken = debit.take_from(balance, account.gifted());
            let (coins, gifted) = taken.ok_or(Refusal::BalanceNotEnough(balance))?;
            (coins, gifted, account.debit(coins, gifted).ok_or(Refusal::TooManyCoins)?)
        }
        (OrderKind::Refund(refund), None) => {
            let entry = earlier.pay.ok_or(Refusal::PayNotFound)?;
            let pay = pay_to_give_back(&entry.receipt, order, Numbering::OfAccount)?;
            check_age(pay, refund.window, now)?;
            let before = entry.cancel.as_ref().map_or_else(GivenBack::default, |last| last.given_back);
            let left = before.left_of(pay.coins);
            if left.is_zero() {
                return Err(Refusal::NothingLeft);
            }
            given_back =
                before.plus(refund.amount, pay.coins, pay.gifted).ok_or(Refusal::MoreThanLeft(left))?;
            let (coins, gifted) = given_back.since(before).ok_or(Refusal::MoreThanLeft(left))?;
            (coins, gifted, account.cancel(coins, gifted).ok_or(Refusal::TooManyCoins)?)
        }
        (OrderKind::Cancel { .. }, None) => return Err(Refusal::PayNotFound),
        (OrderKind::Cancel { window }, Some(entry)) => {
            let pay = pay_to_give_back(&entry.receipt, order, Numbering::OfApp)?;
            if let Some(cancel) = &entry.cancel {
                return Ok(Decision::Replay(cancel));
            }
            check_age(pay, Some(window), now)?;
            let after = account.cancel(pay.coins, pay.gifted).ok_or(Refusal::TooManyCoins)?;
            (pay.coins, pay.gifted, after)
        }
    };
    Ok(Decision::Apply(OrderEffect { at: now, coins, gifted, after, given_back }))
}

fn check_age(pay: &Receipt, window: Option<Duration>, now: UnixMillis) -> Result<(), Refusal> {
    match window {
        Some(window) if now.saturating_since(pay.at) > window => Err(Refusal::PastCancelWindow),
        Some(_) | None => Ok(()),
    }
}

fn check_limits(account: &Account, gift: Gift, now: UnixMillis) -> Result<(), Refusal> {
    if let Some(max) = gift.limits.per_order
        && gift.amount > max
    {
        return Err(Refusal::GiftTooLarge(max));
    }
    if let Some(limit) = gift.limits.per_day {
        let (max, given) = (limit.max, limit.count_at(account.daily_gifts(), now).coins);
        // A limit that was lowered meanwhile may already be exceeded.
        let left = max.coins().checked_sub(given).unwrap_or(Coins::ZERO);
        if gift.amount.coins() > left {
            return Err(Refusal::DailyGiftsTooLarge { max, left });
        }
    }
    Ok(())
}

/// Checks that `receipt` is a pay of the account of `order`, which gives it back.
///
/// Pays of one numbering are given back by cancels, those of the other by refunds, so that no pay has both.
fn pay_to_give_back<'a>(
    receipt: &'a Receipt,
    order: &Order,
    numbering: Numbering,
) -> Result<&'a Receipt, Refusal> {
    match receipt.order.kind {
        OrderKind::Pay(_) if receipt.order.numbering == numbering && order.numbering == numbering => {}
        OrderKind::Save(_)
        | OrderKind::Present(_)
        | OrderKind::Pay(_)
        | OrderKind::Cancel { .. }
        | OrderKind::Debit(_)
        | OrderKind::Refund(_) => {
            return Err(Refusal::PayMismatch(Mismatch::Kind));
        }
    }
    match account_mismatch(&receipt.order.account, &order.account) {
        None => Ok(receipt),
        Some(mismatch) => Err(Refusal::PayMismatch(mismatch)),
    }
}

/// First field in which two orders of one bill number differ. Memos and gift limits do not count.
fn order_mismatch(earlier: &Order, order: &Order) -> Option<Mismatch> {
    account_mismatch(&earlier.account, &order.account)
        .or_else(|| (earlier.kind.name() != order.kind.name()).then_some(Mismatch::Kind))
        .or_else(|| {
            let amounts = (earlier.kind.amount().map(Amount::get), order.kind.amount().map(Amount::get));
            (amounts.0 != amounts.1).then_some(Mismatch::Amount)
        })
        .or_else(|| {
            let OrderKind::Debit(earlier) = earlier.kind else { return None };
            let OrderKind::Debit(debit) = order.kind else { return None };
            debit_mismatch(earlier, debit)
        })
        .or_else(|| {
            let OrderKind::Refund(Refund { pay: earlier, .. }) = earlier.kind else { return None };
            let OrderKind::Refund(Refund { pay, .. }) = order.kind else { return None };
            (earlier != pay).then_some(Mismatch::Pay)
        })
}

/// First rule in which two debits differ: the receipt of one would mislead the caller of the other.
fn debit_mismatch(earlier: Debit, debit: Debit) -> Option<Mismatch> {
    if earlier.shortfall != debit.shortfall {
        return Some(Mismatch::Shortfall);
    }
    (earlier.first != debit.first).then_some(Mismatch::TakeFirst)
}

fn account_mismatch(earlier: &AccountKey, account: &AccountKey) -> Option<Mismatch> {
    let checks = [
        (earlier.player != account.player, Mismatch::Player),
        (earlier.zone != account.zone, Mismatch::Zone),
        (earlier.offer != account.offer, Mismatch::Offer),
    ];
    checks.into_iter().find_map(|(differs, mismatch)| differs.then_some(mismatch))
}

//! Orders and their receipts.

use std::fmt;
use std::time::Duration;

use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::debit::Debit;
use crate::gift::Gift;

/// A requested change of an account, under a bill number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The account to change.
    pub account: AccountKey,
    /// Idempotency key of the order; for a cancel, the bill number of the pay to refund.
    pub bill_no: BillNo,
    /// The change.
    pub kind: OrderKind,
    /// Notes of the caller; they do not affect the decision.
    pub memo: Memo,
}

impl Order {
    /// The bill number, qualified by app and environment.
    pub fn bill(&self) -> BillKey {
        BillKey { app: self.account.app, environment: self.account.environment, bill_no: self.bill_no }
    }
}

/// Kind of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Top up: coins that were paid for.
    Save(Amount),
    /// Give coins.
    Present(Gift),
    /// Take coins, gifted ones first.
    Pay(Amount),
    /// Refund the pay with this bill number, if it is not older than `window`.
    Cancel {
        /// Maximum age of the pay.
        window: Duration,
    },
    /// Take coins back for the operator.
    Debit(Debit),
}

impl OrderKind {
    /// The kind's name: `save`, `present`, `pay`, `cancel` or `debit`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Save(_) => "save",
            Self::Present(_) => "present",
            Self::Pay(_) => "pay",
            Self::Cancel { .. } => "cancel",
            Self::Debit(_) => "debit",
        }
    }

    /// The requested coins; `None` for a cancel, which moves the coins of its pay. A debit may move fewer.
    pub const fn amount(self) -> Option<Amount> {
        match self {
            Self::Save(amount) | Self::Pay(amount) => Some(amount),
            Self::Present(gift) => Some(gift.amount),
            Self::Debit(debit) => Some(debit.amount),
            Self::Cancel { .. } => None,
        }
    }
}

/// Notes of the caller: the item bought and a remark.
///
/// Each is at most [`Memo::BYTES_MAX`] bytes and often empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memo {
    item: Box<str>,
    remark: Box<str>,
}

/// A part of a memo exceeds [`Memo::BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is longer than {} bytes", Memo::BYTES_MAX)]
pub struct InvalidMemo;

impl Memo {
    /// Maximum length of an item or remark, in bytes of UTF-8.
    pub const BYTES_MAX: usize = 1024;

    /// A memo of an item and a remark.
    pub fn new(item: &str, remark: &str) -> Result<Self, InvalidMemo> {
        if item.len() > Self::BYTES_MAX || remark.len() > Self::BYTES_MAX {
            return Err(InvalidMemo);
        }
        Ok(Self { item: item.into(), remark: remark.into() })
    }

    /// The item bought.
    pub fn item(&self) -> &str {
        &self.item
    }

    /// The remark.
    pub fn remark(&self) -> &str {
        &self.remark
    }
}

/// Bill number with its scope: unique for ever per app and environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BillKey {
    /// The mini game.
    pub app: AppId,
    /// Live or sandbox.
    pub environment: Environment,
    /// The number.
    pub bill_no: BillNo,
}

impl fmt::Display for BillKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bill number {} of app {} ({})", self.bill_no, self.app, self.environment)
    }
}

/// Effect of an order: a receipt without its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderEffect {
    /// Time of the decision.
    pub at: UnixMillis,
    /// Coins moved.
    pub coins: Coins,
    /// The gifted part of `coins`.
    pub gifted: Coins,
    /// The account afterwards; its order count is the order's number in the statement.
    pub after: Account,
}

/// An applied order and its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The order as requested.
    pub order: Order,
    /// Time of the decision.
    pub at: UnixMillis,
    /// Coins moved.
    pub coins: Coins,
    /// The gifted part of `coins`.
    pub gifted: Coins,
    /// The account afterwards; its order count is the order's number in the statement.
    pub after: Account,
}

impl Receipt {
    /// The receipt of an order with this effect.
    pub fn new(order: Order, change: OrderEffect) -> Self {
        let OrderEffect { at, coins, gifted, after } = change;
        Self { order, at, coins, gifted, after }
    }

    /// The receipt without its order.
    pub const fn effect(&self) -> OrderEffect {
        OrderEffect { at: self.at, coins: self.coins, gifted: self.gifted, after: self.after }
    }
}

/// Entry of a bill number: its order and, for a cancelled pay, the cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillEntry {
    /// The save, present, pay or debit.
    pub receipt: Receipt,
    /// The cancel of the pay.
    pub cancel: Option<Receipt>,
}

//! Orders, and the receipts that the bank keeps of them.

use std::fmt;
use std::time::Duration;

use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::gift::Gift;

/// What somebody asks of an account, under a bill number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Whose coins.
    pub account: AccountKey,
    /// The order's name; for a cancel, the name of the pay to give back.
    pub bill_no: BillNo,
    /// What to do.
    pub kind: OrderKind,
    /// What the caller noted with it; it decides nothing.
    pub memo: Memo,
}

impl Order {
    /// The bill number with the space in which it is unique.
    pub fn bill(&self) -> BillKey {
        BillKey { app: self.account.app, environment: self.account.environment, bill_no: self.bill_no }
    }
}

/// What an order does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Top up: coins that were paid for.
    Save(Amount),
    /// Give coins.
    Present(Gift),
    /// Take coins, gifted ones first.
    Pay(Amount),
    /// Give back the coins of the pay with this bill number, if it is not older than `window`.
    Cancel {
        /// How long after the pay it may still be cancelled.
        window: Duration,
    },
}

impl OrderKind {
    /// The kind's name: `save`, `present`, `pay` or `cancel`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Save(_) => "save",
            Self::Present(_) => "present",
            Self::Pay(_) => "pay",
            Self::Cancel { .. } => "cancel",
        }
    }

    /// The coins it asks to move; a cancel moves what its pay took and names no amount itself.
    pub const fn amount(self) -> Option<Amount> {
        match self {
            Self::Save(amount) | Self::Pay(amount) => Some(amount),
            Self::Present(gift) => Some(gift.amount),
            Self::Cancel { .. } => None,
        }
    }
}

/// What a caller noted with an order: the item bought and a remark.
///
/// Each at most [`Memo::BYTES_MAX`] bytes of text, often empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memo {
    item: Box<str>,
    remark: Box<str>,
}

/// A part of a memo is longer than [`Memo::BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is longer than {} bytes", Memo::BYTES_MAX)]
pub struct InvalidMemo;

impl Memo {
    /// The longest item or remark, in bytes of UTF-8.
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

/// A bill number in its space: one number makes one order, for ever, per app and environment.
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

/// What an order did: a receipt without its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderEffect {
    /// When the bank decided it.
    pub at: UnixMillis,
    /// The coins moved.
    pub coins: Coins,
    /// The gifted ones among them.
    pub gifted: Coins,
    /// The account afterwards; its number of orders is the order's number in the account's statement.
    pub after: Account,
}

/// An order that was applied, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The order as it was asked for.
    pub order: Order,
    /// When the bank decided it.
    pub at: UnixMillis,
    /// The coins moved.
    pub coins: Coins,
    /// The gifted ones among them.
    pub gifted: Coins,
    /// The account afterwards; its number of orders is this order's number in the account's statement.
    pub after: Account,
}

impl Receipt {
    /// The receipt of an order that did this.
    pub fn new(order: Order, change: OrderEffect) -> Self {
        let OrderEffect { at, coins, gifted, after } = change;
        Self { order, at, coins, gifted, after }
    }

    /// What the order did.
    pub const fn effect(&self) -> OrderEffect {
        OrderEffect { at: self.at, coins: self.coins, gifted: self.gifted, after: self.after }
    }
}

/// All that a bill number made: an order, and its cancel if it was a pay and is cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillEntry {
    /// The save, present or pay.
    pub receipt: Receipt,
    /// The cancel of it.
    pub cancel: Option<Receipt>,
}

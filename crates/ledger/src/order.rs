//! Orders and their receipts.

use std::fmt;
use std::time::Duration;

use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, OfferId, OpenId, UnixMillis, ZoneId};

use crate::account::{Account, AccountKey};
use crate::debit::Debit;
use crate::gift::Gift;
use crate::refund::{GivenBack, Refund};

/// A requested change of an account, under a bill number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The account to change.
    pub account: AccountKey,
    /// Idempotency key of the order; for a cancel, the bill number of the pay to refund.
    pub bill_no: BillNo,
    /// The scope in which the number is unique.
    pub numbering: Numbering,
    /// The change.
    pub kind: OrderKind,
    /// Notes of the caller; they do not affect the decision.
    pub memo: Memo,
}

impl Order {
    /// The bill number with its scope.
    pub fn bill(&self) -> BillKey {
        self.numbering.key(&self.account, self.bill_no)
    }

    /// For a refund, the number of its pay with its scope.
    pub fn pay_bill(&self) -> Option<BillKey> {
        match self.kind {
            OrderKind::Refund(refund) => Some(self.numbering.key(&self.account, refund.pay)),
            OrderKind::Save(_)
            | OrderKind::Present(_)
            | OrderKind::Pay(_)
            | OrderKind::Cancel { .. }
            | OrderKind::Debit(_) => None,
        }
    }
}

/// The scope in which bill numbers are unique. The two never meet: a number of one is no repeat of the other's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Numbering {
    /// Per app and environment.
    #[default]
    OfApp,
    /// Per account, so that two players may each have an order of one number.
    OfAccount,
}

impl Numbering {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OfApp, Self::OfAccount];

    /// A number of this numbering, of an order of `account`.
    pub fn key(self, account: &AccountKey, bill_no: BillNo) -> BillKey {
        let holder = match self {
            Self::OfApp => None,
            Self::OfAccount => {
                Some(Holder { offer: account.offer, player: account.player, zone: account.zone })
            }
        };
        BillKey { app: account.app, environment: account.environment, holder, bill_no }
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
    /// Give back coins of a pay, under a number of its own.
    Refund(Refund),
}

impl OrderKind {
    /// The kind's name: `save`, `present`, `pay`, `cancel`, `debit` or `refund`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Save(_) => "save",
            Self::Present(_) => "present",
            Self::Pay(_) => "pay",
            Self::Cancel { .. } => "cancel",
            Self::Debit(_) => "debit",
            Self::Refund(_) => "refund",
        }
    }

    /// The requested coins; `None` for a cancel, which moves the coins of its pay. A debit may move fewer.
    pub const fn amount(self) -> Option<Amount> {
        match self {
            Self::Save(amount) | Self::Pay(amount) => Some(amount),
            Self::Present(gift) => Some(gift.amount),
            Self::Debit(debit) => Some(debit.amount),
            Self::Refund(refund) => Some(refund.amount),
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

/// Bill number with its scope: unique for ever per app and environment, or per account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BillKey {
    /// The mini game.
    pub app: AppId,
    /// Live or sandbox.
    pub environment: Environment,
    /// The account of a number that is unique per account; `None` for one that is unique per app.
    pub holder: Option<Holder>,
    /// The number.
    pub bill_no: BillNo,
}

/// The account whose numbers are apart, within its app and environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The coin.
    pub offer: OfferId,
    /// The player.
    pub player: OpenId,
    /// The zone.
    pub zone: ZoneId,
}

impl BillKey {
    /// A number that is unique per app and environment.
    pub const fn of_app(app: AppId, environment: Environment, bill_no: BillNo) -> Self {
        Self { app, environment, holder: None, bill_no }
    }

    /// The account of a number that is unique per account.
    pub fn account(&self) -> Option<AccountKey> {
        let Holder { offer, player, zone } = self.holder?;
        Some(AccountKey { app: self.app, environment: self.environment, offer, player, zone })
    }
}

impl fmt::Display for BillKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bill number {} of app {} ({})", self.bill_no, self.app, self.environment)?;
        match self.holder {
            None => Ok(()),
            Some(Holder { player, zone, .. }) => write!(f, ", player {player} in zone {zone}"),
        }
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
    /// For a refund, the sums of all refunds of its pay so far, itself included; zero for other orders.
    pub given_back: GivenBack,
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
    /// For a refund, the sums of all refunds of its pay so far, itself included; zero for other orders.
    pub given_back: GivenBack,
}

impl Receipt {
    /// The receipt of an order with this effect.
    pub fn new(order: Order, change: OrderEffect) -> Self {
        let OrderEffect { at, coins, gifted, after, given_back } = change;
        Self { order, at, coins, gifted, after, given_back }
    }

    /// The receipt without its order.
    pub const fn effect(&self) -> OrderEffect {
        let Self { at, coins, gifted, after, given_back, .. } = *self;
        OrderEffect { at, coins, gifted, after, given_back }
    }
}

/// Entry of a bill number: its order and, for a pay that was given back, the last order that did so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillEntry {
    /// The save, present, pay, debit or refund.
    pub receipt: Receipt,
    /// The cancel of the pay, or its last refund.
    pub cancel: Option<Receipt>,
}

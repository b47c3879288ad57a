//! Orders: posting one, looking one up, and the statement of an account.

use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, OfferId, OpenId, UnixMillis, ZoneId};
use serde::{Deserialize, Serialize};

use super::accounts::{AccountId, AccountSums};
use super::json::{number, or_null, text};
use crate::error::OrderOutcome;
use crate::requests::AppliedBy;

/// An order to post. The bill number is its idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The account.
    pub account: AccountId,
    /// The order's number; the app's own calls share the numbers.
    pub bill_no: BillNo,
    /// What the order does.
    pub kind: NewOrderKind,
    /// The item bought, for the record: at most 1,024 bytes.
    pub item: String,
    /// A note for the record: at most 1,024 bytes.
    pub remark: String,
}

/// The kinds of orders that an operator may post.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewOrderKind {
    /// Top up paid coins.
    Save(Amount),
    /// Give coins. The app's limits on gifts do not apply to the operator.
    Present(Amount),
    /// Take coins back, never below a balance of zero.
    Debit(Debit),
    /// Return the coins of the pay that has the bill number, within the app's cancel window.
    Cancel,
}

/// Coins to take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debit {
    /// The coins to take.
    pub coins: Amount,
    /// The rule for a balance below `coins`.
    pub shortfall: Shortfall,
    /// The coins to take first; the rest comes from the others.
    pub take_first: CoinPart,
}

/// Rule of a debit for a balance below its coins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shortfall {
    /// Refuse the debit.
    #[default]
    Refuse,
    /// Take the whole balance; refused if it is zero.
    TakeAvailable,
}

impl Shortfall {
    const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::TakeAvailable => "take_available",
        }
    }
}

/// A part of a balance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoinPart {
    /// Coins that were given, which a pay spends first.
    #[default]
    Gifted,
    /// Coins that were topped up.
    Paid,
}

impl CoinPart {
    const fn name(self) -> &'static str {
        match self {
            Self::Gifted => "gifted",
            Self::Paid => "paid",
        }
    }
}

impl NewOrder {
    /// An order without item and remark.
    pub const fn new(account: AccountId, bill_no: BillNo, kind: NewOrderKind) -> Self {
        Self { account, bill_no, kind, item: String::new(), remark: String::new() }
    }

    /// Fields that a conflict (409) names only if the number belongs to another order. Then no attempt of this order
    /// can be applied any more.
    pub(super) const fn identity_fields(&self) -> &'static [&'static str] {
        match self.kind {
            NewOrderKind::Save(_) | NewOrderKind::Present(_) => {
                &["openid", "zone_id", "offer_id", "kind", "coins"]
            }
            // "coins" may be a low balance, which can rise.
            NewOrderKind::Debit(_) => &["openid", "zone_id", "offer_id", "kind", "shortfall", "take_first"],
            NewOrderKind::Cancel => &[],
        }
    }
}

/// The body of an order: [`NewOrder`] without the app, which the path names.
#[derive(Serialize)]
pub(super) struct NewOrderBody<'a> {
    kind: &'static str,
    #[serde(with = "text")]
    env: Environment,
    #[serde(with = "text")]
    openid: OpenId,
    #[serde(with = "text")]
    zone_id: ZoneId,
    #[serde(with = "text")]
    bill_no: BillNo,
    #[serde(skip_serializing_if = "Option::is_none")]
    coins: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortfall: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    take_first: Option<&'static str>,
    item: &'a str,
    remark: &'a str,
}

impl<'a> From<&'a NewOrder> for NewOrderBody<'a> {
    fn from(NewOrder { account, bill_no, kind: kind_of, item, remark }: &'a NewOrder) -> Self {
        let (kind, coins) = match kind_of {
            NewOrderKind::Save(coins) => ("save", Some(*coins)),
            NewOrderKind::Present(coins) => ("present", Some(*coins)),
            NewOrderKind::Debit(debit) => ("debit", Some(debit.coins)),
            NewOrderKind::Cancel => ("cancel", None),
        };
        let debit = match kind_of {
            NewOrderKind::Debit(debit) => Some(debit),
            NewOrderKind::Save(_) | NewOrderKind::Present(_) | NewOrderKind::Cancel => None,
        };
        Self {
            kind,
            env: account.environment,
            openid: account.openid,
            zone_id: account.zone_id,
            bill_no: *bill_no,
            coins: coins.map(Amount::get),
            shortfall: debit.map(|debit| debit.shortfall.name()),
            take_first: debit.map(|debit| debit.take_first.name()),
            item,
            remark,
        }
    }
}

/// The reply to a post.
#[derive(Deserialize)]
pub(super) struct PostedOrderReply {
    /// Whether this is an idempotent replay; then `receipt` is the first one.
    replayed: bool,
    receipt: ReceiptDetails,
}

/// A posted order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedOrder {
    /// The order and its effect; on a replay the first receipt.
    pub receipt: ReceiptDetails,
    /// The attempt that applied the order.
    pub applied_by: AppliedBy,
}

impl PostedOrder {
    /// `earlier_attempts` is what is known of the attempts of this call before the last one.
    pub(super) fn new(reply: PostedOrderReply, earlier_attempts: OrderOutcome) -> Self {
        let applied_by = match (reply.replayed, earlier_attempts) {
            (false, _) => AppliedBy::ThisAttempt,
            (true, OrderOutcome::Unknown) => AppliedBy::EarlierAttempt,
            (true, OrderOutcome::NotApplied) => AppliedBy::EarlierCall,
        };
        Self { receipt: reply.receipt, applied_by }
    }
}

/// An applied order and its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the first fields name the account")]
pub struct ReceiptDetails {
    #[serde(with = "text")]
    pub appid: AppId,
    #[serde(with = "text")]
    pub env: Environment,
    #[serde(with = "text")]
    pub offer_id: OfferId,
    #[serde(with = "text")]
    pub openid: OpenId,
    #[serde(with = "text")]
    pub zone_id: ZoneId,
    /// The order's number; for a cancel, the number of its pay.
    #[serde(with = "text")]
    pub bill_no: BillNo,
    /// The scope in which the number is unique.
    pub numbering: ReceiptNumbering,
    /// For a refund, the number of its pay.
    #[serde(with = "or_null")]
    pub pay_bill_no: Option<BillNo>,
    /// The kind of the order.
    pub kind: ReceiptKind,
    /// Coins moved.
    #[serde(with = "number")]
    pub coins: Coins,
    /// Gifted part of `coins`.
    #[serde(with = "number")]
    pub gifted: Coins,
    /// Coins requested. A debit may take fewer, and moves `coins`.
    #[serde(with = "number")]
    pub requested: Coins,
    /// The item bought, as the caller noted it; may be empty.
    pub item: String,
    /// The caller's note; may be empty.
    pub remark: String,
    /// When the bank decided the order.
    #[serde(with = "number")]
    pub at_ms: UnixMillis,
    /// The account right after the order.
    pub after: AccountSums,
}

/// The scope in which a bill number is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptNumbering {
    /// The app and environment.
    App,
    /// The account, as numbers of `/wxa/game/*` and `/xpay/*` are.
    Account,
}

/// The kind of an order.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptKind {
    /// Tops up coins.
    Save,
    /// Gives coins.
    Present,
    /// Takes coins.
    Pay,
    /// Returns the coins of a pay.
    Cancel,
    /// Takes coins back for the operator.
    Debit,
    /// Returns coins of a pay under a number of its own.
    Refund,
    /// A kind of a later version.
    #[serde(other)]
    Other,
}

impl ReceiptKind {
    /// The name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Save => "save",
            Self::Present => "present",
            Self::Pay => "pay",
            Self::Cancel => "cancel",
            Self::Debit => "debit",
            Self::Refund => "refund",
            Self::Other => "other",
        }
    }
}

/// The orders under a bill number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderDetails {
    /// The order of this number.
    pub receipt: ReceiptDetails,
    /// The cancel of the pay, or its last refund.
    pub cancel: Option<ReceiptDetails>,
    /// Coins of the pay that its refunds gave back.
    #[serde(with = "number")]
    pub refunded: Coins,
}

/// A page of an account's orders to ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementPage {
    /// Most orders on the page, 1 to 100; the bank's default is 20.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// A page of an account's orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Newest first.
    pub orders: Vec<ReceiptDetails>,
    /// Cursor of the next page, to pass as `after`; `None` if there are no older orders.
    pub next: Option<String>,
}

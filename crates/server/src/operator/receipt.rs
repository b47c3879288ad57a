//! Receipts of the operator API.

use pactolus_ledger::{Numbering, OrderKind, Receipt};
use pactolus_types::{Amount, AppId, BillNo, Environment, OfferId, OpenId, ZoneId};
use schemars::JsonSchema;
use serde::Serialize;

use super::accounts::AccountSums;
use super::field::AsText;

/// An applied order and its effect.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReceiptDetails {
    appid: AsText<AppId>,
    env: AsText<Environment>,
    offer_id: AsText<OfferId>,
    openid: AsText<OpenId>,
    zone_id: AsText<ZoneId>,
    /// The order's number; for a cancel, the number of its pay.
    bill_no: AsText<BillNo>,
    /// The scope in which the number is unique.
    numbering: ReceiptNumbering,
    /// For a refund, the number of its pay; null for other orders.
    pay_bill_no: Option<AsText<BillNo>>,
    kind: ReceiptKind,
    /// Coins moved.
    coins: u64,
    /// Gifted part of `coins`.
    gifted: u64,
    /// Coins requested. A debit may take fewer, and moves `coins`.
    requested: u64,
    /// The item bought, as the caller noted it; may be empty.
    item: String,
    /// The caller's note; may be empty.
    remark: String,
    /// When the bank decided the order, in milliseconds since 1970.
    at_ms: u64,
    /// The account right after the order.
    after: AccountSums,
}

/// The kind of an order.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ReceiptKind {
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
    /// Returns coins of a pay, under a number of its own.
    Refund,
}

/// The scope in which a number is unique.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Numbering")]
enum ReceiptNumbering {
    /// The app and its environment.
    App,
    /// The account.
    Account,
}

impl From<OrderKind> for ReceiptKind {
    fn from(kind: OrderKind) -> Self {
        match kind {
            OrderKind::Save(..) => Self::Save,
            OrderKind::Present(..) => Self::Present,
            OrderKind::Pay(..) => Self::Pay,
            OrderKind::Cancel { .. } => Self::Cancel,
            OrderKind::Debit(..) => Self::Debit,
            OrderKind::Refund(..) => Self::Refund,
        }
    }
}

impl From<&Receipt> for ReceiptDetails {
    fn from(receipt: &Receipt) -> Self {
        let order = &receipt.order;
        Self {
            appid: AsText(order.account.app),
            env: AsText(order.account.environment),
            offer_id: AsText(order.account.offer),
            openid: AsText(order.account.player),
            zone_id: AsText(order.account.zone),
            bill_no: AsText(order.bill_no),
            numbering: match order.numbering {
                Numbering::OfApp => ReceiptNumbering::App,
                Numbering::OfAccount => ReceiptNumbering::Account,
            },
            pay_bill_no: order.pay_bill().map(|pay| AsText(pay.bill_no)),
            kind: order.kind.into(),
            coins: receipt.coins.get(),
            gifted: receipt.gifted.get(),
            requested: order.kind.amount().map_or(receipt.coins, Amount::coins).get(),
            item: order.memo.item().to_owned(),
            remark: order.memo.remark().to_owned(),
            at_ms: receipt.at.get(),
            after: AccountSums::from(&receipt.after),
        }
    }
}

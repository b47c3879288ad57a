//! What the operator API tells of an order that was applied.

use pactolus_ledger::{OrderKind, Receipt};
use pactolus_types::{AppId, BillNo, Environment, OfferId, OpenId, ZoneId};
use schemars::JsonSchema;
use serde::Serialize;

use super::accounts::AccountSums;
use super::field::AsText;

/// An order that was applied, and what it did.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ReceiptDetails {
    appid: AsText<AppId>,
    env: AsText<Environment>,
    offer_id: AsText<OfferId>,
    openid: AsText<OpenId>,
    zone_id: AsText<ZoneId>,
    /// The order's number; of a cancel, the number of its pay.
    bill_no: AsText<BillNo>,
    kind: ReceiptKind,
    /// The coins moved.
    coins: u64,
    /// The gifted ones among them.
    gifted: u64,
    /// The item bought, as the caller noted it; often empty.
    item: String,
    /// What else the caller noted; often empty.
    remark: String,
    /// When the bank decided it, in milliseconds since 1970.
    at_ms: u64,
    /// The account right after it.
    after: AccountSums,
}

/// What an order does.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ReceiptKind {
    /// Tops up.
    Save,
    /// Gives.
    Present,
    /// Takes.
    Pay,
    /// Gives back what a pay took.
    Cancel,
}

impl From<OrderKind> for ReceiptKind {
    fn from(kind: OrderKind) -> Self {
        match kind {
            OrderKind::Save(..) => Self::Save,
            OrderKind::Present(..) => Self::Present,
            OrderKind::Pay(..) => Self::Pay,
            OrderKind::Cancel { .. } => Self::Cancel,
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
            kind: order.kind.into(),
            coins: receipt.coins.get(),
            gifted: receipt.gifted.get(),
            item: order.memo.item().to_owned(),
            remark: order.memo.remark().to_owned(),
            at_ms: receipt.at.get(),
            after: AccountSums::from(&receipt.after),
        }
    }
}

//! Order endpoints: posts without a player's signature, and lookup by bill number.
//!
//! They share the bill numbers of the app's own calls, so the operator can finish a present that a back end could
//! not.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pactolus_ledger::{BillKey, Memo, Mismatch, Order, OrderKind, PostError, Posted, Refusal};
use pactolus_types::{Amount, AppId, BillNo, Coins, Environment, OpenId, ZoneId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::accounts::{account_key, default_zone};
use super::extract::{JsonBody, Path, Query};
use super::field::TextParam;
use super::problem::Problem;
use super::receipt::ReceiptDetails;
use super::{AppPath, find_app};
use crate::settings::AppSettings;
use crate::state::AppState;

/// Coins to top up or to give.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    kind: NewOrderKind,
    env: TextParam<Environment>,
    openid: TextParam<OpenId>,
    /// Defaults to `1`, the zone of games without zones.
    #[serde(default = "default_zone")]
    zone_id: TextParam<ZoneId>,
    /// Idempotency key: the same number again is the same order and changes nothing.
    bill_no: TextParam<BillNo>,
    #[schemars(range(min = 1, max = Coins::MAX.get()))]
    coins: u64,
    /// The item bought, for the record: at most 1,024 bytes.
    #[serde(default)]
    #[schemars(length(max = Memo::BYTES_MAX))]
    item: String,
    /// A note for the record: at most 1,024 bytes.
    #[serde(default)]
    #[schemars(length(max = Memo::BYTES_MAX))]
    remark: String,
}

/// The kinds of orders that the operator may post.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum NewOrderKind {
    /// Top up paid coins.
    Save,
    /// Give coins.
    Present,
}

/// A posted order.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PostedOrder {
    /// Whether this is an idempotent replay; then `receipt` is the first one.
    replayed: bool,
    receipt: ReceiptDetails,
}

/// 201 for a new order, 200 for an idempotent replay.
pub(crate) async fn post(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<AppPath>,
    JsonBody(new): JsonBody<NewOrder>,
) -> Result<PostedOrder, Problem> {
    let order = new.to_order(&*find_app(&bank, path.appid.as_str())?)?;
    let bill_no = order.bill_no;
    let (replayed, receipt) = match bank.ledger.post(order, bank.now()).await {
        Ok(Posted::Applied(receipt)) => (false, receipt),
        Ok(Posted::Replayed { receipt, .. }) => (true, receipt),
        Err(error) => return Err(problem(error, bill_no)),
    };
    Ok(PostedOrder { replayed, receipt: ReceiptDetails::from(&receipt) })
}

impl NewOrder {
    fn to_order(&self, app: &AppSettings) -> Result<Order, Problem> {
        let account = account_key(app, &self.env, &self.openid, &self.zone_id)?;
        let bill_no = self.bill_no.parse("bill_no")?;
        let amount = Amount::new(self.coins).map_err(|error| Problem::invalid("coins", error))?;
        let kind = match self.kind {
            NewOrderKind::Save => OrderKind::Save(amount),
            NewOrderKind::Present => OrderKind::Present(amount.into()),
        };
        let memo = Memo::new(&self.item, &self.remark).map_err(|error| {
            let too_long = if self.item.len() > Memo::BYTES_MAX { "item" } else { "remark" };
            Problem::invalid(too_long, error)
        })?;
        Ok(Order { account, bill_no, kind, memo })
    }
}

impl IntoResponse for PostedOrder {
    fn into_response(self) -> Response {
        let status = if self.replayed { StatusCode::OK } else { StatusCode::CREATED };
        (status, axum::Json(self)).into_response()
    }
}

fn problem(error: PostError, bill_no: BillNo) -> Problem {
    match error {
        PostError::Unavailable(error) => error.into(),
        PostError::Refused(Refusal::BillNoTaken(mismatch)) => {
            let field = mismatched_field(mismatch);
            Problem::conflict(
                field,
                format!("the order with bill_no {bill_no} has another {field}; nothing changed"),
            )
        }
        PostError::Refused(Refusal::TooManyCoins) => Problem::invalid(
            "coins",
            format_args!("is too large; the coins that the account ever received would pass {}", Coins::MAX),
        ),
        // The other refusals are of limited gifts, pays and cancels, which the operator does not post.
        PostError::Refused(
            refusal @ (Refusal::GiftTooLarge(_)
            | Refusal::DailyGiftsTooLarge { .. }
            | Refusal::BalanceNotEnough(_)
            | Refusal::PayNotFound
            | Refusal::PayMismatch(_)
            | Refusal::PastCancelWindow),
        ) => Problem::conflict("kind", refusal.to_string()),
    }
}

/// The field of [`NewOrder`] that differs; the offer is the app's.
fn mismatched_field(mismatch: Mismatch) -> &'static str {
    match mismatch {
        Mismatch::Player => "openid",
        Mismatch::Zone => "zone_id",
        Mismatch::Offer => "offer_id",
        Mismatch::Kind => "kind",
        Mismatch::Amount => "coins",
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct BillPath {
    appid: TextParam<AppId>,
    bill_no: TextParam<BillNo>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvironmentQuery {
    env: TextParam<Environment>,
}

/// The orders under a bill number.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FiledOrder")]
pub(crate) struct OrderDetails {
    /// The save, present or pay.
    receipt: ReceiptDetails,
    /// The cancel of the pay.
    cancel: Option<ReceiptDetails>,
}

pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<BillPath>,
    Query(query): Query<EnvironmentQuery>,
) -> Result<axum::Json<OrderDetails>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    let environment = query.env.parse("env")?;
    let bill = BillKey { app: app.appid, environment, bill_no: path.bill_no.parse("bill_no")? };
    let entry = bank.ledger.order(bill).await?;
    let filed = entry.ok_or_else(|| {
        Problem::not_found(format!("no order has bill_no {} in {environment}", bill.bill_no))
    })?;
    Ok(axum::Json(OrderDetails {
        receipt: ReceiptDetails::from(&filed.receipt),
        cancel: filed.cancel.as_ref().map(ReceiptDetails::from),
    }))
}

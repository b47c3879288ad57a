//! Orders that the operator posts, without a player's signature, and what a bill number made.
//!
//! They share the bill numbers of the app's own calls: a gift that a back end could not finish may be finished here.

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
    /// Where it is not given, the zone of games without zones.
    #[serde(default = "default_zone")]
    zone_id: TextParam<ZoneId>,
    /// The order's number: the same one again is the same order, and changes nothing.
    bill_no: TextParam<BillNo>,
    #[schemars(range(min = 1, max = Coins::MAX.get()))]
    coins: u64,
    /// The item bought, for the record: at most 1,024 bytes.
    #[serde(default)]
    #[schemars(length(max = Memo::BYTES_MAX))]
    item: String,
    /// What else there is to note: at most 1,024 bytes.
    #[serde(default)]
    #[schemars(length(max = Memo::BYTES_MAX))]
    remark: String,
}

/// What the operator may post.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum NewOrderKind {
    /// Top up: coins that were paid for.
    Save,
    /// Give coins.
    Present,
}

/// An order that is in the bank.
#[derive(Serialize, JsonSchema)]
pub(crate) struct PostedOrder {
    /// Whether it was there before; then `receipt` is the first one.
    replayed: bool,
    receipt: ReceiptDetails,
}

/// Tops up or gives, once for each bill number.
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

/// Why an order of the operator's was not applied.
fn problem(error: PostError, bill_no: BillNo) -> Problem {
    match error {
        PostError::Unavailable(error) => error.into(),
        PostError::Refused(Refusal::BillNoTaken(differs)) => {
            let field = mismatched_field(differs);
            Problem::conflict(
                field,
                format!("the order with bill_no {bill_no} has another {field}; nothing changed"),
            )
        }
        PostError::Refused(Refusal::TooManyCoins) => Problem::invalid(
            "coins",
            format_args!("is too large; the coins that the account ever received would pass {}", Coins::MAX),
        ),
        // What is left is said of limited gifts, pays and cancels, which the operator does not post.
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

/// The field of [`NewOrder`] for what differs; the offer is the app's.
fn mismatched_field(differs: Mismatch) -> &'static str {
    match differs {
        Mismatch::Player => "openid",
        Mismatch::Zone => "zone_id",
        Mismatch::Offer => "offer_id",
        Mismatch::Kind => "kind",
        Mismatch::Amount => "coins",
    }
}

/// A bill number of an app.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct BillPath {
    appid: TextParam<AppId>,
    bill_no: TextParam<BillNo>,
}

/// In which of the two banks of an app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EnvironmentQuery {
    env: TextParam<Environment>,
}

/// All that a bill number made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FiledOrder")]
pub(crate) struct OrderDetails {
    /// The save, present or pay.
    receipt: ReceiptDetails,
    /// The cancel of it.
    cancel: Option<ReceiptDetails>,
}

/// Tells what a bill number made.
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
        Problem::not_found(format!("bill_no {} made no order in {environment}", bill.bill_no))
    })?;
    Ok(axum::Json(OrderDetails {
        receipt: ReceiptDetails::from(&filed.receipt),
        cancel: filed.cancel.as_ref().map(ReceiptDetails::from),
    }))
}

//! Order endpoints: posts without a player's signature, and lookup by bill number. Read next: `new_order`.
//!
//! They share the bill numbers of the app's own calls, so the operator can finish a present that a back end could
//! not.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use pactolus_ledger::{AccountKey, BillKey, Mismatch, Numbering, PostError, Posted, Refusal};
use pactolus_types::{AppId, BillNo, Coins, Environment, OpenId, ZoneId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::extract::{JsonBody, Path, Query};
use super::field::TextParam;
use super::new_order::NewOrder;
use super::problem::Problem;
use super::receipt::ReceiptDetails;
use super::{AppPath, find_app};
use crate::settings::AppSettings;
use crate::state::AppState;

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
    let app = find_app(&bank, path.appid.as_str())?;
    let order = new.to_order(&app)?;
    let bill_no = order.bill_no;
    let (replayed, receipt) = match bank.post(&app, order, bank.now()).await {
        Ok(Posted::Applied(receipt)) => (false, receipt),
        Ok(Posted::Replayed { receipt, .. }) => (true, receipt),
        Err(error) => return Err(problem(error, bill_no)),
    };
    Ok(PostedOrder { replayed, receipt: ReceiptDetails::from(&receipt) })
}

impl IntoResponse for PostedOrder {
    fn into_response(self) -> Response {
        let status = if self.replayed { StatusCode::OK } else { StatusCode::CREATED };
        (status, axum::Json(self)).into_response()
    }
}

fn problem(error: PostError, bill_no: BillNo) -> Problem {
    let refusal = match error {
        PostError::Unavailable(error) => return error.into(),
        PostError::Refused(refusal) => refusal,
    };
    match refusal {
        Refusal::BillNoTaken(mismatch) => {
            let field = mismatched_field(mismatch);
            Problem::conflict(
                field,
                format!("the order with bill_no {bill_no} has another {field}; nothing changed"),
            )
        }
        Refusal::PayMismatch(Mismatch::Kind) => Problem::conflict(
            "bill_no",
            format!("the order with bill_no {bill_no} is not a pay; nothing changed"),
        ),
        Refusal::PayMismatch(mismatch) => {
            let field = mismatched_field(mismatch);
            Problem::conflict(
                field,
                format!("the pay with bill_no {bill_no} has another {field}; nothing changed"),
            )
        }
        Refusal::PayNotFound => {
            Problem::conflict("bill_no", format!("no pay has bill_no {bill_no}; nothing changed"))
        }
        Refusal::PastCancelWindow => Problem::conflict(
            "bill_no",
            format!("the pay with bill_no {bill_no} is older than the app's cancel window; nothing changed"),
        ),
        Refusal::BalanceNotEnough(Coins::ZERO) => {
            Problem::conflict("coins", "the balance is 0, so there is nothing to take; nothing changed")
        }
        Refusal::BalanceNotEnough(balance) => Problem::conflict(
            "coins",
            format!(
                "the balance is {balance}, and a debit never goes below 0; nothing changed. With \"shortfall\": \
                 \"take_available\" it takes what is there"
            ),
        ),
        Refusal::TooManyCoins => Problem::invalid(
            "coins",
            format_args!("is too large; the coins that the account ever received would pass {}", Coins::MAX),
        ),
        // Of limited gifts and of refunds, which the operator does not post.
        Refusal::GiftTooLarge(_)
        | Refusal::DailyGiftsTooLarge { .. }
        | Refusal::NothingLeft
        | Refusal::MoreThanLeft(_) => Problem::conflict("kind", refusal.to_string()),
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
        Mismatch::Shortfall => "shortfall",
        Mismatch::TakeFirst => "take_first",
        // Of refunds, which the operator does not post.
        Mismatch::Pay => "pay_bill_no",
    }
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct BillPath {
    appid: TextParam<AppId>,
    bill_no: TextParam<BillNo>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderQuery {
    env: TextParam<Environment>,
    /// The player of a number that is unique per account, as numbers of `/wxa/game/*` and `/xpay/*` are. Without it the
    /// number is one of the app.
    #[serde(default)]
    #[schemars(with = "TextParam<OpenId>")]
    openid: Option<TextParam<OpenId>>,
    /// The zone of that player; `1` by default.
    #[serde(default)]
    #[schemars(with = "TextParam<ZoneId>")]
    zone_id: Option<TextParam<ZoneId>>,
}

impl OrderQuery {
    fn bill(&self, app: &AppSettings, bill_no: BillNo) -> Result<BillKey, Problem> {
        let environment = self.env.parse("env")?;
        match (&self.openid, &self.zone_id) {
            (None, None) => Ok(BillKey::of_app(app.appid, environment, bill_no)),
            (None, Some(_)) => Err(Problem::invalid("zone_id", "needs openid beside it")),
            (Some(openid), zone) => {
                let zone = zone.as_ref().map(|zone| zone.parse("zone_id")).transpose()?;
                let account = AccountKey {
                    app: app.appid,
                    environment,
                    offer: app.offer_id,
                    player: openid.parse("openid")?,
                    zone: zone.unwrap_or_else(default_zone),
                };
                Ok(Numbering::OfAccount.key(&account, bill_no))
            }
        }
    }
}

/// The zone of apps without zones.
fn default_zone() -> ZoneId {
    ZoneId::new("1").expect("it is a valid zone")
}

/// The orders under a bill number.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FiledOrder")]
pub(crate) struct OrderDetails {
    /// The save, present, pay, debit or refund.
    receipt: ReceiptDetails,
    /// The cancel of the pay, or its last refund.
    cancel: Option<ReceiptDetails>,
    /// Coins of the pay that its refunds gave back.
    refunded: u64,
}

pub(crate) async fn get(
    State(bank): State<Arc<AppState>>,
    Path(path): Path<BillPath>,
    Query(query): Query<OrderQuery>,
) -> Result<axum::Json<OrderDetails>, Problem> {
    let app = find_app(&bank, path.appid.as_str())?;
    let bill = query.bill(&app, path.bill_no.parse("bill_no")?)?;
    let entry = bank.ledger.order(bill).await?;
    let filed = entry.ok_or_else(|| {
        let whose = bill.holder.map_or_else(String::new, |holder| {
            format!(" of the player {} in zone {}", holder.player, holder.zone)
        });
        Problem::not_found(format!("no order{whose} has bill_no {} in {}", bill.bill_no, bill.environment))
    })?;
    let given_back = filed.cancel.as_ref().map(|last| last.given_back.coins);
    Ok(axum::Json(OrderDetails {
        receipt: ReceiptDetails::from(&filed.receipt),
        cancel: filed.cancel.as_ref().map(ReceiptDetails::from),
        refunded: given_back.unwrap_or(Coins::ZERO).get(),
    }))
}

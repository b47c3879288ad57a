//! Every route of the bank.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, put};

use crate::bank::Bank;
use crate::operator::problem::Problem;
use crate::operator::{accounts, sessions};
use crate::{answer, health, midas, operator, platform};

/// Every route of `bank`.
pub fn router(bank: Arc<Bank>) -> Router {
    // The Midas calls take every method, because refusing one is theirs to do, in their own words.
    let platform = Router::new()
        .route("/cgi-bin/midas/present", any(midas::present))
        .route("/cgi-bin/midas/getbalance", any(midas::get_balance))
        .route("/cgi-bin/midas/pay", any(midas::pay))
        .route("/cgi-bin/midas/cancelpay", any(midas::cancel_pay))
        .route("/cgi-bin/midas/sandbox/present", any(midas::present))
        .route("/cgi-bin/midas/sandbox/getbalance", any(midas::get_balance))
        .route("/cgi-bin/midas/sandbox/pay", any(midas::pay))
        .route("/cgi-bin/midas/sandbox/cancelpay", any(midas::cancel_pay))
        .route("/cgi-bin/token", get(platform::token))
        .layer(from_fn_with_state(Arc::clone(&bank), answer::answer));

    let operator = Router::new()
        .route("/api/v1/apps/{appid}/players/{openid}/session", put(sessions::put))
        .route("/api/v1/apps/{appid}/accounts", get(accounts::get))
        .layer(from_fn_with_state(Arc::clone(&bank), operator::authorize));

    let health = Router::new().route("/healthz", get(health::healthz)).route("/readyz", get(health::readyz));

    platform
        .merge(operator)
        .merge(health)
        .fallback(async || Problem::not_found("this bank has no such path"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(bank)
}

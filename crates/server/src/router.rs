//! Every route of the bank.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get, post, put};

use crate::bank::Bank;
use crate::operator::problem::Problem;
use crate::operator::{
    accounts, clock, codes, faults as rules, orders, rejections, sessions, statement, totals,
};
use crate::{answer, faults, health, midas, openapi, operator, platform};

/// Every route of `bank`.
pub fn router(bank: Arc<Bank>) -> Router {
    // The Midas calls take every method, because refusing one is theirs to do, in their own words.
    let sandbox = Router::new()
        .route("/cgi-bin/midas/sandbox/present", any(midas::present))
        .route("/cgi-bin/midas/sandbox/getbalance", any(midas::get_balance))
        .route("/cgi-bin/midas/sandbox/pay", any(midas::pay))
        .route("/cgi-bin/midas/sandbox/cancelpay", any(midas::cancel_pay))
        .layer(from_fn_with_state(Arc::clone(&bank), faults::inject::inject));

    let logins = Router::new()
        .route("/cgi-bin/token", get(platform::token))
        .route("/cgi-bin/stable_token", any(platform::stable_token))
        .route("/sns/jscode2session", get(platform::login::jscode2session))
        .route_layer(from_fn(answer::to_the_end));

    let platform = Router::new()
        .route("/cgi-bin/midas/present", any(midas::present))
        .route("/cgi-bin/midas/getbalance", any(midas::get_balance))
        .route("/cgi-bin/midas/pay", any(midas::pay))
        .route("/cgi-bin/midas/cancelpay", any(midas::cancel_pay))
        .route("/wxa/checksession", get(platform::login::check_session))
        .merge(sandbox)
        .merge(logins)
        .layer(from_fn_with_state(Arc::clone(&bank), answer::answer));

    let pushed_logins = Router::new()
        .route("/api/v1/apps/{appid}/players/{openid}/session", put(sessions::put))
        .route("/api/v1/apps/{appid}/players/{openid}/code", post(codes::post))
        .route_layer(from_fn(answer::to_the_end));

    let operator = Router::new()
        .merge(pushed_logins)
        .route("/api/v1/clock", get(clock::get).post(clock::post))
        .route("/api/v1/apps/{appid}/accounts", get(accounts::get))
        .route("/api/v1/rejections", get(rejections::list))
        .route("/api/v1/rejections/{rid}", get(rejections::get))
        .route("/api/v1/apps/{appid}/orders", post(orders::post))
        .route("/api/v1/apps/{appid}/orders/{bill_no}", get(orders::get))
        .route("/api/v1/apps/{appid}/statement", get(statement::get))
        .route("/api/v1/apps/{appid}/totals", get(totals::get))
        .route("/api/v1/apps/{appid}/faults", get(rules::get).put(rules::put))
        .layer(from_fn_with_state(Arc::clone(&bank), operator::authorize));

    let health = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/api/v1/openapi.json", get(openapi::get));

    platform
        .merge(operator)
        .merge(health)
        .fallback(async || Problem::not_found("this bank has no such path"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .with_state(bank)
}

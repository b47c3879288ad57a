//! The calls of the operator API, one method each.

use std::time::Duration;

use hyper::Method;
use pactolus_protocol::{Rid, SessionKey};
use pactolus_types::{AppId, BillNo, Environment, OpenId};
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

use super::OperatorClient;
use super::accounts::{AccountDetails, AccountId};
use super::clock::{ClockChange, ClockDetails};
use super::error::OperatorError;
use super::faults::{FaultRule, FaultRuleStatus};
use super::orders::{
    NewOrder, NewOrderBody, OrderDetails, PostedOrder, PostedOrderReply, Statement, StatementPage,
};
use super::rejections::{RejectionDetails, RejectionList};
use super::request::{OperatorRequest, PercentEncoded, RetrySafety};
use super::retry::call_with_retries;
use super::sessions::{IssuedCode, NewSessionBody, SessionDetails};
use super::totals::{CalendarDay, PeriodTotals};
use crate::error::OrderOutcome;

impl OperatorClient {
    /// An account and its sums.
    pub async fn account(&self, account: &AccountId) -> Result<AccountDetails, OperatorError> {
        self.get("account", format!("{}/accounts?{}", app(account.appid), account_query(account))).await
    }

    /// Posts an order, once per bill number. A replay is a success that changes nothing, with its
    /// [`AppliedBy`](crate::AppliedBy).
    pub async fn post_order(&self, order: &NewOrder) -> Result<PostedOrder, OperatorError> {
        let path = format!("{}/orders", app(order.account.appid));
        let body = NewOrderBody::from(order);
        let request = OperatorRequest::send(Method::POST, path, &body, RetrySafety::Idempotent);
        let request = OperatorRequest { identity_fields: order.identity_fields(), ..request };
        let (reply, earlier_attempts) = self.call_in_span::<PostedOrderReply>("post_order", request).await?;
        Ok(PostedOrder::new(reply, earlier_attempts))
    }

    /// The order recorded under a bill number of the app. Without one the bank answers 404.
    pub async fn order(
        &self,
        appid: AppId,
        environment: Environment,
        bill_no: BillNo,
    ) -> Result<OrderDetails, OperatorError> {
        let bill_no = PercentEncoded(bill_no);
        self.get("order", format!("{}/orders/{bill_no}?env={environment}", app(appid))).await
    }

    /// The order recorded under a bill number that is unique per account, as numbers of `/wxa/game/*` and `/xpay/*`
    /// are. Without one the bank answers 404.
    pub async fn order_of_account(
        &self,
        account: &AccountId,
        bill_no: BillNo,
    ) -> Result<OrderDetails, OperatorError> {
        let (app, bill_no) = (app(account.appid), PercentEncoded(bill_no));
        self.get("order", format!("{app}/orders/{bill_no}?{}", account_query(account))).await
    }

    /// A page of an account's orders, newest first.
    pub async fn statement(
        &self,
        account: &AccountId,
        page: &StatementPage,
    ) -> Result<Statement, OperatorError> {
        let limit = page.limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
        let after =
            page.after.as_ref().map(|after| format!("&after={}", PercentEncoded(after))).unwrap_or_default();
        let query = account_query(account);
        self.get("statement", format!("{}/statement?{query}{limit}{after}", app(account.appid))).await
    }

    /// The totals of a range of days, both included.
    pub async fn totals(
        &self,
        appid: AppId,
        environment: Environment,
        from: CalendarDay,
        to: CalendarDay,
    ) -> Result<PeriodTotals, OperatorError> {
        let path = format!("{}/totals?env={environment}&from={from}&to={to}", app(appid));
        self.get("totals", path).await
    }

    /// Stores a player's session in place of the current one, for `lifetime` in whole seconds.
    pub async fn put_session(
        &self,
        appid: AppId,
        openid: OpenId,
        key: &SessionKey,
        lifetime: Duration,
    ) -> Result<SessionDetails, OperatorError> {
        let path = format!("{}/players/{}/session", app(appid), PercentEncoded(openid));
        let body = NewSessionBody::new(key, lifetime);
        self.call("put_session", OperatorRequest::send(Method::PUT, path, &body, RetrySafety::Idempotent))
            .await
    }

    /// Issues a one-time login code. One that is lost with its reply expires unused.
    pub async fn issue_login_code(&self, appid: AppId, openid: OpenId) -> Result<IssuedCode, OperatorError> {
        let path = format!("{}/players/{}/code", app(appid), PercentEncoded(openid));
        let request = OperatorRequest { method: Method::POST, ..OperatorRequest::get(path) };
        self.call("issue_login_code", OperatorRequest { repetition: RetrySafety::Idempotent, ..request })
            .await
    }

    /// The fault rules of an app's sandbox.
    pub async fn faults(&self, appid: AppId) -> Result<Vec<FaultRuleStatus>, OperatorError> {
        self.get("faults", format!("{}/faults", app(appid))).await
    }

    /// Replaces the fault rules of an app's sandbox; an empty list removes them.
    pub async fn set_faults(
        &self,
        appid: AppId,
        rules: &[FaultRule],
    ) -> Result<Vec<FaultRuleStatus>, OperatorError> {
        let path = format!("{}/faults", app(appid));
        self.call("set_faults", OperatorRequest::send(Method::PUT, path, rules, RetrySafety::Idempotent))
            .await
    }

    /// The newest rejections of calls, at most `limit` (1 to 100).
    pub async fn rejections(&self, limit: u32) -> Result<RejectionList, OperatorError> {
        self.get("rejections", format!("/api/v1/rejections?limit={limit}")).await
    }

    /// A rejection with its diagnosis. The bank answers 404 once it has evicted it.
    pub async fn rejection(&self, rid: Rid) -> Result<RejectionDetails, OperatorError> {
        self.get("rejection", format!("/api/v1/rejections/{rid}")).await
    }

    /// The bank's clock.
    pub async fn clock(&self) -> Result<ClockDetails, OperatorError> {
        self.get("clock", CLOCK.to_owned()).await
    }

    /// Changes a manual clock.
    pub async fn set_clock(&self, change: ClockChange) -> Result<ClockDetails, OperatorError> {
        let repetition = match change {
            ClockChange::Set(_) => RetrySafety::Idempotent,
            ClockChange::AdvanceSeconds(_) => RetrySafety::Additive,
        };
        let request = OperatorRequest::send(Method::POST, CLOCK.to_owned(), &change, repetition);
        self.call("set_clock", request).await
    }

    async fn get<T: DeserializeOwned>(&self, call: &'static str, path: String) -> Result<T, OperatorError> {
        self.call(call, OperatorRequest::get(path)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        call: &'static str,
        request: OperatorRequest,
    ) -> Result<T, OperatorError> {
        self.call_in_span(call, request).await.map(|(reply, _)| reply)
    }

    /// The reply, and what is known of the attempts before the last one.
    async fn call_in_span<T: DeserializeOwned>(
        &self,
        call: &'static str,
        request: OperatorRequest,
    ) -> Result<(T, OrderOutcome), OperatorError> {
        let span = tracing::debug_span!("operator", call);
        call_with_retries(&self.0, &request).instrument(span).await
    }
}

const CLOCK: &str = "/api/v1/clock";

fn app(appid: AppId) -> String {
    format!("/api/v1/apps/{}", PercentEncoded(appid))
}

fn account_query(account: &AccountId) -> String {
    let AccountId { environment, openid, zone_id, .. } = account;
    format!("env={environment}&openid={}&zone_id={}", PercentEncoded(openid), PercentEncoded(zone_id))
}

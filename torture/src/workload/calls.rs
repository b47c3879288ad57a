//! The game's signed calls, and their answers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hyper::Method;
use pactolus_protocol::reply::parse_reply;
use pactolus_protocol::{
    BalanceReply, Call, CancelPay, CancelPayReply, GetBalance, Pay, PayReply, Present, PresentReply,
    ReplyOutcome, signed_body,
};
use pactolus_test_support::sample::{access_token, caller, midas_key, session_key};
use pactolus_types::{Amount, BillNo, Environment};

use super::http::{HttpClient, SendError};
use super::{AccountId, VALID};
use crate::history::account::{Balances, Invocation, Response};

/// Outcome of one attempt.
#[derive(Debug)]
pub(crate) enum AttemptOutcome {
    Answered(Response),
    /// No answer, or -1: the call may or may not have been applied.
    Unknown,
    /// The call cannot have reached the bank.
    NotSent,
}

/// Calls `bank` about an account. It fails only on a response that is not a valid answer.
pub(crate) async fn call(
    http: &HttpClient,
    bank: SocketAddr,
    name: AccountId,
    invocation: Invocation,
    timeout: Duration,
) -> anyhow::Result<AttemptOutcome> {
    let caller = caller(&name.openid(), &name.zone());
    let bill_no = |bill| BillNo::new(&name.bill_no(bill)).expect(VALID);
    let amount = |coins| Amount::new(coins).expect(VALID);
    let to = Endpoint { http, bank, environment: name.environment, timeout };
    match invocation {
        Invocation::Present { bill, coins } => {
            let (bill_no, present_counts) = (bill_no(bill), amount(coins));
            to.send(&Present { caller, present_counts, bill_no }).await
        }
        Invocation::Pay { bill, coins } => {
            let (bill_no, amt) = (bill_no(bill), amount(coins));
            to.send(&Pay { caller, amt, bill_no, pay_item: None, app_remark: None }).await
        }
        Invocation::Cancel { bill } => {
            to.send(&CancelPay { caller, bill_no: bill_no(bill), pay_item: None }).await
        }
        Invocation::Balance => to.send(&GetBalance { caller }).await,
    }
    .with_context(|| format!("{invocation:?} on {name:?}"))
}

/// A node, the environment, and the timeout.
struct Endpoint<'a> {
    http: &'a HttpClient,
    bank: SocketAddr,
    environment: Environment,
    timeout: Duration,
}

impl Endpoint<'_> {
    async fn send<C: Call<Reply: ToResponse>>(&self, call: &C) -> anyhow::Result<AttemptOutcome> {
        let (midas_key, session_key, token) = (midas_key(self.environment), session_key(), access_token());
        let path = format!("{}?access_token={}", C::path(self.environment), token.expose());
        let body = signed_body(call, self.environment, &midas_key, Some((&session_key, &token)));
        let response = match self.http.send(self.bank, Method::POST, &path, body, self.timeout).await {
            Ok(response) => response,
            Err(SendError::NotSent(_)) => return Ok(AttemptOutcome::NotSent),
            Err(SendError::ConnectionLost(_) | SendError::Timeout(_)) => return Ok(AttemptOutcome::Unknown),
        };
        let text = || String::from_utf8_lossy(&response.body).into_owned();
        ensure!(response.status == 200, "it was answered with HTTP status {}: {}", response.status, text());
        Ok(match parse_reply::<C>(&response.body).with_context(text)? {
            ReplyOutcome::Success(reply) => AttemptOutcome::Answered(reply.to_response()?),
            ReplyOutcome::Refused(refused) => match (refused.errcode, refused.existing) {
                (-1, _) => AttemptOutcome::Unknown,
                (90012, Some(order)) => {
                    AttemptOutcome::Answered(Response::Replayed { balance: order.balance.get() })
                }
                (90012, None) => AttemptOutcome::Answered(Response::Conflict),
                (errcode, _) => AttemptOutcome::Answered(Response::Refused { errcode }),
            },
        })
    }
}

trait ToResponse {
    fn to_response(&self) -> anyhow::Result<Response>;
}

impl ToResponse for PresentReply {
    fn to_response(&self) -> anyhow::Result<Response> {
        Ok(Response::Presented { balance: self.balance.get() })
    }
}

impl ToResponse for PayReply {
    fn to_response(&self) -> anyhow::Result<Response> {
        Ok(Response::Paid { balance: self.balance.get(), gifted: self.used_gen_amt.get() })
    }
}

impl ToResponse for CancelPayReply {
    fn to_response(&self) -> anyhow::Result<Response> {
        Ok(Response::Cancelled)
    }
}

impl ToResponse for BalanceReply {
    fn to_response(&self) -> anyhow::Result<Response> {
        let sums = Balances {
            balance: self.balance.get(),
            gen_balance: self.gen_balance.get(),
            save_amt: self.save_amt.get(),
            save_sum: self.save_sum.get(),
            cost_sum: self.cost_sum.get(),
            present_sum: self.present_sum.get(),
        };
        if sums.save_sum.checked_sub(sums.cost_sum) != Some(sums.balance) || sums.gen_balance > sums.balance {
            bail!("impossible sums: {sums:?}");
        }
        Ok(Response::Balances(sums))
    }
}

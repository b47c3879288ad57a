//! The Midas calls: from a request to one of the eight paths to its answer.
//!
//! A handler gets a call whose signatures are verified, and nothing less; it is some ten lines.
//! [`serve`] is called where requests come in, and not by the router: this is the path that has to cost next to
//! nothing, and so it is one future, without layers that box it, and what a refusal needs to know of the request is
//! borrowed and not shared. A future is moved as a whole, so what is seldom awaited is boxed to keep this one small.

pub(crate) mod convert;
pub(crate) mod faults;
pub(crate) mod verify;

use std::pin::pin;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Request, Response};
use http_body_util::Full;
use pactolus_ledger::Posted;
use pactolus_protocol::{
    BalanceReply, Call, CallKind, CallPath, CancelPay, CancelPayReply, ErrorCode, ErrorReply, GetBalance,
    Parameter, Pay, PayReply, Present, PresentReply, Rid, reply,
};
use pactolus_types::UnixMillis;

use self::faults::inject::{self, Withheld};
use self::verify::Signed;
use crate::body::Sent;
use crate::connection::request_timeout::Deadline;
use crate::rejections;
use crate::rejections::rejection::Seen;
use crate::response::{json, log_answered, refuse, too_late};
use crate::state::Bank;

/// A request that came in at one of the eight paths.
pub(crate) struct Arrival<'a, B> {
    pub(crate) path: CallPath,
    pub(crate) rid: Rid,
    /// When it came in.
    pub(crate) now: UnixMillis,
    pub(crate) head: &'a Parts,
    pub(crate) deadline: &'a Deadline,
    pub(crate) body: B,
}

/// Answers a request to `path`, or does to it what the sandbox was told to do.
pub(crate) async fn serve<B: Sent>(
    bank: &Bank,
    path: CallPath,
    request: Request<B>,
    deadline: &Deadline,
) -> Result<Response<Full<Bytes>>, Withheld> {
    let now = bank.now();
    let (head, body) = request.into_parts();
    let arrival = Arrival { path, rid: bank.rid(now), now, head: &head, deadline, body };
    match inject::strike(bank, path, &head, now).await {
        None => Ok(answer(bank, arrival).await),
        Some(fault) => Box::pin(inject::inject(bank, fault, arrival)).await,
    }
}

/// Answers a request, before its deadline.
pub(crate) async fn answer<B: Sent>(bank: &Bank, arrival: Arrival<'_, B>) -> Response<Full<Bytes>> {
    let Arrival { path, rid, head, deadline, .. } = arrival;
    let mut seen = Seen::default();
    let done = deadline.within(pin!(carry_out(bank, arrival, &mut seen))).await;
    match done.unwrap_or_else(|| Err(too_late(bank.limits.request_deadline))) {
        Ok(reply) => {
            log_answered(rid, &head.method, path.as_str());
            json(reply)
        }
        Err(refusal) => {
            let refusal = Box::pin(rejections::keep(bank, rid, path, head, seen, refusal)).await;
            refuse(rid, &head.method, path.as_str(), &refusal)
        }
    }
}

/// Does what a request asks for, if all is right with it. What it shows on the way is `seen` also if it is refused.
async fn carry_out<B: Sent>(
    bank: &Bank,
    arrival: Arrival<'_, B>,
    seen: &mut Seen,
) -> Result<Vec<u8>, ErrorReply> {
    match arrival.path.kind {
        CallKind::Present => handle(bank, arrival, seen, present).await,
        CallKind::GetBalance => handle(bank, arrival, seen, get_balance).await,
        CallKind::Pay => handle(bank, arrival, seen, pay).await,
        CallKind::CancelPay => handle(bank, arrival, seen, cancel_pay).await,
    }
}

/// Has the call of a request handled, once it passed every check, and writes the reply.
async fn handle<C: Call, B: Sent>(
    bank: &Bank,
    arrival: Arrival<'_, B>,
    seen: &mut Seen,
    handler: impl AsyncFnOnce(&Bank, &Signed<C>) -> Result<C::Reply, ErrorReply>,
) -> Result<Vec<u8>, ErrorReply> {
    let signed = Signed::of(bank, arrival, seen).await?;
    Ok(reply::to_json(&handler(bank, &signed).await?))
}

/// Gives coins to a player.
async fn present(bank: &Bank, signed: &Signed<Present>) -> Result<PresentReply, ErrorReply> {
    let posted = bank.ledger.post(convert::present(signed), signed.now).await;
    match posted.map_err(|error| convert::refusal(error, Parameter::PresentCounts))? {
        Posted::Applied(receipt) => {
            Ok(PresentReply { balance: receipt.after.balance(), bill_no: signed.call.bill_no })
        }
        Posted::Replayed { account, .. } => Err(convert::replayed(signed.call.bill_no, &account)),
    }
}

/// Tells what a player has.
async fn get_balance(bank: &Bank, signed: &Signed<GetBalance>) -> Result<BalanceReply, ErrorReply> {
    let account = bank.ledger.account(convert::account(signed)).await.map_err(convert::unavailable)?;
    Ok(convert::balance(&account))
}

/// Takes coins from a player.
async fn pay(bank: &Bank, signed: &Signed<Pay>) -> Result<PayReply, ErrorReply> {
    let posted = bank.ledger.post(convert::pay(signed), signed.now).await;
    match posted.map_err(|error| convert::refusal(error, Parameter::Amt))? {
        Posted::Applied(receipt) => Ok(PayReply {
            bill_no: signed.call.bill_no,
            balance: receipt.after.balance(),
            used_gen_amt: receipt.gifted,
        }),
        Posted::Replayed { account, .. } => Err(convert::replayed(signed.call.bill_no, &account)),
    }
}

/// Gives back what a pay took.
async fn cancel_pay(bank: &Bank, signed: &Signed<CancelPay>) -> Result<CancelPayReply, ErrorReply> {
    let posted = bank.ledger.post(convert::cancel_pay(signed), signed.now).await;
    match posted.map_err(|error| convert::refusal(error, Parameter::BillNo))? {
        Posted::Applied(_) => Ok(CancelPayReply { bill_no: signed.call.bill_no }),
        Posted::Replayed { .. } => Err(ErrorCode::OrderCanceled.into()),
    }
}

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

use self::faults::inject::{self, ReplyDropped};
use self::verify::VerifiedCall;
use crate::body::RequestBody;
use crate::connection::request_timeout::RequestTimer;
use crate::rejections;
use crate::rejections::rejection::RequestTrace;
use crate::response::{json, log_success, reject, timeout_error};
use crate::state::AppState;

/// A request that came in at one of the eight paths.
pub(crate) struct IncomingCall<'a, B> {
    pub(crate) path: CallPath,
    pub(crate) rid: Rid,
    /// When it came in.
    pub(crate) received_at: UnixMillis,
    pub(crate) head: &'a Parts,
    pub(crate) timer: &'a RequestTimer,
    pub(crate) body: B,
}

/// Answers a request to `path`, or does to it what the sandbox was told to do.
pub(crate) async fn serve<B: RequestBody>(
    bank: &AppState,
    path: CallPath,
    request: Request<B>,
    timer: &RequestTimer,
) -> Result<Response<Full<Bytes>>, ReplyDropped> {
    let now = bank.now();
    let (head, body) = request.into_parts();
    let incoming = IncomingCall { path, rid: bank.next_rid(now), received_at: now, head: &head, timer, body };
    match inject::pick_fault(bank, path, &head, now).await {
        None => Ok(respond(bank, incoming).await),
        Some(fault) => Box::pin(inject::inject(bank, fault, incoming)).await,
    }
}

/// Answers a request, before its deadline.
pub(crate) async fn respond<B: RequestBody>(
    bank: &AppState,
    incoming: IncomingCall<'_, B>,
) -> Response<Full<Bytes>> {
    let IncomingCall { path, rid, head, timer, .. } = incoming;
    let mut trace = RequestTrace::default();
    let done = timer.timeout(pin!(dispatch(bank, incoming, &mut trace))).await;
    match done.unwrap_or_else(|| Err(timeout_error(bank.limits.request_timeout))) {
        Ok(reply) => {
            log_success(rid, &head.method, path.as_str());
            json(reply)
        }
        Err(refusal) => {
            let refusal = Box::pin(rejections::record(bank, rid, path, head, trace, refusal)).await;
            reject(rid, &head.method, path.as_str(), &refusal)
        }
    }
}

/// Does what a request asks for, if all is right with it. What it shows on the way is `seen` also if it is refused.
async fn dispatch<B: RequestBody>(
    bank: &AppState,
    incoming: IncomingCall<'_, B>,
    trace: &mut RequestTrace,
) -> Result<Vec<u8>, ErrorReply> {
    match incoming.path.kind {
        CallKind::Present => handle(bank, incoming, trace, present).await,
        CallKind::GetBalance => handle(bank, incoming, trace, get_balance).await,
        CallKind::Pay => handle(bank, incoming, trace, pay).await,
        CallKind::CancelPay => handle(bank, incoming, trace, cancel_pay).await,
    }
}

/// Has the call of a request handled, once it passed every check, and writes the reply.
async fn handle<C: Call, B: RequestBody>(
    bank: &AppState,
    incoming: IncomingCall<'_, B>,
    trace: &mut RequestTrace,
    handler: impl AsyncFnOnce(&AppState, &VerifiedCall<C>) -> Result<C::Reply, ErrorReply>,
) -> Result<Vec<u8>, ErrorReply> {
    let verified = VerifiedCall::verify(bank, incoming, trace).await?;
    Ok(reply::to_json(&handler(bank, &verified).await?))
}

/// Gives coins to a player.
async fn present(bank: &AppState, verified: &VerifiedCall<Present>) -> Result<PresentReply, ErrorReply> {
    let posted = bank.ledger.post(convert::present(verified), verified.received_at).await;
    match posted.map_err(|error| convert::post_error(error, Parameter::PresentCounts))? {
        Posted::Applied(receipt) => {
            Ok(PresentReply { balance: receipt.after.balance(), bill_no: verified.call.bill_no })
        }
        Posted::Replayed { account, .. } => Err(convert::replay_error(verified.call.bill_no, &account)),
    }
}

/// Tells what a player has.
async fn get_balance(
    bank: &AppState,
    verified: &VerifiedCall<GetBalance>,
) -> Result<BalanceReply, ErrorReply> {
    let account =
        bank.ledger.account(convert::account_key(verified)).await.map_err(convert::unavailable_error)?;
    Ok(convert::balance_reply(&account))
}

/// Takes coins from a player.
async fn pay(bank: &AppState, verified: &VerifiedCall<Pay>) -> Result<PayReply, ErrorReply> {
    let posted = bank.ledger.post(convert::pay(verified), verified.received_at).await;
    match posted.map_err(|error| convert::post_error(error, Parameter::Amt))? {
        Posted::Applied(receipt) => Ok(PayReply {
            bill_no: verified.call.bill_no,
            balance: receipt.after.balance(),
            used_gen_amt: receipt.gifted,
        }),
        Posted::Replayed { account, .. } => Err(convert::replay_error(verified.call.bill_no, &account)),
    }
}

/// Gives back what a pay took.
async fn cancel_pay(
    bank: &AppState,
    verified: &VerifiedCall<CancelPay>,
) -> Result<CancelPayReply, ErrorReply> {
    let posted = bank.ledger.post(convert::cancel_pay(verified), verified.received_at).await;
    match posted.map_err(|error| convert::post_error(error, Parameter::BillNo))? {
        Posted::Applied(_) => Ok(CancelPayReply { bill_no: verified.call.bill_no }),
        Posted::Replayed { .. } => Err(ErrorCode::OrderCanceled.into()),
    }
}

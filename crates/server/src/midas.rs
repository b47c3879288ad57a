//! The Midas calls: from a request on one of the eight paths to its reply.
//!
//! A handler takes a [`VerifiedCall`] and is some ten lines.
//! The connection's service calls [`serve`] directly, not through the axum router, because this is the hot path. It
//! is one future without boxing layers, and a rejection borrows the data of the request instead of sharing it. A
//! future is moved as a whole, so its rarely awaited parts are boxed to keep it small.

pub(crate) mod convert;
pub(crate) mod faults;
pub(crate) mod freshness;
pub(crate) mod verify;

use std::pin::pin;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Request, Response};
use http_body_util::Full;
use pactolus_ledger::Posted;
use pactolus_protocol::{
    BalanceReply, Call, CallKind, CallPath, CancelPay, CancelPayReply, ErrorCode, ErrorReply, GetBalance,
    Parameter, Pay, PayReply, Present, PresentReply, Rid, WirePath, reply,
};
use pactolus_types::UnixMillis;

use self::faults::inject::{self, ReplyDropped};
use self::verify::VerifiedCall;
use crate::body::RequestBody;
use crate::connection::request_timeout::RequestTimer;
use crate::metrics::CallStart;
use crate::metrics::shard::AppSlot;
use crate::rejections;
use crate::rejections::rejection::RequestTrace;
use crate::response::{Caller, json, log_success, reject, timeout_error};
use crate::state::AppState;

/// A request on one of the eight paths.
pub(crate) struct IncomingCall<'a, B> {
    pub(crate) path: CallPath,
    pub(crate) rid: Rid,
    pub(crate) received_at: UnixMillis,
    pub(crate) head: &'a Parts,
    pub(crate) timer: &'a RequestTimer,
    /// For the metrics.
    pub(crate) start: CallStart,
    pub(crate) body: B,
}

/// Answers a request on `path`, or injects a fault of the sandbox.
pub(crate) async fn serve<B: RequestBody>(
    bank: &AppState,
    path: CallPath,
    request: Request<B>,
    timer: &RequestTimer,
) -> Result<Response<Full<Bytes>>, ReplyDropped> {
    let (now, start) = (bank.now(), bank.metrics.start_call());
    let (head, body) = request.into_parts();
    let rid = bank.next_rid(now);
    let incoming = IncomingCall { path, rid, received_at: now, head: &head, timer, start, body };
    match inject::pick_fault(bank, path, &head, now).await {
        None => Ok(respond(bank, incoming).await),
        Some(fault) => Box::pin(inject::inject(bank, fault, incoming)).await,
    }
}

/// Answers a request within the request timeout.
pub(crate) async fn respond<B: RequestBody>(
    bank: &AppState,
    incoming: IncomingCall<'_, B>,
) -> Response<Full<Bytes>> {
    let IncomingCall { path, rid, head, timer, start, .. } = incoming;
    let mut trace = RequestTrace::default();
    let done = timer.timeout(pin!(dispatch(bank, incoming, &mut trace))).await;
    match done.unwrap_or_else(|| Err(timeout_error(bank.request_timeout()))) {
        Ok(reply) => {
            bank.metrics.count_call(path, start, app_slot(&trace), None);
            log_success(rid, &head.method, path.as_str());
            json(reply)
        }
        Err(error) => {
            let caller = if trace.app.is_some() { Caller::App } else { Caller::Stranger };
            bank.metrics.count_call(path, start, app_slot(&trace), Some(&error));
            let refusal =
                Box::pin(rejections::record(bank, rid, WirePath::Midas(path), head, trace, error)).await;
            reject(bank, caller, rid, &head.method, path.as_str(), &refusal)
        }
    }
}

fn app_slot(trace: &RequestTrace) -> Option<AppSlot> {
    trace.app.as_ref().map(|app| app.slot())
}

/// Runs the handler of the path. `trace` is filled as far as the checks get, also for a rejection.
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

/// Verifies the call, runs its handler and encodes the reply.
async fn handle<C: Call, B: RequestBody>(
    bank: &AppState,
    incoming: IncomingCall<'_, B>,
    trace: &mut RequestTrace,
    handler: impl AsyncFnOnce(&AppState, &VerifiedCall<C>) -> Result<C::Reply, ErrorReply>,
) -> Result<Vec<u8>, ErrorReply> {
    let verified = VerifiedCall::verify(bank, incoming, trace).await?;
    Ok(reply::to_json(&handler(bank, &verified).await?))
}

async fn present(bank: &AppState, verified: &VerifiedCall<Present>) -> Result<PresentReply, ErrorReply> {
    freshness::check_order(bank, verified, verified.call.bill_no).await?;
    let posted = bank.post(&verified.app, convert::present(verified), verified.received_at).await;
    match posted.map_err(|error| convert::post_error(error, Parameter::PresentCounts))? {
        Posted::Applied(receipt) => {
            Ok(PresentReply { balance: receipt.after.balance(), bill_no: verified.call.bill_no })
        }
        Posted::Replayed { account, .. } => Err(convert::replay_error(verified.call.bill_no, &account, None)),
    }
}

async fn get_balance(
    bank: &AppState,
    verified: &VerifiedCall<GetBalance>,
) -> Result<BalanceReply, ErrorReply> {
    freshness::check_time(verified)?;
    let account =
        bank.ledger.account(convert::account_key(verified)).await.map_err(convert::unavailable_error)?;
    Ok(convert::balance_reply(&account))
}

async fn pay(bank: &AppState, verified: &VerifiedCall<Pay>) -> Result<PayReply, ErrorReply> {
    freshness::check_order(bank, verified, verified.call.bill_no).await?;
    let posted = bank.post(&verified.app, convert::pay(verified), verified.received_at).await;
    match posted.map_err(|error| convert::post_error(error, Parameter::Amt))? {
        Posted::Applied(receipt) => Ok(PayReply {
            bill_no: verified.call.bill_no,
            balance: receipt.after.balance(),
            used_gen_amt: receipt.gifted,
        }),
        Posted::Replayed { receipt, account } => {
            Err(convert::replay_error(verified.call.bill_no, &account, Some(receipt.gifted)))
        }
    }
}

async fn cancel_pay(
    bank: &AppState,
    verified: &VerifiedCall<CancelPay>,
) -> Result<CancelPayReply, ErrorReply> {
    freshness::check_order(bank, verified, verified.call.bill_no).await?;
    let posted = bank.post(&verified.app, convert::cancel_pay(verified), verified.received_at).await;
    match posted.map_err(|error| convert::post_error(error, Parameter::BillNo))? {
        Posted::Applied(_) => Ok(CancelPayReply { bill_no: verified.call.bill_no }),
        Posted::Replayed { .. } => Err(ErrorCode::OrderCanceled.into()),
    }
}

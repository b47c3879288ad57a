//! The calls of the raw wires, `/wxa/game/*` and `/xpay/*`: from a request to its reply.
//!
//! The environment is a member of the body. So the body is read and parsed before faults, rates and keys are chosen, and
//! a request without a readable `env` is refused before all three.
//! The connection's service calls [`serve`] directly, as it calls the first wire's.
//! Read next: `raw/verify.rs`, the checks; `raw/convert.rs`, wire types to ledger types.

mod convert;
mod verify;

use std::pin::pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Request, Response};
use http_body_util::Full;
use pactolus_ledger::{BillKey, OrderKind, Posted};
use pactolus_protocol::raw::{RawObject, RawOrder, RawPath, RawReply, Reason, TopUpKind};
use pactolus_protocol::{ErrorReply, Rid, Wire, WirePath};
use pactolus_types::{BillNo, UnixMillis};

use self::verify::VerifiedRequest;
use crate::body::{RequestBody, read_body};
use crate::connection::request_timeout::RequestTimer;
use crate::entry::{self, name_encoding};
use crate::midas::faults::inject::{ReplyDropped, delay_reply};
use crate::midas::faults::{Fault, SandboxCall};
use crate::rejections;
use crate::rejections::rejection::RequestTrace;
use crate::response::{Caller, json, log_success, reject, timeout_error};
use crate::state::AppState;

/// A request on a path of a raw wire.
struct IncomingCall<'a> {
    path: RawPath,
    head: &'a Parts,
    received_at: UnixMillis,
}

/// Answers a request on `path`, or injects a fault of the sandbox.
pub(crate) async fn serve<B: RequestBody>(
    bank: &AppState,
    path: RawPath,
    request: Request<B>,
    timer: &RequestTimer,
) -> Result<Response<Full<Bytes>>, ReplyDropped> {
    let now = bank.now();
    let (head, body) = request.into_parts();
    let rid = bank.next_rid(now);
    let (mut trace, mut fault) = (RequestTrace::default(), None);
    let incoming = IncomingCall { path, head: &head, received_at: now };
    let done = timer.timeout(pin!(run(bank, &incoming, body, &mut trace, &mut fault))).await;
    let done = done.unwrap_or_else(|| Err(timeout_error(bank.request_timeout())));
    if let Some(fault) = fault {
        tracing::warn!(%rid, path = path.as_str(), %fault, "injecting a fault");
    }
    let response = respond(bank, rid, &incoming, trace, done).await;
    match fault {
        None | Some(Fault::Answer(_)) => Ok(response),
        Some(Fault::Delay(delay)) => {
            // Outside the request timeout: the call is answered, and only its reply is late.
            Box::pin(delay_reply(bank, delay)).await;
            Ok(response)
        }
        Some(Fault::CloseBefore | Fault::CloseAfter) => Err(ReplyDropped),
    }
}

async fn respond(
    bank: &AppState,
    rid: Rid,
    incoming: &IncomingCall<'_>,
    trace: RequestTrace,
    done: Result<Vec<u8>, ErrorReply>,
) -> Response<Full<Bytes>> {
    let (path, head) = (incoming.path, incoming.head);
    let app = trace.app.as_ref().map(|app| app.slot());
    match done {
        Ok(reply) => {
            bank.metrics.count_raw_call(app, trace.environment, None);
            log_success(rid, &head.method, path.as_str());
            json(reply)
        }
        Err(error) => {
            let caller = if trace.app.is_some() { Caller::App } else { Caller::Stranger };
            bank.metrics.count_raw_call(app, trace.environment, Some(&error));
            let refusal =
                Box::pin(rejections::record(bank, rid, WirePath::Raw(path), head, trace, error)).await;
            reject(bank, caller, rid, &head.method, path.as_str(), &refusal)
        }
    }
}

/// The checks in their order, and the handler. `trace` is filled as far as the checks get, also for a rejection;
/// `fault` is set once the environment is known.
async fn run<B: RequestBody>(
    bank: &AppState,
    incoming: &IncomingCall<'_>,
    body: B,
    trace: &mut RequestTrace,
    fault: &mut Option<Fault>,
) -> Result<Vec<u8>, ErrorReply> {
    let IncomingCall { path, head, received_at: now } = *incoming;
    let wire = path.wire();
    let (_, app, body) = entry::authenticate(bank, head, body, now, &mut trace.token).await?;
    let appid = app.appid;
    trace.app = Some(Arc::clone(&app));
    app.check_wire(Wire::Raw(wire))?;

    let bytes = trace.body.insert(read_body(body).await?).clone();
    let object = RawObject::parse(wire, &bytes).map_err(|error| name_encoding(error, &head.headers))?;
    let environment = object.environment()?;
    trace.environment = Some(environment);

    *fault = SandboxCall::from_raw(path, environment).and_then(|call| bank.fault_rules.pick(appid, call));
    match *fault {
        Some(Fault::Answer(code)) => {
            *trace = RequestTrace { environment: Some(environment), ..RequestTrace::default() };
            return Err(ErrorReply::with_detail(code, "a fault rule of the sandbox"));
        }
        Some(Fault::CloseBefore) => return Ok(Vec::new()),
        None | Some(Fault::Delay(_) | Fault::CloseAfter) => {}
    }
    let verified = VerifiedRequest::verify(bank, &app, incoming, &object, environment, &bytes, trace).await?;
    Ok(answer(bank, &verified).await?.to_json(wire))
}

async fn answer(bank: &AppState, verified: &VerifiedRequest<'_>) -> Result<RawReply, ErrorReply> {
    match &verified.request.order {
        RawOrder::Balance => {
            let account = bank.ledger.account(verified.account).await;
            Ok(convert::balance_reply(&account.map_err(crate::midas::convert::unavailable_error)?))
        }
        RawOrder::Pay { amount, number, item, remark } => {
            let memo = convert::memo(item, remark);
            post(bank, verified, *number, OrderKind::Pay(*amount), memo).await
        }
        RawOrder::Refund { amount, number, pay } => {
            let kind = OrderKind::Refund(convert::refund(verified, *amount, *pay));
            post(bank, verified, *number, kind, <_>::default()).await
        }
        RawOrder::Present { amount, number } => {
            let kind = OrderKind::Present(convert::gift(verified, *amount));
            post(bank, verified, *number, kind, <_>::default()).await
        }
        RawOrder::TopUp { number, kind } => top_up(bank, verified, *number, *kind).await,
    }
}

async fn post(
    bank: &AppState,
    verified: &VerifiedRequest<'_>,
    number: BillNo,
    kind: OrderKind,
    memo: pactolus_ledger::Memo,
) -> Result<RawReply, ErrorReply> {
    let order = convert::order(verified, number, kind, memo);
    let posted = bank.post(verified.app, order, verified.received_at).await;
    match posted.map_err(|error| convert::post_error(verified.wire(), error))? {
        Posted::Applied(receipt) => Ok(convert::order_reply(&receipt)),
        Posted::Replayed { account, .. } => {
            let code = Reason::NumberTaken.code(verified.wire());
            Err(ErrorReply::replayed_as(code, number, account.balance()))
        }
    }
}

/// A top-up of the player, which has a number of the app.
async fn top_up(
    bank: &AppState,
    verified: &VerifiedRequest<'_>,
    number: Option<BillNo>,
    kind: TopUpKind,
) -> Result<RawReply, ErrorReply> {
    let not_found =
        || Reason::TopUpNotFound.refuse(verified.wire(), "the player has no top-up with this out_trade_no");
    let number = number.filter(|_| kind == TopUpKind::Coins).ok_or_else(not_found)?;
    let bill = BillKey::of_app(verified.account.app, verified.account.environment, number);
    let entry = bank.ledger.order(bill).await.map_err(crate::midas::convert::unavailable_error)?;
    let receipt = entry.map(|entry| entry.receipt).filter(|receipt| {
        let is_top_up = matches!(receipt.order.kind, OrderKind::Save(_));
        is_top_up && receipt.order.account.player == verified.account.player
    });
    receipt.map(|receipt| RawReply::TopUp { number, at: receipt.at }).ok_or_else(not_found)
}

//! Fault injection around the replies of sandbox calls.

use std::pin::pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use http_body_util::Full;
use pactolus_protocol::{AccessToken, CallPath, ErrorReply, Query, WirePath};
use pactolus_types::UnixMillis;

use super::{Fault, SandboxCall};
use crate::body::{RequestBody, read_body};
use crate::midas::{IncomingCall, respond};
use crate::rejections;
use crate::rejections::rejection::RequestTrace;
use crate::response::{Caller, reject};
use crate::state::AppState;

/// The connection is to be closed without a reply.
#[derive(Debug, thiserror::Error)]
#[error("a fault rule of the sandbox drops the reply")]
pub(crate) struct ReplyDropped;

/// The fault for a call by the rules of its app. `None` for a live call, and for a call that authentication rejects
/// anyway.
pub(crate) async fn pick_fault(
    bank: &AppState,
    path: CallPath,
    head: &Parts,
    now: UnixMillis,
) -> Option<Fault> {
    let call = SandboxCall::from_path(path).filter(|_| head.method == Method::POST)?;
    let token = AccessToken::from_query(Query::new(head.uri.query().unwrap_or_default())).ok()?;
    let appid = bank.tokens.authenticate(&token, now).await.ok()?;
    bank.fault_rules.pick(appid, call)
}

/// Answers a call under a fault.
pub(crate) async fn inject<B: RequestBody>(
    bank: &AppState,
    fault: Fault,
    incoming: IncomingCall<'_, B>,
) -> Result<Response<Full<Bytes>>, ReplyDropped> {
    let IncomingCall { path, rid, head, start, .. } = incoming;
    tracing::warn!(%rid, path = path.as_str(), %fault, "injecting a fault");
    match fault {
        Fault::Answer(code) => {
            let error = ErrorReply::with_detail(code, "a fault rule of the sandbox");
            bank.metrics.count_call(path, start, None, Some(&error));
            let refusal =
                rejections::record(bank, rid, WirePath::Midas(path), head, RequestTrace::default(), error)
                    .await;
            Ok(reject(bank, Caller::App, rid, &head.method, path.as_str(), &refusal))
        }
        Fault::Delay(delay) => {
            // Outside the request timeout: the call is answered, and only its reply is late.
            let response = respond(bank, incoming).await;
            delay_reply(bank, delay).await;
            Ok(response)
        }
        Fault::CloseBefore => {
            // Closing a socket with unread bytes sometimes resets it, which would make a client's test
            // nondeterministic.
            let _ = incoming.timer.timeout(pin!(read_body(incoming.body))).await;
            Err(ReplyDropped)
        }
        Fault::CloseAfter => {
            respond(bank, incoming).await;
            Err(ReplyDropped)
        }
    }
}

/// Delays a reply. A shutdown ends the delay.
pub(crate) async fn delay_reply(bank: &AppState, delay: Duration) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = bank.wait_for_shutdown() => {}
    }
}

//! Where faults happen: around the answers of the sandbox's calls.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use http_body_util::Full;
use pactolus_protocol::{AccessToken, CallPath, ErrorReply, Query};
use pactolus_types::UnixMillis;

use super::{Fault, SandboxCall};
use crate::body::{RequestBody, read_body};
use crate::midas::{IncomingCall, respond};
use crate::rejections;
use crate::rejections::rejection::RequestTrace;
use crate::response::reject;
use crate::state::AppState;

/// There is no reply: the connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("the reply is withheld, as a fault of the sandbox says")]
pub(crate) struct ReplyDropped;

/// What goes wrong with a call, if its app's rules say so; nothing if it is live, or will not be let in anyway.
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

/// Does to a call what its app's rules say.
pub(crate) async fn inject<B: RequestBody>(
    bank: &AppState,
    fault: Fault,
    incoming: IncomingCall<'_, B>,
) -> Result<Response<Full<Bytes>>, ReplyDropped> {
    let IncomingCall { path, rid, head, .. } = incoming;
    tracing::warn!(%rid, path = path.as_str(), %fault, "injecting a fault");
    match fault {
        Fault::Answer(code) => {
            let refusal = ErrorReply::with_detail(code, "a fault that the sandbox was told to have");
            let refusal = rejections::record(bank, rid, path, head, RequestTrace::default(), refusal).await;
            Ok(reject(rid, &head.method, path.as_str(), &refusal))
        }
        Fault::Delay(delay) => {
            // Outside of the request's deadline: the call is answered, and only its reply is late.
            let response = respond(bank, incoming).await;
            delay_reply(bank, delay).await;
            Ok(response)
        }
        Fault::CloseBefore => {
            // With bytes that nobody read, closing would now and then be a reset, and a client's test a lottery.
            let _ = read_body(incoming.body).await;
            Err(ReplyDropped)
        }
        Fault::CloseAfter => {
            respond(bank, incoming).await;
            Err(ReplyDropped)
        }
    }
}

/// Waits; but a bank that is stopping does not wait for what is a test.
async fn delay_reply(bank: &AppState, delay: Duration) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = bank.wait_for_shutdown() => {}
    }
}

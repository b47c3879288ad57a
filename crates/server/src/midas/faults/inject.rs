//! Where faults happen: around the answers of the sandbox's calls.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use http_body_util::Full;
use pactolus_protocol::{AccessToken, CallPath, ErrorReply, Query};
use pactolus_types::UnixMillis;

use super::{Fault, SandboxCall};
use crate::body::{Sent, read_body};
use crate::midas::{Arrival, answer};
use crate::rejections;
use crate::rejections::rejection::Seen;
use crate::response::refuse;
use crate::state::Bank;

/// There is no reply: the connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("the reply is withheld, as a fault of the sandbox says")]
pub(crate) struct Withheld;

/// What goes wrong with a call, if its app's rules say so; nothing if it is live, or will not be let in anyway.
pub(crate) async fn strike(bank: &Bank, path: CallPath, head: &Parts, now: UnixMillis) -> Option<Fault> {
    let call = SandboxCall::of(path).filter(|_| head.method == Method::POST)?;
    let token = AccessToken::from_query(Query::new(head.uri.query().unwrap_or_default())).ok()?;
    let appid = bank.tokens.app_of(&token, now).await.ok()?;
    bank.faults.strike(appid, call)
}

/// Does to a call what its app's rules say.
pub(crate) async fn inject<B: Sent>(
    bank: &Bank,
    fault: Fault,
    arrival: Arrival<'_, B>,
) -> Result<Response<Full<Bytes>>, Withheld> {
    let Arrival { path, rid, head, .. } = arrival;
    tracing::warn!(%rid, path = path.as_str(), %fault, "injecting a fault");
    match fault {
        Fault::Answer(code) => {
            let refusal = ErrorReply::with_detail(code, "a fault that the sandbox was told to have");
            let refusal = rejections::keep(bank, rid, path, head, Seen::default(), refusal).await;
            Ok(refuse(rid, &head.method, path.as_str(), &refusal))
        }
        Fault::Delay(delay) => {
            // Outside of the request's deadline: the call is answered, and only its reply is late.
            let response = answer(bank, arrival).await;
            wait(bank, delay).await;
            Ok(response)
        }
        Fault::CloseBefore => {
            // With bytes that nobody read, closing would now and then be a reset, and a client's test a lottery.
            let _ = read_body(arrival.body).await;
            Err(Withheld)
        }
        Fault::CloseAfter => {
            answer(bank, arrival).await;
            Err(Withheld)
        }
    }
}

/// Waits; but a bank that is stopping does not wait for what is a test.
async fn wait(bank: &Bank, delay: Duration) {
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        () = bank.told_to_stop() => {}
    }
}

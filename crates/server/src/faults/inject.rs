//! Where faults happen: around the handlers of the sandbox's calls, and where replies leave for the connection.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pactolus_protocol::{AccessToken, ErrorCode, Query, Refusal, Rid};

use super::{Fault, SandboxCall};
use crate::answer::Refused;
use crate::bank::Bank;
use crate::midas::signed::read_body;

/// How a reply leaves, if not at once.
#[derive(Clone, Copy)]
enum Delivery {
    After(Duration),
    Never,
}

/// There is no reply: the connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("the reply is withheld, as a fault of the sandbox says")]
pub(crate) struct Withheld;

/// Stands around the handlers of the sandbox's calls, and does to them what the app's rules say.
pub(crate) async fn inject(
    State(bank): State<Arc<Bank>>,
    Extension(rid): Extension<Rid>,
    request: Request,
    next: Next,
) -> Response {
    let fault = match let_in(&request) {
        Some((call, token)) => strike(&bank, call, &token).await,
        None => None,
    };
    let Some(fault) = fault else { return next.run(request).await };
    tracing::warn!(%rid, path = request.uri().path(), %fault, "injecting a fault");
    match fault {
        Fault::Answer(code) => refused(code),
        Fault::Delay(delay) => delivered(next.run(request).await, Delivery::After(delay)),
        Fault::CloseBefore => {
            // With bytes that nobody read, closing would now and then be a reset, and a client's test a lottery.
            let _ = read_body(request).await;
            delivered(refused(ErrorCode::SystemError), Delivery::Never)
        }
        Fault::CloseAfter => delivered(next.run(request).await, Delivery::Never),
    }
}

/// What a request calls, and with which token; nothing if its handler will not let it in, and say why.
fn let_in(request: &Request) -> Option<(SandboxCall, AccessToken)> {
    let call = SandboxCall::of(request.uri().path()).filter(|_| request.method() == Method::POST)?;
    let token = AccessToken::from_query(Query::new(request.uri().query().unwrap_or_default())).ok()?;
    Some((call, token))
}

/// What goes wrong with a call; nothing if its token is no good, as its handler will say.
async fn strike(bank: &Bank, call: SandboxCall, token: &AccessToken) -> Option<Fault> {
    let appid = bank.tokens.app_of(token, bank.now()).await.ok()?;
    bank.faults.strike(appid, call)
}

fn refused(code: ErrorCode) -> Response {
    Refused::from(Refusal::because(code, "a fault that the sandbox was told to have")).into_response()
}

fn delivered(mut response: Response, delivery: Delivery) -> Response {
    response.extensions_mut().insert(delivery);
    response
}

/// The response when it is time for it to leave.
///
/// This is outside of the request's deadline: the call is answered, and only its reply is late.
pub(crate) async fn deliver(bank: &Bank, mut response: Response) -> Result<Response, Withheld> {
    match response.extensions_mut().remove::<Delivery>() {
        None => Ok(response),
        Some(Delivery::Never) => Err(Withheld),
        Some(Delivery::After(delay)) => {
            // A bank that is stopping does not wait for what is a test.
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = bank.told_to_stop() => {}
            }
            Ok(response)
        }
    }
}

//! Replies of the platform's paths: always HTTP 200 with a JSON body; an error reply holds its request id.
//!
//! [`platform_middleware`] wraps the handlers of tokens and logins, which return [`ErrorResponse`] on an error. The
//! Midas calls have [`midas::respond`](crate::midas::respond). Both assign a request id, apply the request timeout,
//! write errors with that id, and log one line. It holds only method, path and id, because query and body hold
//! secrets.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pactolus_protocol::reply::{CONTENT_TYPE, error_to_json};
use pactolus_protocol::{ErrorCode, ErrorReply, Rid};

use crate::body::read_body;
use crate::state::AppState;

/// An error reply. [`platform_middleware`] writes its body, because it knows the request id.
#[derive(Clone)]
pub(crate) struct ErrorResponse(ErrorReply);

impl<R: Into<ErrorReply>> From<R> for ErrorResponse {
    fn from(error: R) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) fn json<B: From<Vec<u8>>>(body: Vec<u8>) -> Response<B> {
    let mut response = Response::new(B::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// Middleware of the token and login handlers.
pub(crate) async fn platform_middleware(
    State(bank): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    let rid = bank.next_rid(bank.now());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let deadline = bank.request_timeout();
    let answered = tokio::time::timeout(deadline, next.run(request)).await;
    let mut response = answered.unwrap_or_else(|_| ErrorResponse(timeout_error(deadline)).into_response());
    match response.extensions_mut().remove::<ErrorResponse>() {
        None => {
            log_success(rid, &method, &path);
            response
        }
        Some(ErrorResponse(error)) => {
            reject(&bank, Caller::from_platform_error(error.code()), rid, &method, &path, &error)
        }
    }
}

pub(crate) fn timeout_error(deadline: Duration) -> ErrorReply {
    let detail = format!("no answer within {deadline:?}; repeat the same request");
    ErrorReply::with_detail(ErrorCode::SystemError, detail)
}

pub(crate) fn log_success(rid: Rid, method: &Method, path: &str) {
    tracing::debug!(%rid, %method, path, errcode = 0, "answered");
}

/// Response extension that marks a rejection, for the eviction order of connections.
#[derive(Clone)]
pub(crate) struct RejectionMarker;

/// Caller of a rejected request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// An app, by a valid token or secret.
    App,
    /// Anyone else. Their rejections are sampled in the log, so that a flood does not fill it.
    Stranger,
}

impl Caller {
    /// The caller of a token or login path, by the code of the rejection.
    fn from_platform_error(code: ErrorCode) -> Self {
        let is_authenticated = matches!(
            code,
            ErrorCode::QuotaReached
                | ErrorCode::InvalidCode
                | ErrorCode::CodeUsed
                | ErrorCode::InvalidSignature
                | ErrorCode::NoSession
        );
        if is_authenticated { Self::App } else { Self::Stranger }
    }
}

/// Logs a rejection and builds its response.
pub(crate) fn reject<B: From<Vec<u8>>>(
    bank: &AppState,
    caller: Caller,
    rid: Rid,
    method: &Method,
    path: &str,
    error: &ErrorReply,
) -> Response<B> {
    let errcode = error.code().code();
    let is_logged = if error.code() == ErrorCode::SystemError {
        bank.failed_call_log.admits()
    } else {
        caller == Caller::App || bank.stranger_log.admits()
    };
    if is_logged {
        tracing::info!(%rid, %method, path, errcode, reason = %error, "rejected");
    }
    let mut response = json(error_to_json(error, rid));
    response.extensions_mut().insert(RejectionMarker);
    response
}

/// Middleware that buffers the whole body before it calls the next.
///
/// It wraps [`run_to_completion`] on paths that need no token: a handler that waited there for the rest of a body
/// would hold its connection for as long as the client likes, past every timeout.
pub(crate) async fn buffer_body(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match read_body(body).await {
        Ok(body) => next.run(Request::from_parts(head, Body::from(body))).await,
        Err(error) => ErrorResponse(error).into_response(),
    }
}

/// Middleware that runs a handler to its end even when its reply is no longer awaited.
///
/// A timeout or a disconnect would otherwise cancel it between writing to the store and updating the cache, and the
/// cache would contradict the store.
pub(crate) async fn run_to_completion(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn dropped_request_still_runs_to_completion() {
        let (go_on, wait) = mpsc::channel::<()>(1);
        let (ended, mut end) = mpsc::channel::<()>(1);
        let wait = Arc::new(tokio::sync::Mutex::new(wait));
        let handler = get(async move || {
            wait.lock().await.recv().await;
            ended.send(()).await.unwrap();
        });
        let routes = Router::new().route("/", handler).route_layer(from_fn(run_to_completion));
        let request = Request::new(Body::empty());
        let mut answer = Box::pin(TowerToHyperService::new(routes).call(request));
        assert!(poll_once(answer.as_mut()).is_pending());
        drop(answer);
        go_on.send(()).await.unwrap();
        assert_eq!(end.recv().await, Some(()));
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
    }
}

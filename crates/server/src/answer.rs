//! How the platform's paths answer: always with HTTP 200 and a JSON body, a refusal with the id of its request.
//!
//! A handler returns [`Done`] or [`Refused`]. Around all of them stands [`answer`], which gives the request an id
//! and a deadline, writes refusals with that id, and logs one line: no more of the request than its method, path
//! and id, for its query and body hold secrets.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pactolus_protocol::reply::{CONTENT_TYPE, refusal_to_json};
use pactolus_protocol::{CallPath, ErrorCode, Refusal, Reply, reply};

use crate::bank::Bank;
use crate::rejections::{self, Trace};

/// A call that is done, with its reply.
pub(crate) struct Done<R>(pub(crate) R);

impl<R: Reply> IntoResponse for Done<R> {
    fn into_response(self) -> Response {
        json(reply::to_json(&self.0))
    }
}

/// A call that is refused. Its body is written by [`answer`], which knows the request's id.
#[derive(Clone)]
pub(crate) struct Refused(Refusal);

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// A response with a JSON body, as the platform sends it.
pub(crate) fn json(body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    response
}

/// Stands around the handlers of the platform's paths.
pub(crate) async fn answer(State(bank): State<Arc<Bank>>, mut request: Request, next: Next) -> Response {
    let rid = bank.rid();
    request.extensions_mut().insert(rid);
    // Only the Midas calls are explained.
    let traced = CallPath::parse(request.uri().path()).map(|path| (path, Trace::begin(request.headers())));
    if let Some((_, trace)) = &traced {
        request.extensions_mut().insert(trace.clone());
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let deadline = bank.limits.request_deadline;
    let mut response = match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Refused::from(Refusal::because(
            ErrorCode::SystemError,
            format!("no answer within {deadline:?}; repeat the same request"),
        ))
        .into_response(),
    };
    match response.extensions_mut().remove::<Refused>() {
        None => {
            tracing::debug!(%rid, %method, path, errcode = 0, "answered");
            response
        }
        Some(Refused(mut refusal)) => {
            if let Some((path, trace)) = &traced {
                refusal = rejections::keep(&bank, rid, &method, *path, trace, refusal).await;
            }
            let errcode = refusal.code().code();
            tracing::info!(%rid, %method, path, errcode, reason = %refusal, "refused");
            let mut refused = json(refusal_to_json(&refusal, rid));
            *refused.extensions_mut() = std::mem::take(response.extensions_mut());
            refused
        }
    }
}

/// Lets a handler come to its end even when its answer is no longer waited for.
///
/// A deadline, or a client that went away, would otherwise cut it between writing to the store and remembering what
/// was written, and memory would contradict the store.
pub(crate) async fn to_the_end(request: Request, next: Next) -> Response {
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
    async fn a_handler_comes_to_its_end_when_nobody_waits() {
        let (go_on, wait) = mpsc::channel::<()>(1);
        let (ended, mut end) = mpsc::channel::<()>(1);
        let wait = Arc::new(tokio::sync::Mutex::new(wait));
        let handler = get(async move || {
            wait.lock().await.recv().await;
            ended.send(()).await.unwrap();
        });
        let routes = Router::new().route("/", handler).route_layer(from_fn(to_the_end));
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

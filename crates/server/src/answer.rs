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

//! Durations of requests to the operator API, by route, method and status.
//!
//! The map is bounded: routes and statuses are those of this program, and methods that it does not know share one
//! name. It is locked for each request to the operator API, and never on the path of a Midas call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use pactolus_ledger::metrics::{Histogram, HistogramSnapshot};

use super::catalog::CALL_BOUNDS;
use crate::state::AppState;

/// Route, method and status of a request.
type RequestKey = (String, &'static str, u16);

#[derive(Default)]
pub(crate) struct RequestMetrics(Mutex<BTreeMap<RequestKey, Histogram>>);

impl RequestMetrics {
    fn count(&self, key: RequestKey, start: Instant) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = requests.entry(key).or_insert_with(|| Histogram::new(CALL_BOUNDS));
        histogram.observe_duration(start.elapsed());
    }

    pub(crate) fn snapshot(&self) -> Vec<(RequestKey, HistogramSnapshot)> {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().map(|(key, histogram)| (key.clone(), histogram.snapshot())).collect()
    }
}

/// Middleware that counts a request to the operator API.
pub(crate) async fn count_request(
    State(bank): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = method_name(request.method());
    let response = next.run(request).await;
    if let Some(route) = route {
        bank.metrics.requests.count((route, method, response.status().as_u16()), start);
    }
    response
}

/// A client may send any word as its method.
fn method_name(method: &Method) -> &'static str {
    let known = ["GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"];
    known.into_iter().find(|name| *name == method.as_str()).unwrap_or("_OTHER")
}

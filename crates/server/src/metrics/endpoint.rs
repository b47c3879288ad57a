//! `GET /metrics`.
//!
//! A scraper on the machine itself needs no key, any other shows the operator token. A request that a proxy forwarded
//! does not count as local, wherever the proxy runs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::MetricsMode;
use super::collect::collect;
use super::text::{Format, encode};
use crate::listener::PeerAddress;
use crate::operator;
use crate::operator::problem::Problem;
use crate::state::AppState;

/// The metrics, in OpenMetrics for a scraper that asks for it.
pub(crate) async fn get(State(bank): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    if bank.metrics.mode() == MetricsMode::Off {
        return Problem::not_found("this bank counts nothing: its configuration has metrics = \"off\"")
            .into_response();
    }
    let format = Format::of_accept(headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()));
    let text = encode(&collect(&bank).await, format);
    ([(CONTENT_TYPE, HeaderValue::from_static(format.content_type()))], text).into_response()
}

/// Middleware that asks for the operator token, except on the loopback.
pub(crate) async fn authorize(state: State<Arc<AppState>>, request: Request, next: Next) -> Response {
    if is_local(&request) { next.run(request).await } else { operator::authorize(state, request, next).await }
}

/// Headers of a proxy. nginx sends none unless it is configured to: its example in `deploy/` does not pass the path.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

fn is_local(request: &Request) -> bool {
    let peer = request.extensions().get::<PeerAddress>();
    peer.is_some_and(|PeerAddress(address)| address.to_canonical().is_loopback())
        && FORWARDED.iter().all(|name| !request.headers().contains_key(*name))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::body::Body;

    use super::*;

    fn request(peer: Option<&str>, header: Option<&'static str>) -> Request {
        let mut request = Request::new(Body::empty());
        if let Some(peer) = peer {
            request.extensions_mut().insert(PeerAddress(peer.parse::<IpAddr>().unwrap()));
        }
        if let Some(name) = header {
            request.headers_mut().insert(name, HeaderValue::from_static("127.0.0.1"));
        }
        request
    }

    #[test]
    fn only_a_direct_loopback_peer_is_local() {
        for peer in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"] {
            assert!(is_local(&request(Some(peer), None)), "{peer}");
            for header in FORWARDED {
                assert!(!is_local(&request(Some(peer), Some(header))), "{peer} {header}");
            }
        }
        for peer in ["10.0.0.1", "192.0.2.1", "::2", "::ffff:10.0.0.1", "fe80::1"] {
            assert!(!is_local(&request(Some(peer), None)), "{peer}");
        }
        assert!(!is_local(&request(None, None)), "an unknown peer");
    }
}

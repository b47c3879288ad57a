//! One HTTP request without retries. Its errors distinguish a request that cannot have reached the bank from one that
//! may have.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pactolus_test_support::sample::OPERATOR_TOKEN;

/// HTTP client. Clones share their connections.
#[derive(Clone)]
pub(crate) struct HttpClient(Client<HttpConnector, Full<Bytes>>);

pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("no connection, so the request was not sent")]
    NotSent(#[source] hyper_util::client::legacy::Error),
    #[error("the connection was lost")]
    ConnectionLost(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

impl HttpClient {
    pub(crate) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        // The caller records every sending, so hyper must not retry on its own.
        Self(Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build(tcp))
    }

    /// Sends a request. A path under `/api/` gets the operator's token.
    pub(crate) async fn send(
        &self,
        bank: SocketAddr,
        method: Method,
        path: &str,
        body: String,
        timeout: Duration,
    ) -> Result<HttpResponse, SendError> {
        let request = Request::builder().method(method).uri(format!("http://{bank}{path}"));
        let request = request.header(CONTENT_TYPE, "application/json");
        let request = if path.starts_with("/api/") {
            request.header(AUTHORIZATION, format!("Bearer {OPERATOR_TOKEN}"))
        } else {
            request
        };
        let request = request.body(Full::new(body.into())).expect("the paths of attacks are URIs");
        let answered = async {
            let response = self.0.request(request).await.map_err(|error| {
                if error.is_connect() {
                    SendError::NotSent(error)
                } else {
                    SendError::ConnectionLost(error.into())
                }
            })?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await;
            let body = body.map_err(|error| SendError::ConnectionLost(error.into()))?.to_bytes();
            Ok(HttpResponse { status, body })
        };
        tokio::time::timeout(timeout, answered).await.unwrap_or(Err(SendError::Timeout(timeout)))
    }
}

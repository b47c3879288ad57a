//! HTTP client: one request and its reply, without retries.
//!
//! A URL holds the access token and a body the order, so neither is ever in an error or a log.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pactolus_protocol::reply::InvalidReply;
use rustls::{ClientConfig, RootCertStore};

use crate::base_url::BaseUrl;
use crate::route::{ProxySource, Route};

/// Maximum reply size in bytes, ten times a bank's largest reply.
const REPLY_BYTES_MAX: usize = 16 * 1024;

/// Idle timeout of a pooled connection. It is shorter than a load balancer's, so that the other side seldom closes a
/// connection while a request is being sent.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A reply with any status.
pub(crate) struct HttpReply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// HTTP client of one bank. Clones share a connection pool.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    client: Client<HttpsConnector<Route>, Full<Bytes>>,
    base_url: BaseUrl,
}

/// Why an attempt got no reply.
#[non_exhaustive]
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// Connecting failed, so the bank has not seen the request.
    #[error("the bank cannot be reached")]
    Unreachable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The connection broke before the reply was complete.
    #[error("the connection broke before the reply")]
    ConnectionLost(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The reply did not arrive within the timeout.
    #[error("no reply within {0:?}")]
    TimedOut(Duration),
    /// A gateway in front of the bank replied. A bank always replies with status 200.
    #[error("HTTP status {0} in place of a bank's reply")]
    Status(StatusCode),
    /// The reply's body is not a reply to the call.
    #[error("the reply {0}")]
    InvalidReply(InvalidReply),
}

impl TransportError {
    /// Whether the bank may have applied the order.
    pub(crate) fn may_have_applied(&self) -> bool {
        match self {
            Self::Unreachable(_) => false,
            Self::ConnectionLost(_) | Self::TimedOut(_) | Self::InvalidReply(_) => true,
            // A 3xx or 4xx is the gateway's own refusal. After a 5xx or 408 the gateway does not know how far the
            // request got, and any 2xx is an acknowledgement.
            Self::Status(status) => {
                status.is_server_error() || status.is_success() || *status == StatusCode::REQUEST_TIMEOUT
            }
        }
    }

    /// Whether another attempt of the same call is worth while: a gateway may reply with a page of its own only while
    /// the bank restarts.
    pub(crate) fn worth_another_attempt(&self) -> bool {
        self.retryable() || matches!(self, Self::InvalidReply(_))
    }

    /// Whether the same request, sent again, may get a reply.
    pub fn retryable(&self) -> bool {
        match self {
            // No bank replies like this: the base URL points elsewhere.
            Self::InvalidReply(InvalidReply::NotAReply) => false,
            Self::Unreachable(_)
            | Self::ConnectionLost(_)
            | Self::TimedOut(_)
            | Self::InvalidReply(InvalidReply::Field(_)) => true,
            Self::Status(status) => {
                let is_transient =
                    [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status);
                status.is_server_error() || is_transient
            }
        }
    }
}

impl HttpClient {
    pub(crate) fn new(
        base_url: BaseUrl,
        connect_timeout: Duration,
        roots: RootCertStore,
        proxy: ProxySource,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(Route::to(&base_url, proxy, tcp));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            // Retries are decided in `retry` alone.
            .retry_canceled_requests(false)
            .build(https);
        Self { client, base_url }
    }

    pub(crate) fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    pub(crate) async fn get(&self, path_and_query: &str, timeout: Duration) -> Result<Bytes, TransportError> {
        self.send(Method::GET, path_and_query, Bytes::new(), timeout).await
    }

    pub(crate) async fn post(
        &self,
        path_and_query: &str,
        body: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<Bytes, TransportError> {
        self.send(Method::POST, path_and_query, body.into(), timeout).await
    }

    async fn send(
        &self,
        method: Method,
        path_and_query: &str,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Bytes, TransportError> {
        let request = self.request(method, path_and_query);
        let reply = self.exchange(request, body, REPLY_BYTES_MAX, timeout).await?;
        if reply.status == StatusCode::OK {
            Ok(reply.body)
        } else {
            Err(TransportError::Status(reply.status))
        }
    }

    /// A request for JSON, to which headers may be added.
    pub(crate) fn request(&self, method: Method, path_and_query: &str) -> Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path_and_query}", self.base_url))
            .header(CONTENT_TYPE, "application/json")
    }

    /// Sends one request, and reads a reply of any status and of at most `reply_bytes_max` bytes.
    pub(crate) async fn exchange(
        &self,
        request: Builder,
        body: Bytes,
        reply_bytes_max: usize,
        timeout: Duration,
    ) -> Result<HttpReply, TransportError> {
        let request = request.body(Full::new(body)).expect("a base URL and an encoded query are a URI");
        let reply = async { read_reply(self.client.request(request).await, reply_bytes_max).await };
        tokio::time::timeout(timeout, reply).await.unwrap_or(Err(TransportError::TimedOut(timeout)))
    }
}

async fn read_reply(
    response: Result<Response<Incoming>, hyper_util::client::legacy::Error>,
    bytes_max: usize,
) -> Result<HttpReply, TransportError> {
    let response = response.map_err(|error| {
        let connected = !error.is_connect();
        let error = Arc::new(error);
        if connected { TransportError::ConnectionLost(error) } else { TransportError::Unreachable(error) }
    })?;
    let status = response.status();
    let body = Limited::new(response.into_body(), bytes_max).collect().await;
    match body {
        Ok(body) => Ok(HttpReply { status, body: body.to_bytes() }),
        // The status alone says enough of a page that is no bank's.
        Err(_) if !status.is_success() => Err(TransportError::Status(status)),
        Err(error) => Err(TransportError::ConnectionLost(error.into())),
    }
}

fn tls_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the suites of both versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

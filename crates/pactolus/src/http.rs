//! Minimal HTTP client: one bank, whole bodies, no hidden retries.
//!
//! The demo, the doctor and the tests of this crate use it. Every other command calls through `pactolus_client`.

use std::net::SocketAddr;

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pactolus_protocol::OperatorToken;

/// A client of one bank. Clones share its connection pool.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

pub(crate) struct HttpResponse {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl HttpClient {
    pub(crate) fn new(bank: SocketAddr) -> Self {
        // Only the caller knows whether a request is idempotent, so the caller retries.
        let client = Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
        Self { client, address: bank }
    }

    /// POSTs `body` as a Midas client does.
    pub(crate) async fn post(&self, path: &str, body: &str) -> anyhow::Result<HttpResponse> {
        self.send(self.request(Method::POST, path), body).await
    }

    /// GETs `path` without a token.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<HttpResponse> {
        self.send(self.request(Method::GET, path), "").await
    }

    /// GETs `path` with the operator token.
    pub(crate) async fn get_as_operator(
        &self,
        path: &str,
        token: &OperatorToken,
    ) -> anyhow::Result<HttpResponse> {
        self.send(with_bearer_token(self.request(Method::GET, path), token), "").await
    }

    /// PUTs `body` at `path` with the operator token.
    pub(crate) async fn put_as_operator(
        &self,
        path: &str,
        token: &OperatorToken,
        body: &str,
    ) -> anyhow::Result<HttpResponse> {
        self.send(with_bearer_token(self.request(Method::PUT, path), token), body).await
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let uri = format!("http://{}{path}", self.address);
        Request::builder().method(method).uri(uri).header(CONTENT_TYPE, "application/json")
    }

    async fn send(&self, request: hyper::http::request::Builder, body: &str) -> anyhow::Result<HttpResponse> {
        let request = request.body(Full::from(body.to_owned())).context("the request cannot be written")?;
        let response = self.client.request(request).await.context("no response")?;
        let status = response.status();
        let body = response.into_body().collect().await.context("the response ended early")?.to_bytes();
        let body = String::from_utf8(body.into()).context("the response is not UTF-8")?;
        Ok(HttpResponse { status, body })
    }
}

fn with_bearer_token(
    request: hyper::http::request::Builder,
    token: &OperatorToken,
) -> hyper::http::request::Builder {
    request.header(AUTHORIZATION, format!("Bearer {}", token.expose()))
}

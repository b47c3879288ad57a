//! Route of new connections to a bank: directly, or through a proxy by CONNECT.
//!
//! Only encrypted addresses go through a proxy: it then sees the host and nothing else.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::base_url::BaseUrl;

/// Where a client learns of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxySource {
    Nowhere,
    /// `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case.
    Environment,
}

/// Connector of one route.
#[derive(Clone)]
pub(crate) enum Route {
    Direct(HttpConnector),
    Proxy(Tunnel<HttpConnector>),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, BoxError>> + Send>>;

impl Route {
    /// The route to `bank`.
    pub(crate) fn to(bank: &BaseUrl, source: ProxySource, tcp: HttpConnector) -> Self {
        let matcher = match source {
            ProxySource::Environment if bank.is_https() => Matcher::from_env(),
            ProxySource::Environment | ProxySource::Nowhere => return Self::Direct(tcp),
        };
        let uri = bank.as_str().parse::<Uri>().ok();
        let Some(proxy) = uri.and_then(|uri| matcher.intercept(&uri)) else { return Self::Direct(tcp) };
        let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
        Self::Proxy(match proxy.basic_auth() {
            Some(credentials) => tunnel.with_auth(credentials.clone()),
            None => tunnel,
        })
    }
}

impl Service<Uri> for Route {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Direct(tcp) => tcp.poll_ready(context).map_err(Into::into),
            Self::Proxy(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        match self {
            Self::Direct(tcp) => {
                let connecting = tcp.call(uri);
                Box::pin(async move { Ok(connecting.await?) })
            }
            Self::Proxy(tunnel) => {
                let connecting = tunnel.call(uri);
                Box::pin(async move { Ok(connecting.await?) })
            }
        }
    }
}

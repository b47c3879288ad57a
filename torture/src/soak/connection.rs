//! One connection to the bank: a request and its answer, or the reason for none. It never retries.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, header};
use hyper_util::rt::TokioIo;
use pactolus_test_support::sample::OPERATOR_TOKEN;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub(super) struct ApiRequest {
    pub(super) method: Method,
    /// Contains the token or the secret, so it must not be logged.
    pub(super) path_and_query: String,
    pub(super) body: Vec<u8>,
    pub(super) role: CallerRole,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerRole {
    /// A game's back end.
    Game,
    /// The operator of the bank.
    Operator,
}

pub(super) struct ApiResponse {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Failure of an attempt without a conclusive answer, after which the call is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFailure {
    /// The connection could not be opened.
    NotConnected,
    /// The connection broke before the answer arrived.
    ConnectionLost,
    /// No answer within [`ANSWER_TIMEOUT`].
    TimedOut,
    /// The bank answered 503 or -1.
    Busy,
}

impl CallFailure {
    pub(super) const ALL: [Self; 4] = [Self::NotConnected, Self::ConnectionLost, Self::TimedOut, Self::Busy];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::ConnectionLost => "broke_off",
            Self::TimedOut => "timed_out",
            Self::Busy => "busy",
        }
    }
}

/// Twice the bank's own timeout, after which it answers that it is busy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A kept-alive connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    host: String,
}

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, CallFailure> {
        let stream = TcpStream::connect(address).await.map_err(|_| CallFailure::NotConnected)?;
        stream.set_nodelay(true).map_err(|_| CallFailure::NotConnected)?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| CallFailure::NotConnected)?;
        // Its errors reach the callers of `send` as well.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, driver, host: address.to_string() })
    }

    /// After an error the connection must not be used again.
    pub(super) async fn exchange(&mut self, request: ApiRequest) -> Result<ApiResponse, CallFailure> {
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.send(request)).await;
        answered.map_err(|_| CallFailure::TimedOut)?.map_err(|_| CallFailure::ConnectionLost)
    }

    async fn send(&mut self, request: ApiRequest) -> hyper::Result<ApiResponse> {
        let mut head = hyper::Request::builder()
            .method(request.method)
            .uri(request.path_and_query)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json");
        if request.role == CallerRole::Operator {
            head = head.header(header::AUTHORIZATION, format!("Bearer {OPERATOR_TOKEN}"));
        }
        let request =
            head.body(Full::new(request.body.into())).expect("every part of it was made to be sent");
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(ApiResponse { status, body })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

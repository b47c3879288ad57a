//! One connection to the bank: a request and its answer, or why there is none. Nothing is tried again here.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::workload::OPERATOR_TOKEN;

/// What is asked.
pub(super) struct ApiRequest {
    pub(super) method: Method,
    /// It holds the token or the secret, so it is shown to nobody.
    pub(super) path_and_query: String,
    pub(super) body: Vec<u8>,
    pub(super) role: CallerRole,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerRole {
    /// A game's back end.
    Game,
    /// Whoever runs the bank.
    Operator,
}

/// What the bank answered.
pub(super) struct ApiResponse {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why there was no answer, or none that says what became of the call: it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallFailure {
    /// There was no connection.
    NotConnected,
    /// The connection broke before the answer was there.
    ConnectionLost,
    /// There was none within [`ANSWER_TIMEOUT`].
    TimedOut,
    /// The bank said that it is busy or out of order.
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

/// Twice what the bank gives a request before it answers that it is busy.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that is kept.
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
        // What goes wrong on it, whoever waits for an answer is told.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, driver, host: address.to_string() })
    }

    /// After trouble the connection is of no use.
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

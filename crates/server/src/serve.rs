//! Serving and graceful shutdown: every open request gets its reply, and every answered order is on disk.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Response;
use http_body_util::Either;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};

use crate::connection::limiter::{ConnectionLimiter, ConnectionPermit};
use crate::connection::request_timeout::RequestTimer;
use crate::connection::state::{Evicted, RequestKind};
use crate::connection::{self, ConnectionTimeouts};
use crate::listener::{Audience, Listener, PeerAddress};
use crate::metrics::connections::CloseReason;
use crate::midas::faults::inject::ReplyDropped;
use crate::response::RejectionMarker;
use crate::router::{RequestRouter, router_for};
use crate::state::AppState;
use crate::tls::TlsIdentity;

/// Outcome of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Every open request was answered.
    Clean,
    /// Some requests were cut off at the shutdown timeout, and an order among them may or may not have been applied; or
    /// the ledger did not close in time. The caller should end the process: a thread of the ledger may be stuck.
    TimedOut,
}

/// Serves `bank` on `listener` until `stop` resolves, then drains open requests and closes the ledger.
pub async fn serve(
    bank: Arc<AppState>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Shutdown> {
    serve_listeners(bank, vec![Listener::shared(listener)], stop).await
}

/// Like [`serve`], on several listeners.
pub async fn serve_listeners(
    bank: Arc<AppState>,
    listeners: Vec<Listener>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Shutdown> {
    let endpoint = |Listener { socket, audience, tls }| {
        let routes = router_for(audience, Arc::clone(&bank));
        Endpoint { tls, ..Endpoint::new(&bank, socket, audience, routes) }
    };
    let endpoints = listeners.into_iter().map(endpoint).collect();
    serve_endpoints(bank, endpoints, stop).await
}

/// Like [`serve`], with `routes` in place of the bank's own: for a program that has more of them.
pub async fn serve_routes(
    bank: Arc<AppState>,
    routes: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Shutdown> {
    let endpoint = Endpoint::new(&bank, listener, Audience::All, routes);
    serve_endpoints(bank, vec![endpoint], stop).await
}

/// Cap on open connections of a listener for operators alone. It is apart from that of the game, so that a flood of
/// the game's port locks no operator out.
const OPERATOR_CONNECTIONS_MAX: usize = 128;

/// A listener with its routes and its limiter.
struct Endpoint {
    socket: TcpListener,
    tls: Option<TlsIdentity>,
    paths: Arc<RequestRouter>,
    connections: Arc<ConnectionLimiter>,
}

impl Endpoint {
    fn new(bank: &Arc<AppState>, socket: TcpListener, audience: Audience, routes: Router) -> Self {
        let limits = bank.live().limits.clone();
        let max = limits.connections_max;
        let connections_max = match audience {
            Audience::All | Audience::Game => max,
            Audience::Operator => max.min(OPERATOR_CONNECTIONS_MAX),
        };
        bank.metrics.connections.add_limit(connections_max);
        Self {
            socket,
            tls: None,
            paths: Arc::new(RequestRouter::new(Arc::clone(bank), audience, routes)),
            connections: ConnectionLimiter::new(connections_max, limits.connections_per_address_max),
        }
    }

    /// Accepts connections until its task is aborted.
    async fn accept_connections(self, bank: Arc<AppState>) {
        loop {
            let (stream, address) = accept(&self.socket).await;
            let Some(permit) = self.connections.acquire(address).await else {
                bank.metrics.connections.count_closed(CloseReason::AddressLimit);
                continue;
            };
            let (tls, paths) = (self.tls.clone(), Arc::clone(&self.paths));
            spawn_connection(stream, tls, permit, paths, Arc::clone(&bank));
        }
    }
}

async fn serve_endpoints(
    bank: Arc<AppState>,
    endpoints: Vec<Endpoint>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Shutdown> {
    let sweeper = tokio::spawn(sweep(Arc::clone(&bank)));
    let limiters: Vec<_> = endpoints.iter().map(|endpoint| Arc::clone(&endpoint.connections)).collect();
    let accepting: Vec<_> = endpoints
        .into_iter()
        .map(|endpoint| tokio::spawn(endpoint.accept_connections(Arc::clone(&bank))))
        .collect();
    stop.await;
    for task in accepting {
        task.abort();
        // No new connections from here on: the socket is dropped with its task.
        let _ = task.await;
    }
    bank.drain();
    tracing::info!("shutting down: draining open requests");
    let deadline = tokio::time::Instant::now() + bank.live().limits.shutdown_timeout;
    let drained = tokio::select! {
        () = wait_until_empty(&limiters) => Shutdown::Clean,
        () = tokio::time::sleep_until(deadline) => {
            tracing::warn!("some requests were cut off: they took longer than the shutdown timeout");
            Shutdown::TimedOut
        }
    };
    sweeper.abort();
    bank.stranger_log.end_window();
    bank.failed_call_log.end_window();
    bank.wrong_operator_tokens.log_count();
    Ok(if close_ledger(bank, deadline).await { drained } else { Shutdown::TimedOut })
}

async fn wait_until_empty(limiters: &[Arc<ConnectionLimiter>]) {
    for limiter in limiters {
        limiter.wait_until_empty().await;
    }
}

/// Time to close the ledger when open requests took all of the shutdown timeout.
const CLOSE_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// Closes the ledger before `deadline`. Returns whether it closed.
async fn close_ledger(bank: Arc<AppState>, deadline: tokio::time::Instant) -> bool {
    let deadline = deadline.max(tokio::time::Instant::now() + CLOSE_TIMEOUT_MIN);
    let is_closed = tokio::time::timeout_at(deadline, bank.ledger.close()).await.is_ok();
    if !is_closed {
        tracing::warn!("the ledger did not close within the shutdown timeout; answered orders are safe");
        // Dropping the ledger would wait for its threads.
        std::mem::forget(bank);
    }
    is_closed
}

/// Interval between two sweeps of expired records.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// Deletes expired tokens, sessions and codes at intervals.
async fn sweep(bank: Arc<AppState>) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        match bank.records.sweep(bank.now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "expired records deleted"),
            Err(error) => tracing::warn!(%error, "sweep of expired records failed"),
        }
    }
}

/// Backoff after an error that the next attempt would meet again, such as too many open files.
const ACCEPT_BACKOFF: Duration = Duration::from_secs(1);

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address.ip()),
            Err(error) if is_client_disconnect(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection; retrying in {ACCEPT_BACKOFF:?}");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Whether the client was gone before its connection was accepted.
fn is_client_disconnect(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The connection is closed instead of a reply.
#[derive(Debug, thiserror::Error)]
enum NoReply {
    #[error(transparent)]
    ReplyDropped(#[from] ReplyDropped),
    #[error(transparent)]
    Evicted(#[from] Evicted),
}

fn spawn_connection(
    stream: TcpStream,
    tls: Option<TlsIdentity>,
    permit: ConnectionPermit,
    paths: Arc<RequestRouter>,
    bank: Arc<AppState>,
) {
    // Replies are small: Nagle's algorithm would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY on a connection");
    }
    let connection_state = permit.state();
    let shared = Arc::new((paths, RequestTimer::new(bank.request_timeout()), Arc::clone(&connection_state)));
    let peer = PeerAddress(permit.peer());
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let (paths, timer, state) = &*shared;
            state.mark_busy()?;
            let response = paths.serve(request, peer, timer).await?;
            state.mark_idle(request_kind(&response));
            Ok::<_, NoReply>(response)
        }
    });
    let mut http = http1::Builder::new();
    let live = bank.live();
    let limits = &live.limits;
    let timeouts = ConnectionTimeouts { idle: limits.idle_timeout, write: limits.write_timeout };
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    // Bounds both the read-ahead and the header of a request; hyper takes no less.
    http.max_buf_size(limits.header_bytes_max.max(HEADER_BYTES_MIN));
    // A client that has closed its sending side still gets its reply. hyper does not read while a request is in
    // flight, which would take a buffer for each request that waits for the disk. Replies are short: one buffer is
    // one write.
    http.half_close(true).writev(false);
    let open = bank.metrics.connections.open();
    let handshake_timeout = limits.header_timeout;
    drop(live);
    permit.spawn(async move {
        let mut stop = pin!(bank.wait_for_shutdown());
        let served = match tls {
            None => connection::serve(stream, service, http, connection_state, timeouts, stop).await,
            // Boxed, so that a connection without TLS does not carry its size.
            Some(tls) => {
                Box::pin(async move {
                    let accepted = tokio::select! {
                        accepted = tls.accept(stream, handshake_timeout) => accepted,
                        () = stop.as_mut() => return Ok(CloseReason::Shutdown),
                    };
                    let Some(stream) = accepted else { return Ok(CloseReason::Error) };
                    connection::serve(stream, service, http, connection_state, timeouts, stop).await
                })
                .await
            }
        };
        open.close(served.unwrap_or_else(|error| {
            tracing::debug!(%error, "a connection broke off");
            CloseReason::Error
        }));
    });
}

/// Smallest buffer that hyper takes.
const HEADER_BYTES_MIN: usize = 8192;

/// Kind of a request, by its response. Midas calls have a body type of their own.
fn request_kind<C, O>(response: &Response<Either<C, O>>) -> RequestKind {
    match response.body() {
        Either::Left(_) if response.extensions().get::<RejectionMarker>().is_none() => {
            RequestKind::SignedCall
        }
        Either::Left(_) | Either::Right(_) => RequestKind::Other,
    }
}

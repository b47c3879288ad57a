//! Serving, and coming to an end: every open request gets its answer, and every answered order is on disk.

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

use crate::connection;
use crate::connection::limiter::{Connections, Place};
use crate::connection::request_timeout::Deadline;
use crate::connection::state::{Came, ToldToGo};
use crate::midas::faults::inject::Withheld;
use crate::response::IsRefusal;
use crate::router::{Paths, router};
use crate::state::Bank;

/// How serving came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every open request was answered.
    Whole,
    /// Some were cut off at the deadline. An order among them may or may not have been applied.
    CutOff,
}

/// Serves `bank` on `listener` until `stop` resolves, then lets open requests finish and closes the ledger.
pub async fn serve(
    bank: Arc<Bank>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Drained> {
    let routes = router(Arc::clone(&bank));
    serve_routes(bank, routes, listener, stop).await
}

/// Does as [`serve`] does, with `routes` in place of the bank's own: for a program that has more of them.
pub async fn serve_routes(
    bank: Arc<Bank>,
    routes: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Drained> {
    let sweeping = tokio::spawn(sweep(Arc::clone(&bank)));
    let paths = Arc::new(Paths::new(Arc::clone(&bank), routes));
    let connections = Connections::new(&bank.limits);
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            (stream, place) = next(&listener, &connections) => {
                start(stream, place, Arc::clone(&paths), Arc::clone(&bank));
            }
            () = &mut stop => break,
        }
    }
    // Nobody new gets in from here on.
    drop(listener);
    bank.drain();
    tracing::info!("stopping: open requests get their answers");
    let drained = tokio::select! {
        () = connections.all_gone() => Drained::Whole,
        () = tokio::time::sleep(bank.limits.drain_deadline) => {
            tracing::warn!("some requests were cut off: they took longer than the drain deadline");
            Drained::CutOff
        }
    };
    sweeping.abort();
    bank.ledger.close().await;
    Ok(drained)
}

/// How often what expired is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// Forgets tokens, sessions and codes that are over, now and then.
async fn sweep(bank: Arc<Bank>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        match bank.records.sweep(bank.now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "records that expired are forgotten"),
            Err(error) => tracing::warn!(%error, "records that expired are kept for now"),
        }
    }
}

/// How long to wait after an error that the next try would meet again, such as having too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The next connection that may be there, and its place.
async fn next(listener: &TcpListener, connections: &Arc<Connections>) -> (TcpStream, Place) {
    loop {
        let (stream, address) = accept(listener).await;
        if let Some(place) = connections.place(address).await {
            return (stream, place);
        }
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return (stream, address.ip()),
            Err(error) if went_away(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be taken; trying again in {ACCEPT_PAUSE:?}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the client was gone before it was let in.
fn went_away(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Why a request gets no reply: its connection is closed instead.
#[derive(Debug, thiserror::Error)]
enum NoReply {
    #[error(transparent)]
    Withheld(#[from] Withheld),
    #[error(transparent)]
    ToldToGo(#[from] ToldToGo),
}

/// Serves a connection in a task of its own.
fn start(stream: TcpStream, place: Place, paths: Arc<Paths>, bank: Arc<Bank>) {
    // Answers are small; waiting to gather more would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let standing = place.standing();
    let shared = Arc::new((paths, Deadline::new(bank.limits.request_deadline), Arc::clone(&standing)));
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let (paths, deadline, standing) = &*shared;
            standing.begin()?;
            let response = paths.serve(request, deadline).await?;
            standing.rest(came(&response));
            Ok::<_, NoReply>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(bank.limits.head_deadline);
    // Both what is read ahead and how long a head may be; less than that hyper does not take.
    http.max_buf_size(bank.limits.head_bytes_max.max(HEAD_BYTES_MIN));
    // A client that has said all it has to say still gets its answer, and nobody looks for more of it meanwhile, which
    // would take a buffer for each request that waits for the disk. Answers are short: one buffer is one write.
    http.half_close(true).writev(false);
    place.serve(async move {
        let stop = bank.told_to_stop();
        if let Err(error) = connection::serve(stream, service, http, standing, &bank.limits, stop).await {
            tracing::debug!(%error, "a connection broke off");
        }
    });
}

/// What hyper's buffer has at least.
const HEAD_BYTES_MIN: usize = 8192;

/// What a response says of its connection. Those of the Midas calls have a body of their own kind.
fn came<C, O>(response: &Response<Either<C, O>>) -> Came {
    match response.body() {
        Either::Left(_) if response.extensions().get::<IsRefusal>().is_none() => Came::SignedCall,
        Either::Left(_) | Either::Right(_) => Came::Other,
    }
}

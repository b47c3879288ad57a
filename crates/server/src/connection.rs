//! One connection: its requests in sequence, and the idle times between them.
//!
//! hyper holds buffers and state for as long as its `Connection` exists, before the first byte as after the last.
//! Most connections are idle most of the time, so an idle one keeps only its socket: the first byte of a request
//! creates the hyper connection, and an idle time dismantles it. Memory of both: `Limits::connections_max`.
//! Invariant: a hyper connection that holds a reply or a part of one is never dismantled. See
//! [`ConnectionState::is_quiescent`].

pub(crate) mod client_stream;
pub(crate) mod limiter;
pub(crate) mod request_timeout;
pub(crate) mod state;
mod write_timeout;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::{Builder, Connection};
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep};

use self::client_stream::ClientStream;
use self::state::ConnectionState;
use self::write_timeout::WriteTimeoutStream;
use crate::metrics::connections::CloseReason;

/// Timeouts of a connection, as they are when it opens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionTimeouts {
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Idle time after which hyper's buffers are freed. Allocating them again takes about a microsecond.
const BUFFER_IDLE_TIMEOUT: Duration = Duration::from_millis(500);

/// Serves the requests of `stream` until the client closes it, the idle timeout passes or the bank stops.
pub(crate) async fn serve<S, C: ClientStream>(
    stream: C,
    mut service: S,
    http: Builder,
    state: Arc<ConnectionState>,
    timeouts: ConnectionTimeouts,
    stop: impl Future<Output = ()>,
) -> hyper::Result<CloseReason>
where
    S: HttpService<Incoming, Error: Into<BoxError>, ResBody: Body<Error: Into<BoxError>> + 'static> + Unpin,
{
    let mut stop = pin!(stop);
    let mut stream = WriteTimeoutStream::new(TokioIo::new(stream), Arc::clone(&state), timeouts.write);
    loop {
        if !stream.has_unread() {
            tokio::select! {
                biased;
                () = stream.get_ref().inner().readable() => {}
                () = &mut stop => return Ok(CloseReason::Shutdown),
                () = sleep(timeouts.idle) => return Ok(CloseReason::IdleTimeout),
            }
        }
        let mut connection = Box::new(http.serve_connection(stream, service));
        if let Some(ended) = serve_until_idle(&mut connection, &state, stop.as_mut()).await {
            return ended;
        }
        let parts = connection.into_parts();
        (stream, service) = (parts.io, parts.service);
        stream.push_back(parts.read_buf);
    }
}

/// The result of a connection that ended; `None` once it is idle.
async fn serve_until_idle<S, C: ClientStream>(
    connection: &mut Connection<WriteTimeoutStream<TokioIo<C>>, S>,
    state: &ConnectionState,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Option<hyper::Result<CloseReason>>
where
    S: HttpService<Incoming, Error: Into<BoxError>, ResBody: Body<Error: Into<BoxError>> + 'static> + Unpin,
{
    let mut idle_check = pin!(sleep(BUFFER_IDLE_TIMEOUT));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut *connection => {
                let reason = if is_stopping { CloseReason::Shutdown } else { CloseReason::Client };
                return Some(ended.map(|()| reason));
            }
            () = stop.as_mut(), if !is_stopping => {
                is_stopping = true;
                Pin::new(&mut *connection).graceful_shutdown();
            }
            () = idle_check.as_mut() => {
                if !is_stopping && state.is_quiescent(BUFFER_IDLE_TIMEOUT) {
                    return None;
                }
                idle_check.as_mut().reset(Instant::now() + BUFFER_IDLE_TIMEOUT);
            }
        }
    }
}

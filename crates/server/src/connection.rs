//! One connection: its requests, one after the other, and the rests between them.
//!
//! What hyper needs for a connection, some 20 KiB of buffers and states, it keeps for as long as there is one. Most
//! connections rest most of the time, so one that rests has only its socket: hyper is given it when there is something
//! to read, and has it taken away again when nothing has come for a while.
//! It must never be taken away with a reply, or a part of one, still in it: see [`ConnectionState::is_quiescent`].

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
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use self::state::ConnectionState;
use self::write_timeout::WriteTimeoutStream;
use crate::settings::Limits;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long a connection rests before hyper's buffers are given back. To make them anew takes about a microsecond.
const BUFFER_IDLE_TIMEOUT: Duration = Duration::from_millis(500);

/// Serves the requests that come on `stream` until it ends, or is to end because nothing comes or the bank stops.
pub(crate) async fn serve<S>(
    stream: TcpStream,
    mut service: S,
    http: Builder,
    state: Arc<ConnectionState>,
    limits: &Limits,
    stop: impl Future<Output = ()>,
) -> hyper::Result<()>
where
    S: HttpService<Incoming, Error: Into<BoxError>, ResBody: Body<Error: Into<BoxError>> + 'static> + Unpin,
{
    let mut stop = pin!(stop);
    let mut stream = WriteTimeoutStream::new(TokioIo::new(stream), Arc::clone(&state), limits.write_timeout);
    loop {
        if !stream.has_unread() {
            let mut first = [0];
            tokio::select! {
                biased;
                // A look at the first byte and not only at whether the socket is said to be readable, which a new one
                // is before anything has come. What goes wrong with it, hyper finds out.
                _ = stream.get_ref().inner().peek(&mut first) => {}
                () = &mut stop => return Ok(()),
                () = sleep(limits.idle_timeout) => return Ok(()),
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

/// How the connection ended; nothing if it has begun to rest.
async fn serve_until_idle<S>(
    connection: &mut Connection<WriteTimeoutStream<TokioIo<TcpStream>>, S>,
    state: &ConnectionState,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> Option<hyper::Result<()>>
where
    S: HttpService<Incoming, Error: Into<BoxError>, ResBody: Body<Error: Into<BoxError>> + 'static> + Unpin,
{
    let mut idle_check = pin!(sleep(BUFFER_IDLE_TIMEOUT));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = &mut *connection => return Some(ended),
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

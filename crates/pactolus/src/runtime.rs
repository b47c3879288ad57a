//! What a command that serves stands on: threads, a socket, and the signal that ends it.

use std::io;
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use crate::cli::exit::CliError;

/// A thread for each core.
pub(crate) fn start() -> Result<Runtime, CliError> {
    Ok(Runtime::new().context("the threads of the server cannot be started")?)
}

/// How much of requests and of replies the system may hold for each connection; Linux makes it twice as much. Left to
/// itself, it would let a client that does not read have 4 MiB.
///
/// A request is some 17 KiB at most, and the longest reply, a hundred orders of a statement, some 40 KiB.
const SOCKET_BUFFER_BYTES: u32 = 64 * 1024;

/// How many connections may wait to be taken.
const BACKLOG: u32 = 1024;

/// Takes connections at `address`, and tells the address with the port that it really got.
pub(crate) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CliError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A bank that is started again finds its address free. On Windows this would let two have it.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Connections that are taken have what the listener has.
        socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| CliError::Listen { address, source })
}

/// How many open files are kept for all but connections: those of an embedded store, the connections to a database,
/// the logs.
const RESERVED_FILES: usize = 512;

/// How many connections can be open, of those that are wanted: each is an open file, of which the system allows a
/// process only so many. Asks for as many as may be had.
pub(crate) fn connection_limit(wanted: usize) -> usize {
    let allowed = connections_for_files(open_files_max(), wanted);
    if allowed < wanted {
        tracing::warn!(
            connections_max = wanted,
            allowed,
            "the system's limit of open files (ulimit -n) allows fewer connections than the configuration"
        );
    }
    allowed
}

/// Where there are few files, half of them are for connections.
fn connections_for_files(files: Option<usize>, wanted: usize) -> usize {
    files.map_or(wanted, |files| wanted.min(files - RESERVED_FILES.min(files / 2)).max(1))
}

/// How many files this process may have open, once it has asked for as many as it may; nothing if there is no limit.
#[cfg(unix)]
fn open_files_max() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, as on macOS above a limit of the kernel's own, what was allowed before is allowed still.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok())
}

/// Windows sets no such limit.
#[cfg(windows)]
fn open_files_max() -> Option<usize> {
    None
}

/// A future that resolves when the process is told to stop: by Ctrl-C, or as its service manager does it.
///
/// Signals are noticed from the call on, so that none is lost before the future is waited for.
pub(crate) fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let (mut from_keyboard, mut from_manager) =
        signals().context("the signals that stop the server cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = from_keyboard.recv() => {}
            _ = from_manager.recv() => {}
        }
    })
}

/// As [`shutdown_signal`]; told a second time, the process ends at once.
pub(crate) fn shutdown_signal_or_exit() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    /// What shells give a process that Ctrl-C has ended.
    const EXIT_SIGINT: i32 = 130;
    let first_signal = shutdown_signal()?;
    let (shutdown_tx, shutdown_rx) = tokio::sync::oneshot::channel();
    Ok(async move {
        tokio::spawn(async move {
            first_signal.await;
            let second_signal = shutdown_signal();
            // Nobody waits any more where the work is done.
            let _ = shutdown_tx.send(());
            if let Ok(again) = second_signal {
                again.await;
                std::process::exit(EXIT_SIGINT);
            }
        });
        let _ = shutdown_rx.await;
    })
}

#[cfg(unix)]
fn signals() -> io::Result<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
}

#[cfg(windows)]
fn signals() -> io::Result<(tokio::signal::windows::CtrlC, tokio::signal::windows::CtrlShutdown)> {
    use tokio::signal::windows::{ctrl_c, ctrl_shutdown};
    Ok((ctrl_c()?, ctrl_shutdown()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_reserved_files() {
        assert_eq!(connections_for_files(None, 20_000), 20_000);
        assert_eq!(connections_for_files(Some(1_000_000), 20_000), 20_000);
        assert_eq!(connections_for_files(Some(20_000), 20_000), 19_488);
        assert_eq!(connections_for_files(Some(1024), 20_000), 512);
        assert_eq!(connections_for_files(Some(256), 20_000), 128);
        assert_eq!(connections_for_files(Some(0), 20_000), 1);
    }
}

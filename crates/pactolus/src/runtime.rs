//! Runtime of the commands: threads, the listening socket, limits of the system, and shutdown signals.
//!
//! Read next: `runtime/signals.rs`, the signals of a server.

pub(crate) mod notify;
pub(crate) mod signals;

use std::io;
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};

/// Starts a multi-threaded runtime with one worker thread per core.
pub(crate) fn start() -> Result<Runtime, CliError> {
    Ok(Runtime::new().context("cannot start the runtime's threads")?)
}

/// Socket send and receive buffer per connection, in bytes; Linux doubles it. Auto-tuning would let a client that
/// does not read hold 4 MiB.
///
/// A request is at most some 17 KiB. The longest reply, a hundred orders of a statement, is some 40 KiB.
const SOCKET_BUFFER_BYTES: u32 = 64 * 1024;

/// Length of the accept queue, in connections.
const BACKLOG: u32 = 1024;

/// Binds `address` and listens. Returns the bound address, which has the real port.
pub(crate) fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CliError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted bank can bind its address at once. On Windows this option would let two processes bind it.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Accepted connections inherit the listener's buffer sizes.
        socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|source| CliError::Listen { address, source })
}

/// Makes every file that this process creates accessible to its owner only: 0600, and folders 0700. Stores, backups,
/// results of campaigns and configurations hold keys, logins or players' orders.
#[cfg(unix)]
pub(crate) fn make_new_files_private() {
    use rustix::fs::Mode;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Windows gives new files the permissions of their folder.
#[cfg(windows)]
pub(crate) fn make_new_files_private() {}

/// Open files reserved for everything but connections: files of an embedded store, database connections, logs.
const RESERVED_FILES: usize = 512;

/// Raises the limit of open files, and caps the `wanted` connections to it: each connection is an open file.
pub(crate) fn connection_limit(wanted: usize, lang: Lang) -> usize {
    let allowed = connections_for_files(open_files_max(), wanted);
    if allowed < wanted {
        let warning = tr!(
            lang,
            "the open-files limit (ulimit -n) allows fewer connections than connections_max",
            "打开文件数的上限（ulimit -n）小于 connections_max"
        );
        tracing::warn!(connections_max = wanted, allowed, "{warning}");
    }
    allowed
}

/// With few files, half of them are for connections.
fn connections_for_files(files: Option<usize>, wanted: usize) -> usize {
    files.map_or(wanted, |files| wanted.min(files - RESERVED_FILES.min(files / 2)).max(1))
}

/// The limit of open files after raising it to the hard limit; `None` if there is no limit.
#[cfg(unix)]
fn open_files_max() -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // A refusal, as on macOS above a limit of its kernel, leaves the soft limit as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok())
}

/// Windows has no such limit.
#[cfg(windows)]
fn open_files_max() -> Option<usize> {
    None
}

/// A future that resolves on SIGINT (Ctrl-C) or SIGTERM.
///
/// The handlers are installed by the call itself, so no signal is lost before the future is polled.
pub(crate) fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    let (mut from_keyboard, mut from_manager) =
        signals().context("cannot install the handlers of the shutdown signals")?;
    Ok(async move {
        tokio::select! {
            _ = from_keyboard.recv() => {}
            _ = from_manager.recv() => {}
        }
    })
}

/// Like [`shutdown_signal`]; a second signal ends the process at once.
pub(crate) fn shutdown_signal_or_exit() -> Result<impl Future<Output = ()> + Send + 'static, CliError> {
    /// Exit code of a process that SIGINT ended, by convention of shells.
    const EXIT_SIGINT: i32 = 130;
    let first_signal = shutdown_signal()?;
    let (shutdown_tx, shutdown_rx) = tokio::sync::oneshot::channel();
    Ok(async move {
        tokio::spawn(async move {
            first_signal.await;
            let second_signal = shutdown_signal();
            // The receiver is gone if the work is done already.
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

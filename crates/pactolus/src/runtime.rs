//! What a command that serves stands on: threads, a socket, and the signal that ends it.

use std::io;
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::failure::Failure;

/// A thread for each core.
pub(crate) fn start() -> Result<Runtime, Failure> {
    Ok(Runtime::new().context("the threads of the server cannot be started")?)
}

/// Takes connections at `address`, and tells the address with the port that it really got.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bound.await.map_err(|source| Failure::Listen { address, source })
}

/// A future that resolves when the process is told to stop: by Ctrl-C, or as its service manager does it.
///
/// Signals are noticed from the call on, so that none is lost before the future is waited for.
pub(crate) fn told_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let (mut from_keyboard, mut from_manager) =
        signals().context("the signals that stop the server cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = from_keyboard.recv() => {}
            _ = from_manager.recv() => {}
        }
    })
}

/// As [`told_to_stop`]; told a second time, the process ends at once.
pub(crate) fn told_to_stop_or_end() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    /// What shells give a process that Ctrl-C has ended.
    const ENDED_BY_KEYBOARD: i32 = 130;
    let first = told_to_stop()?;
    let (told, is_told) = tokio::sync::oneshot::channel();
    Ok(async move {
        tokio::spawn(async move {
            first.await;
            let again = told_to_stop();
            // Nobody waits any more where the work is done.
            let _ = told.send(());
            if let Ok(again) = again {
                again.await;
                std::process::exit(ENDED_BY_KEYBOARD);
            }
        });
        let _ = is_told.await;
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

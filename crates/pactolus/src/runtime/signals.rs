//! Signals of a server: the first SIGTERM or Ctrl-C starts the shutdown, a second one ends the process at once, and
//! SIGHUP reloads the configuration.
//!
//! A thread with a runtime of its own waits for them, so that a second signal works even when every worker thread is
//! stuck on a dead disk.

use std::io;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};

use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, tr};
use crate::logging;

/// Exit codes of a process that a signal ended, by convention of shells: 128 and the signal's number.
const EXIT_SIGINT: i32 = 130;
const EXIT_SIGTERM: i32 = 143;

/// Receives each SIGHUP; several that come during a reload are one.
pub(crate) type Hangups = mpsc::Receiver<()>;

/// A future that resolves on the first signal to shut down, and the hangups.
///
/// The handlers are installed by the call itself, so no signal is lost before the future is polled.
pub(crate) fn server_signals(
    lang: Lang,
) -> Result<(impl Future<Output = ()> + Send + 'static, Hangups), CliError> {
    let (hangup_tx, hangups) = mpsc::channel(1);
    let (shutdown_tx, shutdown_rx) = oneshot::channel();
    let (ready_tx, ready_rx) = std::sync::mpsc::sync_channel(1);
    let wait = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready_tx.send(Err(error))),
        };
        runtime.block_on(async move {
            let signals = Signals::install(hangup_tx);
            let mut signals = match signals {
                Ok(signals) => signals,
                Err(error) => return drop(ready_tx.send(Err(error))),
            };
            let _ = ready_tx.send(Ok(()));
            signals.shutdown().await;
            // The receiver is gone if the server has failed.
            let _ = shutdown_tx.send(());
            let exit_code = signals.shutdown().await;
            let warning = tr!(
                lang,
                "a second signal ends the process at once; open requests are cut off",
                "再次收到信号，进程立即结束；未完成的请求被中断"
            );
            tracing::warn!("{warning}");
            logging::finish_at_once();
            std::process::exit(exit_code);
        });
    };
    let context = "cannot install the handlers of the shutdown signals";
    std::thread::Builder::new().name("pactolus-signal".into()).spawn(wait).context(context)?;
    ready_rx.recv().context(context)?.context(context)?;
    let stop = async move {
        let _ = shutdown_rx.await;
    };
    Ok((stop, hangups))
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
    hangups: mpsc::Sender<()>,
}

#[cfg(unix)]
impl Signals {
    fn install(hangups: mpsc::Sender<()>) -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            hangups,
        })
    }

    /// Waits for a signal to shut down. Returns its exit code.
    async fn shutdown(&mut self) -> i32 {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return EXIT_SIGINT,
                _ = self.terminate.recv() => return EXIT_SIGTERM,
                _ = self.hangup.recv() => {
                    // A full channel holds one that no reload has begun for; a closed one is of a bank that stops.
                    let _ = self.hangups.try_send(());
                }
            }
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    terminate: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn install(_: mpsc::Sender<()>) -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_c, ctrl_shutdown};
        Ok(Self { interrupt: ctrl_c()?, terminate: ctrl_shutdown()? })
    }

    /// Waits for a signal to shut down. Returns its exit code.
    async fn shutdown(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => EXIT_SIGINT,
            _ = self.terminate.recv() => EXIT_SIGTERM,
        }
    }
}

//! Serving, and coming to an end: every open request gets its answer, and every answered order is on disk.

use std::io;
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::bank::Bank;
use crate::router::router;

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
    // Answers are small; waiting to gather more would only delay them.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let (stopping, stopped) = oneshot::channel();
    let stop = {
        let bank = Arc::clone(&bank);
        async move {
            stop.await;
            bank.drain();
            tracing::info!("stopping: open requests get their answers");
            // The other side waits as long as the server runs.
            let _ = stopping.send(());
        }
    };
    let serving = axum::serve(listener, router(Arc::clone(&bank))).with_graceful_shutdown(stop);
    let deadline = async {
        let _ = stopped.await;
        tokio::time::sleep(bank.limits.drain_deadline).await;
    };
    let drained = tokio::select! {
        ended = serving.into_future() => {
            ended?;
            Drained::Whole
        }
        () = deadline => {
            tracing::warn!("some requests were cut off: they took longer than the drain deadline");
            Drained::CutOff
        }
    };
    bank.ledger.close().await;
    Ok(drained)
}

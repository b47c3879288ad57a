//! The merger: a thread that merges runs of the views, so that look-ups search few.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::background::supervisor::SupervisedThread;
use crate::background::throttle::{Throttle, lower_priority};
use crate::metrics::MergeResult;
use crate::state::StoreState;

/// Flushes that may complete during one merge; the next waits. A merge of everything takes longest.
const BACKLOG_MAX: usize = 16;

/// The flusher's handle to the merger.
pub(crate) struct Merger {
    flushes: Option<SyncSender<()>>,
    /// Flushes completed since the present merge began.
    backlog: Arc<AtomicUsize>,
    cancel: Arc<AtomicBool>,
    thread: SupervisedThread,
}

impl Merger {
    pub(crate) fn start(state: Arc<StoreState>) -> std::io::Result<Self> {
        let (flushes, written) = sync_channel::<()>(BACKLOG_MAX);
        let cancel = Arc::new(AtomicBool::new(false));
        let backlog = Arc::new(AtomicUsize::new(0));
        let (cancelled, waiting) = (Arc::clone(&cancel), Arc::clone(&backlog));
        let health = Arc::clone(&state.health);
        let thread = SupervisedThread::spawn("pactolus-merge", &health, move || {
            lower_priority();
            let mut was_deferred = false;
            for () in written {
                waiting.fetch_sub(1, Ordering::Relaxed);
                let is_behind = || waiting.load(Ordering::Relaxed) > 0;
                let is_deferred = match state.views.merge(&cancelled, &Throttle::new(&is_behind)) {
                    Ok(is_done) => !is_done,
                    // The partial result is removed; the runs are unchanged.
                    Err(error) if error.is_transient() => true,
                    // A damaged run stays as it is; merges pass it over from now on.
                    Err(error) if error.is_damage() => {
                        state.health.report_damage(&error);
                        false
                    }
                    Err(error) => {
                        state.metrics.count_merge(MergeResult::Failed);
                        state.fail(&error);
                        return;
                    }
                };
                state.metrics.count_merge(if is_deferred {
                    MergeResult::Deferred
                } else {
                    MergeResult::Done
                });
                if is_deferred && !was_deferred {
                    tracing::warn!("merges are deferred for lack of disk space; look-ups take longer");
                }
                was_deferred = is_deferred;
            }
        })?;
        Ok(Self { flushes: Some(flushes), backlog, cancel, thread })
    }

    /// Notifies of a completed flush; waits when the merger is far behind (back-pressure).
    pub(crate) fn flush_completed(&self) {
        self.backlog.fetch_add(1, Ordering::Relaxed);
        // Without a merger the store has failed.
        let _ = self.flushes.as_ref().map(|flushes| flushes.send(()));
    }
}

impl Drop for Merger {
    fn drop(&mut self) {
        self.thread.expect_end();
        self.flushes = None;
        self.cancel.store(true, Ordering::Relaxed);
        self.thread.join();
    }
}

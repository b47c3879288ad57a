//! The flusher: writes the memtable's frozen rows to the views, one flush at a time.
//!
//! One thread writes, at low priority (`throttle`). Another then releases the rows from the memtable: it holds locks
//! that requests wait for, so it runs at normal priority.
//!
//! On a full disk the rows stay in memory, where readers find them, and the flush is retried at an interval until it
//! succeeds. No other flush begins meanwhile, and no thread waits for this one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::background::merger::Merger;
use crate::background::supervisor::SupervisedThread;
use crate::background::throttle::{Throttle, lower_priority};
use crate::journal::Checkpoint;
use crate::memtable::FrozenRows;
use crate::state::StoreState;

/// Interval between retries of a flush on a full disk.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The committer's handle to the flusher.
pub(crate) struct Flusher {
    state: Arc<StoreState>,
    work: Option<SyncSender<(FrozenRows, Checkpoint)>>,
    progress: Arc<FlushProgress>,
    threads: [SupervisedThread; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FlushState {
    /// There is no flush, or it is complete.
    Idle,
    /// Rows are being written or released.
    Busy,
    /// The disk was full, or the process had no file descriptor; the flush is retried.
    Stalled,
    /// The flush will never complete.
    Failed,
}

struct FlushProgress {
    state: Mutex<FlushState>,
    changed: Condvar,
    /// Whether a thread waits for the flush.
    is_urgent: AtomicBool,
}

impl FlushProgress {
    fn set(&self, state: FlushState) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    /// Waits while a flush is busy; the flush is not throttled meanwhile.
    fn wait(&self) -> FlushState {
        self.is_urgent.store(true, Ordering::Relaxed);
        let mut state = self.lock();
        while *state == FlushState::Busy {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.is_urgent.store(false, Ordering::Relaxed);
        *state
    }

    fn lock(&self) -> MutexGuard<'_, FlushState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// However the flusher ends, no thread waits for it any more.
struct FailGuard(Arc<FlushProgress>);

impl Drop for FailGuard {
    fn drop(&mut self) {
        self.0.set(FlushState::Failed);
    }
}

impl Flusher {
    /// Starts the threads. A flush is throttled until half of `memtable_orders` are active.
    pub(crate) fn start(state: Arc<StoreState>, memtable_orders: usize) -> std::io::Result<Self> {
        let (work, flushes) = sync_channel(1);
        let progress = Arc::new(FlushProgress {
            state: Mutex::new(FlushState::Idle),
            changed: Condvar::new(),
            is_urgent: AtomicBool::new(false),
        });
        let is_urgent = {
            let (state, progress) = (Arc::clone(&state), Arc::clone(&progress));
            move || {
                progress.is_urgent.load(Ordering::Relaxed)
                    || state.memtable.active_orders() >= memtable_orders / 2
            }
        };
        let merger = Merger::start(Arc::clone(&state))?;
        let (written, written_bulks) = sync_channel(1);
        let (release_state, progress_handle) = (Arc::clone(&state), FailGuard(Arc::clone(&progress)));
        let release_is_urgent = is_urgent.clone();
        let release_thread = SupervisedThread::spawn("pactolus-free", &state.health, move || {
            for frozen in written_bulks {
                release_state.memtable.release_flushed(frozen, &Throttle::new(&release_is_urgent));
                merger.flush_completed();
                progress_handle.0.set(FlushState::Idle);
            }
        })?;
        let (flusher_state, flush_progress) = (Arc::clone(&state), Arc::clone(&progress));
        let flush = SupervisedThread::spawn("pactolus-flush", &state.health, move || {
            lower_priority();
            // When this thread ends, so does the release thread, which sets `Failed`.
            while let Ok((frozen, reached)) = flushes.recv() {
                let throttle = Throttle::new(&is_urgent);
                if !write_with_retry(&flusher_state, &frozen, reached, &throttle, &flushes, &flush_progress)
                    || written.send(frozen).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(Self { state, work: Some(work), progress, threads: [flush, release_thread] })
    }

    /// Whether a flush can begin.
    pub(crate) fn is_idle(&self) -> bool {
        *self.progress.lock() == FlushState::Idle
    }

    /// Waits while a flush is busy; returns whether there is none any more. It does not wait for a stalled flush.
    pub(crate) fn wait(&self) -> bool {
        self.progress.wait() == FlushState::Idle
    }

    /// Starts a flush of all rows of the memtable, which brings the views up to `reached`.
    ///
    /// Returns whether it started: not after a failed flush, nor while one is stalled.
    pub(crate) fn start_flush(&mut self, reached: Checkpoint) -> bool {
        if !self.wait() {
            return false;
        }
        let frozen = self.state.memtable.freeze();
        self.progress.set(FlushState::Busy);
        // A flusher that has ended has set `Failed` itself.
        self.work.as_ref().is_some_and(|work| work.send((frozen, reached)).is_ok())
    }
}

/// Writes frozen rows, as often as it takes; returns whether they are written.
fn write_with_retry(
    state: &StoreState,
    frozen: &FrozenRows,
    reached: Checkpoint,
    throttle: &Throttle<'_>,
    flushes: &Receiver<(FrozenRows, Checkpoint)>,
    progress: &FlushProgress,
) -> bool {
    loop {
        let started = Instant::now();
        match state.views.write(frozen, reached, throttle) {
            Ok(()) => {
                state.metrics.count_flush(started.elapsed());
                // The rows are still to be released from the memtable, and waiters wait for that.
                progress.set(FlushState::Busy);
                state.space.clear_flush_stalled();
                return true;
            }
            // The reason is set first, so that a waiter woken after it sees it.
            Err(error) if error.is_full() => {
                state.space.set_flush_stalled();
                progress.set(FlushState::Stalled);
            }
            Err(error) if error.is_transient() => {
                state.health.report_file_limit(&error);
                state.space.set_flush_waits();
                progress.set(FlushState::Stalled);
            }
            Err(error) => {
                // The rows stay in memory, where readers find them.
                state.fail(&error);
                return false;
            }
        }
        // No other flush is sent while one is stalled, so only the end can arrive.
        if !matches!(flushes.recv_timeout(RETRY_INTERVAL), Err(RecvTimeoutError::Timeout)) {
            return false;
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.threads.iter().for_each(SupervisedThread::expect_end);
        self.work = None;
        self.progress.is_urgent.store(true, Ordering::Relaxed);
        self.threads.iter_mut().for_each(SupervisedThread::join);
    }
}

//! The flusher: writes the tail's rows to the views in bulk, one bulk at a time.
//!
//! One thread writes, after everybody else (`calm`). Another then lets the rows out of the tail: it holds locks that
//! requests wait for, so it must not wait for its turn while it does.
//!
//! Where the disk has no room for a bulk, its rows stay in memory, where readers find them, and it is tried again
//! after a pause, until it is there. No other bulk begins meanwhile, and nobody waits for this one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::background::merger::Merger;
use crate::background::throttle::{Throttle, lower_priority};
use crate::journal::Checkpoint;
use crate::memtable::FrozenRows;
use crate::state::StoreState;

/// How long a bulk that found no room waits for the next try.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The committer's hold on the flusher.
pub(crate) struct Flusher {
    state: Arc<StoreState>,
    work: Option<SyncSender<(FrozenRows, Checkpoint)>>,
    progress: Arc<FlushProgress>,
    threads: Vec<JoinHandle<()>>,
}

/// How far the flusher is with its bulk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FlushState {
    /// There is none, or it is in the views.
    Idle,
    /// It is being written.
    Busy,
    /// There was no room for it; it is tried again now and then.
    Stalled,
    /// It will never be written.
    Failed,
}

struct FlushProgress {
    state: Mutex<FlushState>,
    changed: Condvar,
    /// Whether somebody waits for the bulk.
    is_urgent: AtomicBool,
}

impl FlushProgress {
    fn set(&self, state: FlushState) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    /// Waits while a bulk is being written, which takes no rest meanwhile.
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

/// However the flusher ends, nobody waits for it any more.
struct FailGuard(Arc<FlushProgress>);

impl Drop for FailGuard {
    fn drop(&mut self) {
        self.0.set(FlushState::Failed);
    }
}

impl Flusher {
    /// A bulk takes its time until half of `memtable_orders` are gathered for the next.
    pub(crate) fn start(state: Arc<StoreState>, memtable_orders: usize) -> std::io::Result<Self> {
        let (work, bulks) = sync_channel(1);
        let progress = Arc::new(FlushProgress {
            state: Mutex::new(FlushState::Idle),
            changed: Condvar::new(),
            is_urgent: AtomicBool::new(false),
        });
        let is_waited_for = {
            let (books, progress) = (Arc::clone(&state), Arc::clone(&progress));
            move || {
                progress.is_urgent.load(Ordering::Relaxed)
                    || books.memtable.active_orders() >= memtable_orders / 2
            }
        };
        let merger = Merger::start(Arc::clone(&state))?;
        let (written, written_bulks) = sync_channel(1);
        let (release_state, progress_handle) = (Arc::clone(&state), FailGuard(Arc::clone(&progress)));
        let release_is_urgent = is_waited_for.clone();
        let release_thread = std::thread::Builder::new().name("pactolus-thaw".into()).spawn(move || {
            for frozen in written_bulks {
                release_state.memtable.release_flushed(frozen, &Throttle::new(&release_is_urgent));
                merger.flush_completed();
                progress_handle.0.set(FlushState::Idle);
            }
        })?;
        let (flushed, told) = (Arc::clone(&state), Arc::clone(&progress));
        let flush = std::thread::Builder::new().name("pactolus-flush".into()).spawn(move || {
            lower_priority();
            // When this ends, so does the other thread, which says so.
            while let Ok((bulk, reached)) = bulks.recv() {
                let throttle = Throttle::new(&is_waited_for);
                if !write_with_retry(&flushed, &bulk, reached, &throttle, &bulks, &told)
                    || written.send(bulk).is_err()
                {
                    return;
                }
            }
        })?;
        Ok(Self { state, work: Some(work), progress, threads: vec![flush, release_thread] })
    }

    /// Whether no bulk is under way, so that one can begin.
    pub(crate) fn is_idle(&self) -> bool {
        *self.progress.lock() == FlushState::Idle
    }

    /// Waits while a bulk is being written; says whether there is none any more. One that found no room is not waited
    /// for.
    pub(crate) fn wait(&self) -> bool {
        self.progress.wait() == FlushState::Idle
    }

    /// Begins to write all rows of the tail, which bring the views up to `reached`.
    ///
    /// Says whether it could; not after a bulk failed, nor while one waits for room.
    pub(crate) fn start_flush(&mut self, reached: Checkpoint) -> bool {
        if !self.wait() {
            return false;
        }
        let frozen = self.state.memtable.freeze();
        self.progress.set(FlushState::Busy);
        // One that has ended says so itself.
        self.work.as_ref().is_some_and(|work| work.send((frozen, reached)).is_ok())
    }
}

/// Writes a bulk, as often as it takes; says whether it is written.
fn write_with_retry(
    state: &StoreState,
    frozen: &FrozenRows,
    reached: Checkpoint,
    throttle: &Throttle<'_>,
    bulks: &Receiver<(FrozenRows, Checkpoint)>,
    progress: &FlushProgress,
) -> bool {
    loop {
        match state.views.write(frozen, reached, throttle) {
            Ok(()) => {
                // It is still on its way out of the tail, and that is waited for.
                progress.set(FlushState::Busy);
                state.space.set_flush_stalled(false);
                return true;
            }
            Err(error) if error.is_full() => {
                // Said first, so that whoever is let go of below sees it.
                state.space.set_flush_stalled(true);
                progress.set(FlushState::Stalled);
            }
            Err(error) => {
                // The rows stay in memory, where readers find them.
                state.fail(&error);
                return false;
            }
        }
        // While one waits no other is sent, so all that can come is the end.
        if !matches!(bulks.recv_timeout(RETRY_INTERVAL), Err(RecvTimeoutError::Timeout)) {
            return false;
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.work = None;
        self.progress.is_urgent.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("the flusher panicked");
            }
        }
    }
}

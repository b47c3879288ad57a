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
use crate::background::throttle::{Pace, run_after_others};
use crate::journal::Mark;
use crate::memtable::Bulk;
use crate::state::Books;

/// How long a bulk that found no room waits for the next try.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// The committer's hold on the flusher.
pub(crate) struct Flusher {
    books: Arc<Books>,
    work: Option<SyncSender<(Bulk, Mark)>>,
    progress: Arc<Progress>,
    threads: Vec<JoinHandle<()>>,
}

/// How far the flusher is with its bulk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is none, or it is in the views.
    Idle,
    /// It is being written.
    Busy,
    /// There was no room for it; it is tried again now and then.
    Waits,
    /// It will never be written.
    Failed,
}

struct Progress {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether somebody waits for the bulk.
    is_waited_for: AtomicBool,
}

impl Progress {
    fn set(&self, state: State) {
        *self.lock() = state;
        self.changed.notify_all();
    }

    /// Waits while a bulk is being written, which takes no rest meanwhile.
    fn wait(&self) -> State {
        self.is_waited_for.store(true, Ordering::Relaxed);
        let mut state = self.lock();
        while *state == State::Busy {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.is_waited_for.store(false, Ordering::Relaxed);
        *state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// However the flusher ends, nobody waits for it any more.
struct Ended(Arc<Progress>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.set(State::Failed);
    }
}

impl Flusher {
    /// A bulk takes its time until half of `tail_orders` are gathered for the next.
    pub(crate) fn start(books: Arc<Books>, tail_orders: usize) -> std::io::Result<Self> {
        let (work, bulks) = sync_channel(1);
        let progress = Arc::new(Progress {
            state: Mutex::new(State::Idle),
            changed: Condvar::new(),
            is_waited_for: AtomicBool::new(false),
        });
        let is_waited_for = {
            let (books, progress) = (Arc::clone(&books), Arc::clone(&progress));
            move || progress.is_waited_for.load(Ordering::Relaxed) || books.tail.gathered() >= tail_orders / 2
        };
        let merger = Merger::start(Arc::clone(&books))?;
        let (written, written_bulks) = sync_channel(1);
        let (thawed, told) = (Arc::clone(&books), Ended(Arc::clone(&progress)));
        let thaw_is_waited_for = is_waited_for.clone();
        let thaw = std::thread::Builder::new().name("pactolus-thaw".into()).spawn(move || {
            for bulk in written_bulks {
                thawed.tail.thaw(bulk, &Pace::new(&thaw_is_waited_for));
                merger.bulk_written();
                told.0.set(State::Idle);
            }
        })?;
        let (flushed, told) = (Arc::clone(&books), Arc::clone(&progress));
        let flush = std::thread::Builder::new().name("pactolus-flush".into()).spawn(move || {
            run_after_others();
            // When this ends, so does the other thread, which says so.
            while let Ok((bulk, reached)) = bulks.recv() {
                let pace = Pace::new(&is_waited_for);
                if !write(&flushed, &bulk, reached, &pace, &bulks, &told) || written.send(bulk).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { books, work: Some(work), progress, threads: vec![flush, thaw] })
    }

    /// Whether no bulk is under way, so that one can begin.
    pub(crate) fn is_idle(&self) -> bool {
        *self.progress.lock() == State::Idle
    }

    /// Waits while a bulk is being written; says whether there is none any more. One that found no room is not waited
    /// for.
    pub(crate) fn wait(&self) -> bool {
        self.progress.wait() == State::Idle
    }

    /// Begins to write all rows of the tail, which bring the views up to `reached`.
    ///
    /// Says whether it could; not after a bulk failed, nor while one waits for room.
    pub(crate) fn begin(&mut self, reached: Mark) -> bool {
        if !self.wait() {
            return false;
        }
        let bulk = self.books.tail.freeze();
        self.progress.set(State::Busy);
        // One that has ended says so itself.
        self.work.as_ref().is_some_and(|work| work.send((bulk, reached)).is_ok())
    }
}

/// Writes a bulk, as often as it takes; says whether it is written.
fn write(
    books: &Books,
    bulk: &Bulk,
    reached: Mark,
    pace: &Pace<'_>,
    bulks: &Receiver<(Bulk, Mark)>,
    progress: &Progress,
) -> bool {
    loop {
        match books.views.write(bulk, reached, pace) {
            Ok(()) => {
                // It is still on its way out of the tail, and that is waited for.
                progress.set(State::Busy);
                books.room.set_rows_wait(false);
                return true;
            }
            Err(error) if error.is_full() => {
                // Said first, so that whoever is let go of below sees it.
                books.room.set_rows_wait(true);
                progress.set(State::Waits);
            }
            Err(error) => {
                // The rows stay in memory, where readers find them.
                books.fail(&error);
                return false;
            }
        }
        // While one waits no other is sent, so all that can come is the end.
        if !matches!(bulks.recv_timeout(TRY_EVERY), Err(RecvTimeoutError::Timeout)) {
            return false;
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.work = None;
        self.progress.is_waited_for.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("the flusher panicked");
            }
        }
    }
}

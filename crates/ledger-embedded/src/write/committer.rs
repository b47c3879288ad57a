//! The committer: makes decided batches durable, then visible, and only then answers their callers.
//!
//! It has a thread of its own, so that the writer decides the next batch meanwhile. A small batch is not handed over:
//! deciding the next takes less than a sync does, of which waking a thread takes a good part.
//! Batches come in the order in which they were decided, and after a failed write or sync none is written any more.
//!
//! Where the disk has no room for a batch, its callers are refused, and so are those of every batch that was decided
//! on top of it: that is one more *turn*. Each batch says in which turn it was decided, and one of a turn that is over
//! is refused whole, even if it has nothing to write, because its answers may rest on what is not there. In which
//! order that happens:
//!
//! 1. the journal is cut back to where the last whole frame ends (`Appender::append`);
//! 2. that end is published, if it is another than before;
//! 3. the turn is raised, with release;
//! 4. the callers are refused.
//!
//! The writer asks for the turn, with acquire, before each batch. If it is another than that of its last batch, it
//! begins again from what is published. That is the end of step 2: nothing can have been appended since, for whatever
//! it handed over before is of a turn that is over, and what is of this one it has not decided yet. If the turn is
//! raised while it decides, the batch carries the old one, and is refused when it comes here. So no frame is ever
//! written but right after the one it was decided on, and a place in the journal is used again only when everything
//! that named it is gone: rows are published, and so reach readers and views, after their frame is durable.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use pactolus_ledger::{PostError, Unavailable};
use tokio::sync::oneshot;

use crate::background::flusher::Flusher;
use crate::disk::WriteError;
use crate::journal::Appender;
use crate::rows::Totals;
use crate::state::StoreState;
use crate::write::batch::Batch;
use crate::write::request::PostResult;

/// An answer, and who waits for it.
pub(crate) struct PendingReply {
    pub(crate) reply_to: oneshot::Sender<PostResult>,
    pub(crate) result: PostResult,
}

/// What the committer is asked.
pub(crate) enum CommitRequest {
    /// Make a batch of this turn durable, if there is one, and then give these answers.
    ///
    /// Refusals and replays wait too: they may rest on an order of this batch or one before it.
    Batch(Epoch, Option<Arc<Batch>>, Vec<PendingReply>),
    /// Bring the views up to the end of the journal.
    FlushAll(oneshot::Sender<()>),
}

/// The most orders of a batch that is not handed over: deciding one takes a microsecond or less, a sync a hundred and
/// more.
const INLINE_BATCH_ORDERS_MAX: usize = 128;

/// How often a batch found no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl Epoch {
    /// None has yet.
    pub(crate) const FIRST: Self = Self(0);
}

/// The committer's state.
pub(crate) struct CommitWorker {
    state: Arc<StoreState>,
    appender: Appender,
    flusher: Flusher,
    /// How many orders the tail may gather before it is written to the views.
    memtable_orders: usize,
    /// Only raised here.
    epoch: Arc<AtomicU64>,
}

/// The writer's hold on the committer.
pub(crate) struct Committer {
    worker: Arc<Mutex<CommitWorker>>,
    /// How much was handed over and is not done; only the writer adds to it.
    in_flight: Arc<AtomicUsize>,
    epoch: Arc<AtomicU64>,
    work: Option<SyncSender<CommitRequest>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(crate) fn start(worker: CommitWorker) -> std::io::Result<Self> {
        // Who is ahead waits: while one batch is written, one more is decided, and the rest queues up for the next.
        let (work, handed_over) = sync_channel(0);
        let epoch = Arc::clone(&worker.epoch);
        let (committing, pending) = (Arc::new(Mutex::new(worker)), Arc::new(AtomicUsize::new(0)));
        let (shared, done) = (Arc::clone(&committing), Arc::clone(&pending));
        let thread = std::thread::Builder::new().name("pactolus-commit".into()).spawn(move || {
            for commit in handed_over {
                lock_worker(&shared).execute(commit);
                done.fetch_sub(1, Ordering::Release);
            }
        })?;
        Ok(Self { worker: committing, in_flight: pending, epoch, work: Some(work), thread: Some(thread) })
    }

    /// The turn in which a batch that is decided from now on is.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Carries out a commit after all those before it, or hands it over once it can be taken.
    pub(crate) fn submit(&self, commit: CommitRequest) {
        // When nothing is pending, all that was handed over is done, and this is the next.
        if commit.runs_inline() && self.in_flight.load(Ordering::Acquire) == 0 {
            lock_worker(&self.worker).execute(commit);
            return;
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let work = self.work.as_ref().expect("it is there until it is dropped");
        // A committer that is gone has panicked; who waits for it learns that from its dropped answers.
        let _ = work.send(commit);
    }
}

/// Held by one of two, who come one after the other.
fn lock_worker(worker: &Mutex<CommitWorker>) -> MutexGuard<'_, CommitWorker> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CommitRequest {
    fn runs_inline(&self) -> bool {
        matches!(self, Self::Batch(_, _, answers) if answers.len() <= INLINE_BATCH_ORDERS_MAX)
    }
}

/// Finishes what was handed over.
impl Drop for Committer {
    fn drop(&mut self) {
        self.work = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the committer panicked");
        }
    }
}

impl CommitWorker {
    pub(crate) fn new(
        state: Arc<StoreState>,
        appender: Appender,
        flusher: Flusher,
        memtable_orders: usize,
    ) -> Self {
        Self { state, appender, flusher, memtable_orders, epoch: Arc::default() }
    }

    fn execute(&mut self, commit: CommitRequest) {
        match commit {
            CommitRequest::Batch(epoch, batch, answers) => {
                let committed = self.commit(epoch, batch.as_deref());
                for PendingReply { reply_to: to, result: answer } in answers {
                    // Who asked may have gone; the order stands all the same.
                    let _ = to.send(committed.map_err(PostError::from).and(answer));
                }
            }
            CommitRequest::FlushAll(done) => {
                self.flush_all();
                // Who asked may have gone.
                let _ = done.send(());
            }
        }
    }

    /// Makes a batch of `turn`, if there is one, durable and then visible.
    fn commit(&mut self, epoch: Epoch, batch: Option<&Batch>) -> Result<(), Unavailable> {
        self.state.check()?;
        if epoch.0 != self.epoch.load(Ordering::Relaxed) {
            return Err(Unavailable::DiskFull);
        }
        let Some(batch) = batch else {
            return Ok(());
        };
        if self.state.space.flush_stalled() && self.state.memtable.active_orders() >= 2 * self.memtable_orders
        {
            // Memory is at its bound, and nobody knows when the views have room again.
            return Err(self.advance_epoch());
        }
        match self.appender.append(&batch.frame) {
            Ok(()) => {}
            Err(WriteError::DiskFull(_)) => {
                self.state.space.record_enospc(batch.frame.bytes.len());
                return Err(self.advance_epoch());
            }
            Err(WriteError::Failed(error)) => {
                self.state.fail(&error);
                return Err(Unavailable::Failed);
            }
        }
        let unflushed = self.state.memtable.publish(&batch.rows, &batch.totals, batch.frame.after);
        // A bulk begins when the tail is large enough; when it is twice that, this waits: memory is bounded.
        if unflushed >= 2 * self.memtable_orders
            || (unflushed >= self.memtable_orders && self.flusher.is_idle())
        {
            self.flusher.start_flush(batch.frame.after);
        }
        Ok(())
    }

    /// Says that all that is decided and not written is refused (steps 2 and 3 above).
    fn advance_epoch(&self) -> Unavailable {
        self.state.memtable.publish(&[], &Totals::default(), self.appender.end());
        self.epoch.fetch_add(1, Ordering::Release);
        Unavailable::DiskFull
    }

    /// Brings the views up to the end of the journal, so that the next opening has nothing to read again, and the
    /// journal's last file to the journal's end.
    fn flush_all(&mut self) {
        if self.state.check().is_err() {
            return;
        }
        if let Err(error) = self.appender.release_preallocated() {
            self.state.fail(&error);
        } else if self.flusher.start_flush(self.appender.end()) {
            self.flusher.wait();
        }
    }
}

//! The committer: makes decided batches durable, publishes them, and only then replies.
//!
//! It has its own thread, so the writer decides the next batch meanwhile. A small batch is committed inline: deciding
//! the next takes less than a sync, and waking a thread takes a good part of a sync.
//! Batches commit in the order of their decisions. After a failed write or sync no batch is written any more.
//!
//! If the disk is full, or the next journal file cannot be opened (EMFILE), the committer refuses the callers of the batch and of every batch decided on top of it, and
//! starts a new *epoch*. Each batch carries the epoch of its decision. A batch of a past epoch is refused whole, even
//! if it has nothing to write, because its replies may rest on orders that do not exist. The steps, in order:
//!
//! 1. the journal is truncated to the end of its last whole frame (`Appender::append`);
//! 2. that end is published, if it has moved;
//! 3. the epoch is incremented, with release;
//! 4. the callers are refused.
//!
//! The writer loads the epoch, with acquire, before each batch. If it has changed, the writer restarts from the
//! published end. That is the end of step 2: nothing can have been appended since, because every batch handed over
//! before is of a past epoch, and none of this epoch is decided yet. If the epoch advances during a decision, the
//! batch carries the old one and is refused here. So a frame is only ever written right after the frame it was
//! decided on. A position in the journal is reused only when every reference to it is gone: rows are published, and
//! so reach readers and views, after their frame is durable.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pactolus_ledger::{PostError, Unavailable};
use tokio::sync::oneshot;

use crate::background::flusher::Flusher;
use crate::background::supervisor::SupervisedThread;
use crate::disk::WriteError;
use crate::journal::Appender;
use crate::rows::Totals;
use crate::state::StoreState;
use crate::write::batch::Batch;
use crate::write::request::PostResult;

/// A reply, held back until its batch is durable.
pub(crate) struct PendingReply {
    pub(crate) reply_to: oneshot::Sender<PostResult>,
    pub(crate) result: PostResult,
}

pub(crate) enum CommitRequest {
    /// Make a batch of this epoch durable, if there is one, and then send these replies.
    ///
    /// Refusals and replays wait too: they may rest on an order of this batch or one before it.
    Batch(Epoch, Option<Arc<Batch>>, Vec<PendingReply>),
    /// Bring the views up to the end of the journal.
    FlushAll(oneshot::Sender<()>),
}

/// The most orders of a batch committed inline: deciding one takes a microsecond or less, a sync a hundred and more.
const INLINE_BATCH_ORDERS_MAX: usize = 128;

/// Number of batches that found the disk full or no file descriptor left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl Epoch {
    pub(crate) const FIRST: Self = Self(0);
}

pub(crate) struct CommitWorker {
    state: Arc<StoreState>,
    appender: Appender,
    flusher: Flusher,
    /// Active orders at which a flush starts.
    memtable_orders: usize,
    /// Incremented here only.
    epoch: Arc<AtomicU64>,
    /// Why the last epoch ended; the batches decided in it are refused with this.
    epoch_end: Unavailable,
}

/// The writer's handle to the committer.
pub(crate) struct Committer {
    worker: Arc<Mutex<CommitWorker>>,
    /// Requests handed over and not done; only the writer increments it.
    in_flight: Arc<AtomicUsize>,
    epoch: Arc<AtomicU64>,
    work: Option<SyncSender<CommitRequest>>,
    thread: SupervisedThread,
}

impl Committer {
    pub(crate) fn start(worker: CommitWorker) -> std::io::Result<Self> {
        // A rendezvous: while one batch is written, one more is decided, and the rest queues up for the next.
        let (work, handed_over) = sync_channel(0);
        let epoch = Arc::clone(&worker.epoch);
        let health = Arc::clone(&worker.state.health);
        let (worker, in_flight) = (Arc::new(Mutex::new(worker)), Arc::new(AtomicUsize::new(0)));
        let (shared, done) = (Arc::clone(&worker), Arc::clone(&in_flight));
        let thread = SupervisedThread::spawn("pactolus-commit", &health, move || {
            for request in handed_over {
                lock_worker(&shared).execute(request);
                done.fetch_sub(1, Ordering::Release);
            }
        })?;
        Ok(Self { worker, in_flight, epoch, work: Some(work), thread })
    }

    /// The epoch of a batch that is decided from now on.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Executes a request after all earlier ones: inline, or in the committer's thread once it is free.
    pub(crate) fn submit(&self, request: CommitRequest) {
        // With none in flight, all requests handed over are done, and this is the next.
        if request.runs_inline() && self.in_flight.load(Ordering::Acquire) == 0 {
            lock_worker(&self.worker).execute(request);
            return;
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let work = self.work.as_ref().expect("it is there until it is dropped");
        // A send fails only after the committer panicked; its callers see their reply channels dropped.
        let _ = work.send(request);
    }
}

/// Not contended: the writer takes it only while no request is in flight.
fn lock_worker(worker: &Mutex<CommitWorker>) -> MutexGuard<'_, CommitWorker> {
    worker.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CommitRequest {
    fn runs_inline(&self) -> bool {
        matches!(self, Self::Batch(_, _, answers) if answers.len() <= INLINE_BATCH_ORDERS_MAX)
    }
}

/// Finishes the requests handed over.
impl Drop for Committer {
    fn drop(&mut self) {
        self.thread.expect_end();
        self.work = None;
        self.thread.join();
    }
}

impl CommitWorker {
    pub(crate) fn new(
        state: Arc<StoreState>,
        appender: Appender,
        flusher: Flusher,
        memtable_orders: usize,
    ) -> Self {
        Self {
            state,
            appender,
            flusher,
            memtable_orders,
            epoch: Arc::default(),
            epoch_end: Unavailable::DiskFull,
        }
    }

    fn execute(&mut self, request: CommitRequest) {
        match request {
            CommitRequest::Batch(epoch, batch, answers) => {
                let committed = self.commit(epoch, batch.as_deref());
                for PendingReply { reply_to: to, result: answer } in answers {
                    // The caller may be gone; the order stands.
                    let _ = to.send(committed.map_err(PostError::from).and(answer));
                }
            }
            CommitRequest::FlushAll(done) => {
                self.flush_all();
                // The caller may be gone.
                let _ = done.send(());
            }
        }
    }

    /// Makes a batch of `epoch`, if there is one, durable and then visible.
    fn commit(&mut self, epoch: Epoch, batch: Option<&Batch>) -> Result<(), Unavailable> {
        self.state.check()?;
        if epoch.0 != self.epoch.load(Ordering::Relaxed) {
            return Err(self.epoch_end);
        }
        let Some(batch) = batch else {
            return Ok(());
        };
        if self.state.space.flush_stalled() && self.state.memtable.active_orders() >= 2 * self.memtable_orders
        {
            // The memtable is at its bound until the flush gets disk space or file descriptors.
            let is_full = self.state.space.is_full();
            return Err(self.advance_epoch(if is_full { Unavailable::DiskFull } else { Unavailable::Busy }));
        }
        let started = Instant::now();
        match self.appender.append(&batch.frame) {
            Ok(()) => self.state.metrics.count_batch(batch.rows.len(), started.elapsed()),
            Err(WriteError::DiskFull(_)) => {
                self.state.space.record_enospc(batch.frame.bytes.len());
                return Err(self.advance_epoch(Unavailable::DiskFull));
            }
            Err(error @ WriteError::OutOfFiles(_)) => {
                // The next journal file could not be created, and nothing is appended.
                self.state.health.report_file_limit(&error);
                return Err(self.advance_epoch(Unavailable::Busy));
            }
            Err(WriteError::Failed(error)) => {
                self.state.fail(&error);
                return Err(Unavailable::Failed);
            }
        }
        let unflushed = self.state.memtable.publish(&batch.rows, &batch.totals, batch.frame.after);
        // A flush starts at `memtable_orders`; at twice that, this waits for the flush before: memory is bounded.
        if unflushed >= 2 * self.memtable_orders
            || (unflushed >= self.memtable_orders && self.flusher.is_idle())
        {
            self.flusher.start_flush(batch.frame.after);
        }
        Ok(())
    }

    /// Refuses all that is decided and not written (steps 2 and 3 above).
    fn advance_epoch(&mut self, reason: Unavailable) -> Unavailable {
        self.epoch_end = reason;
        self.state.memtable.publish(&[], &Totals::default(), self.appender.end());
        self.epoch.fetch_add(1, Ordering::Release);
        reason
    }

    /// Flushes the memtable, so that the next opening has no order to recover, and truncates the journal's last file
    /// to the journal's end.
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

//! The committer: makes decided batches durable, then visible, and only then answers their callers.
//!
//! It has a thread of its own, so that the writer decides the next batch meanwhile. A lone order is not handed over:
//! nobody waits for the writer then, and waking a thread takes a good part of what a sync does.
//! Batches come in the order in which they were decided, and after a failed write or sync none is written any more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use pactolus_ledger::{PostError, Unavailable};
use tokio::sync::oneshot;

use crate::books::Books;
use crate::draft::Batch;
use crate::flusher::Flusher;
use crate::journal::Appender;
use crate::writer::Answered;

/// An answer, and who waits for it.
pub(crate) struct Answer {
    pub(crate) to: oneshot::Sender<Answered>,
    pub(crate) answer: Answered,
}

/// What the committer is asked.
pub(crate) enum Commit {
    /// Make a batch durable, if there is one, and then give these answers.
    ///
    /// Refusals and replays wait too: they may rest on an order of this batch or one before it.
    Batch(Option<Arc<Batch>>, Vec<Answer>),
    /// Bring the views up to the end of the journal.
    Settle(oneshot::Sender<()>),
}

/// The committer's state.
pub(crate) struct Committing {
    pub(crate) books: Arc<Books>,
    pub(crate) appender: Appender,
    pub(crate) flusher: Flusher,
    /// How many orders the tail may gather before it is written to the views.
    pub(crate) tail_orders: usize,
}

/// The writer's hold on the committer.
pub(crate) struct Committer {
    committing: Arc<Mutex<Committing>>,
    /// How much was handed over and is not done; only the writer adds to it.
    pending: Arc<AtomicUsize>,
    work: Option<SyncSender<Commit>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(crate) fn start(committing: Committing) -> std::io::Result<Self> {
        // Who is ahead waits: while one batch is written, one more is decided, and the rest queues up for the next.
        let (work, handed_over) = sync_channel(0);
        let (committing, pending) = (Arc::new(Mutex::new(committing)), Arc::new(AtomicUsize::new(0)));
        let (shared, done) = (Arc::clone(&committing), Arc::clone(&pending));
        let thread = std::thread::Builder::new().name("pactolus-commit".into()).spawn(move || {
            for commit in handed_over {
                locked(&shared).carry_out(commit);
                done.fetch_sub(1, Ordering::Release);
            }
        })?;
        Ok(Self { committing, pending, work: Some(work), thread: Some(thread) })
    }

    /// Carries out a commit after all those before it, or hands it over once it can be taken.
    pub(crate) fn ask(&self, commit: Commit) {
        // When nothing is pending, all that was handed over is done, and this is the next.
        if commit.is_of_one_order() && self.pending.load(Ordering::Acquire) == 0 {
            locked(&self.committing).carry_out(commit);
            return;
        }
        self.pending.fetch_add(1, Ordering::Relaxed);
        let work = self.work.as_ref().expect("it is there until it is dropped");
        // A committer that is gone has panicked; who waits for it learns that from its dropped answers.
        let _ = work.send(commit);
    }
}

/// Held by one of two, who come one after the other.
fn locked(committing: &Mutex<Committing>) -> MutexGuard<'_, Committing> {
    committing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Commit {
    fn is_of_one_order(&self) -> bool {
        matches!(self, Self::Batch(_, answers) if answers.len() == 1)
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

impl Committing {
    fn carry_out(&mut self, commit: Commit) {
        match commit {
            Commit::Batch(batch, answers) => {
                let committed = self.commit(batch.as_deref());
                for Answer { to, answer } in answers {
                    // Who asked may have gone; the order stands all the same.
                    let _ = to.send(committed.map_err(PostError::from).and(answer));
                }
            }
            Commit::Settle(done) => {
                self.settle();
                // Who asked may have gone.
                let _ = done.send(());
            }
        }
    }

    /// Makes a batch, if there is one, durable and then visible.
    fn commit(&mut self, batch: Option<&Batch>) -> Result<(), Unavailable> {
        self.books.check()?;
        let Some(batch) = batch else {
            return Ok(());
        };
        if let Err(error) = self.appender.append(&batch.frame) {
            self.books.fail(&error);
            return Err(Unavailable::Failed);
        }
        let held = self.books.tail.publish(&batch.rows, &batch.totals, batch.frame.after);
        // A bulk begins when the tail is large enough; when it is twice that, this waits: memory is bounded.
        if held >= 2 * self.tail_orders || (held >= self.tail_orders && !self.flusher.is_busy()) {
            self.flusher.begin(batch.frame.after);
        }
        Ok(())
    }

    /// Brings the views up to the end of the journal, so that the next opening has nothing to read again.
    fn settle(&mut self) {
        if self.books.check().is_ok() && self.flusher.begin(self.appender.end()) {
            self.flusher.wait();
        }
    }
}

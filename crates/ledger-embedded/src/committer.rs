//! The committer: one thread that makes decided batches durable, then visible, and only then answers their callers.
//!
//! Meanwhile the writer decides the next batch. Batches come in the order in which they were decided, and after a
//! failed write or sync none is written any more.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
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
    work: Option<SyncSender<Commit>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(crate) fn start(mut committing: Committing) -> std::io::Result<Self> {
        // Who is ahead waits: while one batch is written, one more is decided, and the rest queues up for the next.
        let (work, batches) = sync_channel(0);
        let thread = std::thread::Builder::new().name("pactolus-commit".into());
        let thread = thread.spawn(move || committing.run(&batches))?;
        Ok(Self { work: Some(work), thread: Some(thread) })
    }

    /// Hands work over, once the committer can take it.
    pub(crate) fn ask(&self, commit: Commit) {
        let work = self.work.as_ref().expect("it is there until it is dropped");
        // A committer that is gone has panicked; who waits for it learns that from its dropped answers.
        let _ = work.send(commit);
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
    fn run(&mut self, work: &Receiver<Commit>) {
        for commit in work {
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

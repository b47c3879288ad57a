//! The writer: one thread that decides orders, in batches of what has queued up.
//!
//! Each order is decided against the books as the batches before and its own have left them, durable or not.
//! The committer then makes the batch durable and answers; if it cannot, nobody is told what was decided. Where the
//! disk was only full, the writer then begins again from what is published.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::{PostError, Unavailable};
use tokio::sync::oneshot;

use crate::journal::AppendCursor;
use crate::state::StoreState;
use crate::write::batch::{Batch, BatchBuilder};
use crate::write::committer::{CommitRequest, Committer, Epoch, PendingReply};
use crate::write::queue::BatchReceiver;
use crate::write::recent::Recent;
use crate::write::request::{PostRequest, WriteRequest};

/// The most orders of one batch: at some 100 bytes each, a write of less than half a megabyte.
const BATCH_ORDERS_MAX: usize = 4096;

/// Room for the journal's bytes of an order; most need less.
const ORDER_BYTES: usize = 128;

/// The writer's state.
pub(crate) struct Writer {
    state: Arc<StoreState>,
    cursor: AppendCursor,
    committer: Committer,
    recent: Recent,
    /// Batches that were decided and may not be published yet, the oldest first.
    in_flight: VecDeque<Arc<Batch>>,
    /// In which turn of the committer's these were decided.
    epoch: Epoch,
}

impl Writer {
    /// A writer that goes on where the journal of `books` ends.
    pub(crate) fn new(state: Arc<StoreState>, head: AppendCursor, committer: Committer) -> Self {
        let recent = Recent::new(head.position());
        Self { state, cursor: head, committer, recent, in_flight: VecDeque::new(), epoch: Epoch::FIRST }
    }

    /// Serves `queue` until it is closed or says to close.
    pub(crate) fn run(mut self, mut queue: BatchReceiver<WriteRequest>) {
        let mut taken = Vec::with_capacity(BATCH_ORDERS_MAX);
        let mut posts = Vec::with_capacity(BATCH_ORDERS_MAX);
        while queue.recv_batch(&mut taken, BATCH_ORDERS_MAX) > 0 {
            for request in taken.drain(..) {
                match request {
                    WriteRequest::Post(post) => posts.push(post),
                    WriteRequest::FlushAll(done) => {
                        self.decide_batch(&mut posts);
                        self.committer.submit(CommitRequest::FlushAll(done));
                    }
                    WriteRequest::Close(done) => {
                        self.decide_batch(&mut posts);
                        self.flush_all();
                        queue.close();
                        drop(self);
                        // Who asked may have gone.
                        let _ = done.send(());
                        return;
                    }
                }
            }
            self.decide_batch(&mut posts);
        }
        self.flush_all();
    }

    /// Brings the views up to the end of the journal, and waits until they are.
    fn flush_all(&self) {
        let (done, settled) = oneshot::channel();
        self.committer.submit(CommitRequest::FlushAll(done));
        // A committer that is gone cannot settle.
        let _ = settled.blocking_recv();
    }

    /// Decides `posts`, in order, hands them to the committer, and leaves the list empty.
    fn decide_batch(&mut self, posts: &mut Vec<PostRequest>) {
        if posts.is_empty() {
            return;
        }
        let epoch = self.committer.epoch();
        if epoch != self.epoch {
            self.rewind_to_published(epoch);
        }
        let published = self.state.memtable.published();
        while self.in_flight.front().is_some_and(|batch| batch.frame.after.position <= published) {
            self.in_flight.pop_front();
        }
        self.recent.rotate(published, self.cursor.position());
        let frame = self.cursor.begin_frame(Vec::with_capacity(posts.len() * ORDER_BYTES));
        let mut draft = BatchBuilder::new(&self.state, &mut self.recent, &self.in_flight, frame, posts.len());
        let mut answers = Vec::with_capacity(posts.len());
        for PostRequest { order, keys, lookup, now, reply_to: to } in posts.drain(..) {
            let answer = match draft.decide(&order, keys, lookup, now) {
                Ok(decided) => decided.map(|outcome| (order, outcome)).map_err(PostError::from),
                Err(error) => {
                    // Nothing of this batch will be written: the committer looks before it writes.
                    self.state.fail(&error);
                    Err(Unavailable::Failed.into())
                }
            };
            answers.push(PendingReply { reply_to: to, result: answer });
        }
        let batch = draft.finish().map(Arc::new);
        if let Some(batch) = &batch {
            self.cursor.advance(&batch.frame);
            self.in_flight.push_back(Arc::clone(batch));
        }
        self.committer.submit(CommitRequest::Batch(epoch, batch, answers));
    }

    /// Forgets what was decided and is not published: there was no room for it. The committer says why what is
    /// published stays as it is meanwhile.
    fn rewind_to_published(&mut self, epoch: Epoch) {
        let end = self.state.memtable.end();
        self.cursor.rewind(&self.state.journal, end);
        // A request that has looked its names up earlier than this end has to look again.
        self.recent = Recent::new(end.position);
        self.in_flight.clear();
        self.epoch = epoch;
    }
}

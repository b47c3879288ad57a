//! The writer: one thread that decides queued orders in batches.
//!
//! Each order is decided against the state after all orders decided before it, durable or not. The committer then
//! makes the batch durable and replies; if it cannot, no caller learns a decision. If the disk was only full, the
//! writer restarts from the published state.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::PostError;
use tokio::sync::oneshot;

use crate::journal::{AppendCursor, entry};
use crate::state::StoreState;
use crate::write::batch::{Batch, BatchBuilder};
use crate::write::committer::{CommitRequest, Committer, Epoch, PendingReply};
use crate::write::queue::BatchReceiver;
use crate::write::recent::Recent;
use crate::write::request::{PostRequest, WriteRequest};

/// The most orders of one batch: at some 100 bytes each, a write of less than half a megabyte.
pub(crate) const BATCH_ORDERS_MAX: usize = 4096;

/// Buffer bytes for an order; most need less.
const ORDER_BYTES: usize = 128;

pub(crate) struct Writer {
    state: Arc<StoreState>,
    cursor: AppendCursor,
    committer: Committer,
    recent: Recent,
    /// Decided batches that may not be published yet, the oldest first.
    in_flight: VecDeque<Arc<Batch>>,
    /// The committer's epoch in which these were decided.
    epoch: Epoch,
}

impl Writer {
    pub(crate) fn new(state: Arc<StoreState>, cursor: AppendCursor, committer: Committer) -> Self {
        let recent = Recent::new(cursor.position());
        Self { state, cursor, committer, recent, in_flight: VecDeque::new(), epoch: Epoch::FIRST }
    }

    /// Serves `queue` until it is closed or a request says to close.
    pub(crate) fn run(mut self, mut queue: BatchReceiver<WriteRequest>) {
        let mut taken = Vec::with_capacity(BATCH_ORDERS_MAX);
        let mut posts = Vec::with_capacity(BATCH_ORDERS_MAX);
        while queue.recv_batch(&mut taken, BATCH_ORDERS_MAX) > 0 {
            for request in taken.drain(..) {
                match request {
                    WriteRequest::Post(post) => posts.push(post),
                    WriteRequest::Import(mut orders) => {
                        self.decide_batch(&mut posts);
                        self.decide_batch(&mut orders);
                    }
                    WriteRequest::FlushAll(done) => {
                        self.decide_batch(&mut posts);
                        self.committer.submit(CommitRequest::FlushAll(done));
                    }
                    WriteRequest::Close(done) => {
                        self.decide_batch(&mut posts);
                        self.flush_all();
                        queue.close();
                        drop(self);
                        // The caller may be gone.
                        let _ = done.send(());
                        return;
                    }
                }
            }
            self.decide_batch(&mut posts);
        }
        self.flush_all();
    }

    /// Flushes the memtable, and waits for it.
    fn flush_all(&self) {
        let (done, flushed) = oneshot::channel();
        self.committer.submit(CommitRequest::FlushAll(done));
        // A committer that panicked cannot flush.
        let _ = flushed.blocking_recv();
    }

    /// Decides `posts` in order, hands the batch to the committer, and leaves the list empty.
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
        let format = posts.iter().map(|post| entry::format(&post.order)).max().unwrap_or_default();
        let frame = self.cursor.begin_frame(format, Vec::with_capacity(posts.len() * ORDER_BYTES));
        let mut batch_builder =
            BatchBuilder::new(&self.state, &mut self.recent, &self.in_flight, frame, posts.len());
        let mut answers = Vec::with_capacity(posts.len());
        for post in posts.drain(..) {
            let decided = batch_builder.decide(&post);
            let PostRequest { order, reply_to: to, .. } = post;
            let answer = match decided {
                Ok(decided) => decided.map(|outcome| (order, outcome)).map_err(PostError::from),
                // An order that it needs is damaged. It has changed nothing, and the others go on.
                Err(error) => Err(self.state.refuse(&error).into()),
            };
            answers.push(PendingReply { reply_to: to, result: answer });
        }
        let batch = batch_builder.finish().map(Arc::new);
        if let Some(batch) = &batch {
            self.cursor.advance(&batch.frame);
            self.in_flight.push_back(Arc::clone(batch));
        }
        self.committer.submit(CommitRequest::Batch(epoch, batch, answers));
    }

    /// Drops the decided orders that are not published: the disk was full. The committer argues why the published
    /// state does not change meanwhile.
    fn rewind_to_published(&mut self, epoch: Epoch) {
        let end = self.state.memtable.end();
        self.cursor.rewind(&self.state.journal, end);
        // A look-up older than this end is repeated.
        self.recent = Recent::new(end.position);
        self.in_flight.clear();
        self.epoch = epoch;
    }
}

//! The writer: one thread that decides orders, in batches of what has queued up.
//!
//! Each order is decided against the books as the batches before and its own have left them, durable or not.
//! The committer then makes the batch durable and answers; if it cannot, nobody is told what was decided. Where the
//! disk was only full, the writer then begins again from what is published.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::{PostError, Unavailable};
use tokio::sync::oneshot;

use crate::journal::Head;
use crate::state::Books;
use crate::write::batch::{Batch, Draft};
use crate::write::committer::{Answer, Commit, Committer, Turn};
use crate::write::queue::Queued;
use crate::write::recent::Recent;
use crate::write::request::{Post, Request};

/// The most orders of one batch: at some 100 bytes each, a write of less than half a megabyte.
const BATCH_ORDERS_MAX: usize = 4096;

/// Room for the journal's bytes of an order; most need less.
const ORDER_BYTES: usize = 128;

/// The writer's state.
pub(crate) struct Writer {
    books: Arc<Books>,
    head: Head,
    committer: Committer,
    recent: Recent,
    /// Batches that were decided and may not be published yet, the oldest first.
    ahead: VecDeque<Arc<Batch>>,
    /// In which turn of the committer's these were decided.
    turn: Turn,
}

impl Writer {
    /// A writer that goes on where the journal of `books` ends.
    pub(crate) fn new(books: Arc<Books>, head: Head, committer: Committer) -> Self {
        let recent = Recent::new(head.position());
        Self { books, head, committer, recent, ahead: VecDeque::new(), turn: Turn::FIRST }
    }

    /// Serves `queue` until it is closed or says to close.
    pub(crate) fn run(mut self, mut queue: Queued<Request>) {
        let mut taken = Vec::with_capacity(BATCH_ORDERS_MAX);
        let mut posts = Vec::with_capacity(BATCH_ORDERS_MAX);
        while queue.take(&mut taken, BATCH_ORDERS_MAX) > 0 {
            for request in taken.drain(..) {
                match request {
                    Request::Post(post) => posts.push(post),
                    Request::Settle(done) => {
                        self.batch(&mut posts);
                        self.committer.ask(Commit::Settle(done));
                    }
                    Request::Close(done) => {
                        self.batch(&mut posts);
                        self.settle();
                        queue.close();
                        drop(self);
                        // Who asked may have gone.
                        let _ = done.send(());
                        return;
                    }
                }
            }
            self.batch(&mut posts);
        }
        self.settle();
    }

    /// Brings the views up to the end of the journal, and waits until they are.
    fn settle(&self) {
        let (done, settled) = oneshot::channel();
        self.committer.ask(Commit::Settle(done));
        // A committer that is gone cannot settle.
        let _ = settled.blocking_recv();
    }

    /// Decides `posts`, in order, hands them to the committer, and leaves the list empty.
    fn batch(&mut self, posts: &mut Vec<Post>) {
        if posts.is_empty() {
            return;
        }
        let turn = self.committer.turn();
        if turn != self.turn {
            self.begin_again(turn);
        }
        let published = self.books.tail.published();
        while self.ahead.front().is_some_and(|batch| batch.frame.after.position <= published) {
            self.ahead.pop_front();
        }
        self.recent.forget(published, self.head.position());
        let frame = self.head.frame(Vec::with_capacity(posts.len() * ORDER_BYTES));
        let mut draft = Draft::new(&self.books, &mut self.recent, &self.ahead, frame, posts.len());
        let mut answers = Vec::with_capacity(posts.len());
        for Post { order, names, known, now, answer: to } in posts.drain(..) {
            let answer = match draft.decide(&order, names, known, now) {
                Ok(decided) => decided.map(|outcome| (order, outcome)).map_err(PostError::from),
                Err(error) => {
                    // Nothing of this batch will be written: the committer looks before it writes.
                    self.books.fail(&error);
                    Err(Unavailable::Failed.into())
                }
            };
            answers.push(Answer { to, answer });
        }
        let batch = draft.finish().map(Arc::new);
        if let Some(batch) = &batch {
            self.head.pass(&batch.frame);
            self.ahead.push_back(Arc::clone(batch));
        }
        self.committer.ask(Commit::Batch(turn, batch, answers));
    }

    /// Forgets what was decided and is not published: there was no room for it. The committer says why what is
    /// published stays as it is meanwhile.
    fn begin_again(&mut self, turn: Turn) {
        let end = self.books.tail.end();
        self.head.go_back(&self.books.journal, end);
        // A request that has looked its names up earlier than this end has to look again.
        self.recent = Recent::new(end.position);
        self.ahead.clear();
        self.turn = turn;
    }
}

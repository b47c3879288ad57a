//! The writer: one thread that decides orders, in batches of what has queued up.
//!
//! Each order is decided against the books as the batch has left them. The batch is appended to the journal and
//! synced once; then its rows are published, and only then is anybody answered.
//! Refusals and replays wait for the sync too: they may rest on an order of the same batch.

use std::sync::Arc;

use pactolus_ledger::{Account, Decision, Order, OrderKind, PostError, Posted, Refusal, Unavailable, decide};
use pactolus_nouns::UnixMillis;
use tokio::sync::{mpsc, oneshot};

use crate::books::{Books, BooksError, Draft, Known};
use crate::flusher::Flusher;
use crate::journal::Appender;
use crate::journal::entry::Follows;
use crate::journal::frame::FrameBuilder;
use crate::rows::{Names, RowSet};

/// The most orders of one batch: at some 100 bytes each, a write of less than half a megabyte.
const BATCH_ORDERS_MAX: usize = 4096;

/// What the writer is asked.
pub(crate) enum Request {
    /// Decide an order.
    Post(Post),
    /// Bring the views up to the end of the journal.
    Settle(oneshot::Sender<()>),
    /// Finish what came before this, and end.
    Close(oneshot::Sender<()>),
}

/// An order, and who waits for the answer.
pub(crate) struct Post {
    /// Boxed, because it moves through the queue.
    pub(crate) order: Box<Order>,
    pub(crate) names: Names,
    pub(crate) now: UnixMillis,
    pub(crate) answer: oneshot::Sender<Result<Posted, PostError>>,
}

/// The writer's state.
pub(crate) struct Writer {
    pub(crate) books: Arc<Books>,
    pub(crate) appender: Appender,
    pub(crate) flusher: Flusher,
    /// How many bill numbers the tail may hold before it is written to the views.
    pub(crate) tail_orders: usize,
    /// Rows of the batch at hand; empty between batches.
    pub(crate) rows: RowSet,
}

impl Writer {
    /// Serves `queue` until it is closed or says to close.
    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut taken = Vec::with_capacity(BATCH_ORDERS_MAX);
        let mut posts = Vec::with_capacity(BATCH_ORDERS_MAX);
        while queue.blocking_recv_many(&mut taken, BATCH_ORDERS_MAX) > 0 {
            for request in taken.drain(..) {
                match request {
                    Request::Post(post) => posts.push(post),
                    Request::Settle(done) => {
                        self.batch(&mut posts);
                        self.settle();
                        // Who asked may have gone.
                        let _ = done.send(());
                    }
                    Request::Close(done) => {
                        self.batch(&mut posts);
                        self.settle();
                        queue.close();
                        drop(self);
                        let _ = done.send(());
                        return;
                    }
                }
            }
            self.batch(&mut posts);
        }
        self.settle();
    }

    /// Decides, keeps and answers `posts`, and leaves it empty.
    fn batch(&mut self, posts: &mut Vec<Post>) {
        if posts.is_empty() {
            return;
        }
        let decided = self.books.check().and_then(|()| self.keep(posts).map_err(|error| self.fail(&error)));
        match decided {
            Ok(answers) => {
                for (post, answer) in posts.drain(..).zip(answers) {
                    // Who asked may have gone; the order stands all the same.
                    let _ = post.answer.send(answer);
                }
                self.flush_when_due();
            }
            Err(unavailable) => {
                for post in posts.drain(..) {
                    let _ = post.answer.send(Err(unavailable.into()));
                }
            }
        }
    }

    /// Decides `posts` and makes what was applied durable and visible.
    fn keep(&mut self, posts: &[Post]) -> Result<Vec<Result<Posted, PostError>>, KeepError> {
        let known = self.books.look_up(posts.iter().map(|post| (&*post.order, post.names)))?;
        let mut frame = self.appender.frame()?;
        let mut draft = Draft::new(&self.books, &mut self.rows);
        let mut answers = Vec::with_capacity(posts.len());
        for (post, known) in posts.iter().zip(&known) {
            answers.push(decide_one(&mut draft, &mut frame, post, known)?.map_err(PostError::from));
        }
        if frame.is_empty() {
            self.appender.discard(frame);
        } else {
            self.appender.commit(frame)?;
            self.books.publish(&mut self.rows, *self.appender.end());
        }
        Ok(answers)
    }

    fn fail(&self, error: &KeepError) -> Unavailable {
        self.books.fail(error);
        Unavailable::Failed
    }

    /// Begins a bulk when the tail is large enough, and waits when it is twice that: memory is bounded.
    fn flush_when_due(&mut self) {
        let held = {
            let tail = self.books.tail.read().expect("nothing panics while it changes the tail");
            tail.active.bills.len()
        };
        if held >= 2 * self.tail_orders || (held >= self.tail_orders && !self.flusher.is_busy()) {
            self.flusher.begin(*self.appender.end());
        }
    }

    /// Brings the views up to the end of the journal, so that the next opening has nothing to read again.
    fn settle(&mut self) {
        if self.books.check().is_ok() && self.flusher.begin(*self.appender.end()) {
            self.flusher.wait();
        }
    }
}

/// What keeps a batch from being kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("writing the journal failed")]
    Write(#[from] std::io::Error),
    #[error("reading the books failed")]
    Read(#[from] BooksError),
}

/// Decides one order against the draft, and adds it to the frame if it applies.
fn decide_one(
    draft: &mut Draft<'_>,
    frame: &mut FrameBuilder,
    post: &Post,
    known: &Known,
) -> Result<Result<Posted, Refusal>, BooksError> {
    let Post { order, names, now, .. } = post;
    let last = draft.bill(*names, known);
    let earlier = last.map(|last| draft.filed(&order.bill(), last, frame)).transpose()?;
    let row = draft.account(*names, known);
    let account = row.map_or_else(Account::default, |row| row.account);
    Ok(match decide(&account, earlier.as_ref(), order, *now) {
        Err(refusal) => Err(refusal),
        Ok(Decision::Replay(receipt)) => Ok(Posted::Replayed { receipt, account }),
        Ok(Decision::Apply(receipt)) => {
            // A cancel applies only where the last order under its bill number is the pay.
            let pay = last.filter(|_| matches!(order.kind, OrderKind::Cancel { .. }));
            let position = frame.add(&receipt, Follows { previous: row.map(|row| row.last), pay });
            draft.file(*names, &receipt, position)?;
            Ok(Posted::Applied(receipt))
        }
    })
}

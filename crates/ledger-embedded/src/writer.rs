//! The writer: one thread that decides orders, in batches of what has queued up.
//!
//! Each order is decided against the books as the batches before and its own have left them, durable or not.
//! The committer then makes the batch durable and answers; if it cannot, nobody is told what was decided.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::{Account, Decision, Order, OrderKind, PostError, Posted, Refusal, Unavailable, decide};
use pactolus_nouns::UnixMillis;
use tokio::sync::{mpsc, oneshot};

use crate::books::{Books, BooksError, Known};
use crate::committer::{Answer, Commit, Committer};
use crate::draft::{Batch, Draft};
use crate::journal::Head;
use crate::journal::entry::Follows;
use crate::rows::Names;

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
    books: Arc<Books>,
    head: Head,
    committer: Committer,
    /// Batches that were decided and may not be published yet, the oldest first.
    ahead: VecDeque<Arc<Batch>>,
    /// What is published about each order of the batch at hand; kept for its room.
    known: Vec<Known>,
}

impl Writer {
    /// A writer that goes on where the journal of `books` ends.
    pub(crate) fn new(books: Arc<Books>, head: Head, committer: Committer) -> Self {
        Self { books, head, committer, ahead: VecDeque::new(), known: Vec::new() }
    }

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

    /// Decides `posts`, hands them to the committer, and leaves the list empty.
    fn batch(&mut self, posts: &mut Vec<Post>) {
        if posts.is_empty() {
            return;
        }
        let decided = self.books.check().and_then(|()| {
            self.decide(posts).map_err(|error| {
                self.books.fail(&error);
                Unavailable::Failed
            })
        });
        match decided {
            Ok((batch, answers)) => {
                let answers =
                    posts.drain(..).zip(answers).map(|(post, answer)| Answer { to: post.answer, answer });
                self.committer.ask(Commit::Batch(batch, answers.collect()));
            }
            Err(unavailable) => {
                for post in posts.drain(..) {
                    let _ = post.answer.send(Err(unavailable.into()));
                }
            }
        }
    }

    /// Decides `posts`, in order.
    fn decide(&mut self, posts: &[Post]) -> Result<Decided, BooksError> {
        let orders = posts.iter().map(|post| (&*post.order, post.names));
        let published = self.books.look_up(orders, &mut self.known)?;
        while self.ahead.front().is_some_and(|batch| batch.frame.after.position <= published.position) {
            self.ahead.pop_front();
        }
        let mut draft = Draft::new(&self.books, &self.ahead, self.head.frame(Vec::new()));
        let decide = |(post, known)| Ok(decide_one(&mut draft, post, known)?.map_err(PostError::from));
        let answers = posts.iter().zip(&self.known).map(decide).collect::<Result<_, BooksError>>()?;
        let batch = draft.finish().map(Arc::new);
        if let Some(batch) = &batch {
            self.head.pass(&batch.frame);
            self.ahead.push_back(Arc::clone(batch));
        }
        Ok((batch, answers))
    }
}

/// What deciding came to: what it changes, if it changes anything, and the answers.
type Decided = (Option<Arc<Batch>>, Vec<Result<Posted, PostError>>);

/// Decides one order against the draft, and adds it if it applies.
fn decide_one(
    draft: &mut Draft<'_>,
    post: &Post,
    known: &Known,
) -> Result<Result<Posted, Refusal>, BooksError> {
    let Post { order, names, now, .. } = post;
    let last = draft.bill(*names, known);
    let earlier = last.map(|last| draft.filed(&order.bill(), last)).transpose()?;
    let row = draft.account(*names, known);
    let account = row.map_or_else(Account::default, |row| row.account);
    Ok(match decide(&account, earlier.as_ref(), order, *now) {
        Err(refusal) => Err(refusal),
        Ok(Decision::Replay(receipt)) => Ok(Posted::Replayed { receipt, account }),
        Ok(Decision::Apply(receipt)) => {
            // A cancel applies only where the last order under its bill number is the pay.
            let pay = last.filter(|_| matches!(order.kind, OrderKind::Cancel { .. }));
            draft.apply(*names, &receipt, Follows { previous: row.map(|row| row.last), pay })?;
            Ok(Posted::Applied(receipt))
        }
    })
}

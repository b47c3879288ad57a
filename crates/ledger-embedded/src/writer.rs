//! The writer: one thread that decides orders, in batches of what has queued up.
//!
//! Each order is decided against the books as the batches before and its own have left them, durable or not.
//! The committer then makes the batch durable and answers; if it cannot, nobody is told what was decided. Where the
//! disk was only full, the writer then begins again from what is published.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::{Order, PostError, Unavailable};
use pactolus_types::UnixMillis;
use tokio::sync::oneshot;

use crate::books::{Books, Known};
use crate::committer::{Answer, Commit, Committer, Turn};
use crate::draft::{Batch, Draft, Outcome};
use crate::journal::Head;
use crate::queue::Queued;
use crate::recent::Recent;
use crate::rows::Names;

/// The most orders of one batch: at some 100 bytes each, a write of less than half a megabyte.
const BATCH_ORDERS_MAX: usize = 4096;

/// Room for the journal's bytes of an order; most need less.
const ORDER_BYTES: usize = 128;

/// What the writer is asked.
pub(crate) enum Request {
    /// Decide an order.
    Post(Post),
    /// Bring the views up to the end of the journal.
    Settle(oneshot::Sender<()>),
    /// Finish what came before this, and end.
    Close(oneshot::Sender<()>),
}

/// An order, what its request has looked up, and who waits for the answer.
pub(crate) struct Post {
    /// Boxed, because it moves through the queue and back.
    pub(crate) order: Box<Order>,
    pub(crate) names: Names,
    pub(crate) known: Known,
    pub(crate) now: UnixMillis,
    pub(crate) answer: oneshot::Sender<Answered>,
}

/// What became of an order, which goes back to who asked.
pub(crate) type Answered = Result<(Box<Order>, Outcome), PostError>;

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

#[cfg(test)]
mod tests {
    use pactolus_ledger::{AccountKey, Memo, OrderKind};
    use pactolus_types::{Amount, Environment};

    use super::*;
    use crate::queue::{self, Queue};
    use crate::room::Room;
    use crate::{Settings, disk, store};

    fn present(number: usize) -> Order {
        Order {
            account: AccountKey {
                app: "wx1234567".parse().unwrap(),
                environment: Environment::Live,
                offer: "12345678".parse().unwrap(),
                player: format!("player-{}", number % 10).parse().unwrap(),
                zone: "1".parse().unwrap(),
            },
            bill_no: format!("bill-{number}").parse().unwrap(),
            kind: OrderKind::Present(Amount::new(1).unwrap().into()),
            memo: Memo::default(),
        }
    }

    /// Posts an order with what was looked up for it some time before.
    fn post(
        queue: &Queue<Request>,
        books: &Books,
        number: usize,
        known: Known,
    ) -> oneshot::Receiver<Answered> {
        let order = Box::new(present(number));
        let (answer, answered) = oneshot::channel();
        let names = books.names(&order);
        let post = Post { order, names, known, now: UnixMillis::new(1), answer };
        pollster::block_on(queue.send(Request::Post(post))).unwrap_or_else(|_| panic!("the writer is there"));
        answered
    }

    /// Whether an order was applied now, and what its account has then.
    fn outcome(answered: oneshot::Receiver<Answered>) -> (bool, u64) {
        match answered.blocking_recv().unwrap().unwrap().1 {
            Outcome::Applied(change) => (true, change.after.balance().get()),
            Outcome::Replayed(_, account) => (false, account.balance().get()),
        }
    }

    /// A request may look its names up, and then wait for its place in the queue while others with the same names
    /// come and go: a moment, or longer than what is recent reaches back.
    #[test]
    fn what_happened_since_a_request_looked_its_names_up_counts() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { tail_orders: 5000, accounts_kept: 0, ..Settings::default() };
        let room = Arc::new(Room::new(Arc::new(disk::Real), folder.path(), &settings));
        let (books, writer) = store::open(folder.path(), &settings, room).unwrap();
        let (queue, requests) = queue::queue(16);
        let running = std::thread::spawn(move || writer.run(requests));

        let look_up = |number| {
            let order = present(number);
            books.look_up(&order.account, books.names(&order)).unwrap()
        };
        let [first, second] = [look_up(0), look_up(10)];
        let posted = |number, known| outcome(post(&queue, &books, number, known));
        assert_eq!(posted(0, look_up(0)), (true, 1));
        assert_eq!(posted(0, first), (false, 1), "the bill number was used a moment ago");
        assert_eq!(posted(10, second), (true, 2), "the account got a coin a moment ago");

        let more = 20..20 + 3 * 8192;
        let answers = more.clone().map(|number| post(&queue, &books, number, look_up(number)));
        assert!(answers.collect::<Vec<_>>().into_iter().all(|answered| outcome(answered).0));
        let of_player_0 = 2 + more.clone().filter(|number| number % 10 == 0).count() as u64;
        assert_eq!(posted(0, first), (false, of_player_0), "the bill number was used long ago");
        assert_eq!(posted(more.end + 4, second), (true, of_player_0 + 1), "the account changed long ago");
        drop(queue);
        running.join().unwrap();
    }
}

//! Writer: a task that takes the queued orders, posts them as a batch, and replies.
//!
//! A batch that conflicts with another transaction is retried, up to [`ATTEMPTS_MAX`] attempts in total. When the
//! connection is lost, the outcome of its batch is unknown: callers get `Unavailable`, and a retry of an order
//! returns its outcome. Without a connection, the writer fails orders at once instead of queueing them, and
//! reconnects in a loop until a connection succeeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pactolus_ledger::{PostError, Posted, Unavailable};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::batch::{self, BatchStatements};
use super::{BatchResults, PostRequest, WriterMessage};
use crate::error::{DatabaseError, ErrorAction};
use crate::random::{FillRandom, random_u64};
use crate::session::PgSession;
use crate::url::PostgresUrl;

/// Maximum batch size, in orders. The rows of a batch are locked until it commits, so larger batches make others wait
/// longer. Beyond some hundred orders, the share of a round trip and an fsync per order is next to nothing.
const BATCH_ORDERS_MAX: usize = 1024;

/// Maximum attempts per batch. Each conflict means that another transaction committed, and the retry sees its effect.
const ATTEMPTS_MAX: u32 = 10;

/// Timeout of a transaction. It is longer than a caller waits, so that a database that is slow for a moment keeps its
/// connection, and short enough to bound how long a writer can hang.
const BATCH_TIMEOUT: Duration = Duration::from_secs(4);

/// Delay between two connection attempts.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);

/// State of a writer.
pub(super) struct BatchWriter {
    url: PostgresUrl,
    session: Option<PgSession<BatchStatements>>,
    unreachable: Arc<AtomicBool>,
    /// False after a failed connection attempt.
    can_connect: bool,
    totals_part: i16,
    randomness: FillRandom,
}

/// Whether the writer's loop goes on.
#[derive(PartialEq, Eq)]
enum LoopControl {
    Continue,
    Stop,
}

impl BatchWriter {
    pub(super) fn new(
        url: PostgresUrl,
        session: PgSession<BatchStatements>,
        unreachable: Arc<AtomicBool>,
        totals_part: i16,
        randomness: FillRandom,
    ) -> Self {
        Self { url, session: Some(session), unreachable, can_connect: true, totals_part, randomness }
    }

    /// Serves `queue` until it is closed or a `Close` message arrives.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<WriterMessage>) {
        let mut requests = Vec::with_capacity(BATCH_ORDERS_MAX);
        let (mut batches, mut shutdown) = (Vec::new(), None);
        while shutdown.is_none() && gather(&mut queue, &mut requests).await {
            let mut posts = Vec::with_capacity(requests.len());
            for request in requests.drain(..) {
                match request {
                    // Skipped: the caller timed out with an unknown outcome, and repeats the order.
                    WriterMessage::Post(post) if post.reply.is_closed() => {}
                    WriterMessage::Post(post) => posts.push(post),
                    WriterMessage::Batch(orders, reply) => batches.push((orders, reply)),
                    WriterMessage::Close(done) => {
                        queue.close();
                        shutdown = Some(done);
                    }
                }
            }
            for (asked, answer) in batches.drain(..) {
                let results = self.post_batch(&asked).await;
                let _ = answer.send(results);
            }
            if self.post_and_reply(posts, &mut queue).await == LoopControl::Stop {
                break;
            }
        }
        // Requests left in the queue fail with `Closed`, because their reply channels are dropped.
        drop((self, queue));
        if let Some(done) = shutdown {
            let _ = done.send(());
        }
    }

    /// Posts a batch and replies to its callers.
    async fn post_and_reply(
        &mut self,
        posts: Vec<PostRequest>,
        queue: &mut mpsc::Receiver<WriterMessage>,
    ) -> LoopControl {
        if posts.is_empty() {
            return LoopControl::Continue;
        }
        let (orders, replies): (Vec<_>, Vec<_>) =
            posts.into_iter().map(|post| (post.pending, post.reply)).unzip();
        match self.post_batch(&orders).await {
            Ok(results) => {
                for (to, answer) in replies.into_iter().zip(results) {
                    // The caller may have timed out; the order is committed regardless.
                    let _ = to.send(answer);
                }
            }
            Err(unavailable) => reply_unavailable(replies, unavailable),
        }
        if self.can_connect { LoopControl::Continue } else { self.reconnect(queue).await }
    }

    /// Posts a batch; connects first if there is no open session.
    async fn post_batch(&mut self, orders: &[super::PendingOrder]) -> Result<BatchResults, Unavailable> {
        let session = match self.session.take().filter(|session| !session.is_closed()) {
            Some(session) => session,
            None => match PgSession::open(&self.url).await {
                Ok(session) => session,
                Err(error) => {
                    error.log("connecting to the database failed");
                    self.can_connect = false;
                    return Err(Unavailable::Unreachable);
                }
            },
        };
        self.can_connect = true;
        let results = self.post_with_retry(&session, orders).await.map_err(|error| {
            error.log("posting a batch of orders failed, or its outcome is unknown");
            (error.action(), error.unavailable())
        });
        match results {
            Err((ErrorAction::Reconnect, unavailable)) => Err(unavailable),
            answers => {
                self.session = Some(session);
                answers.map_err(|(_, unavailable)| unavailable)
            }
        }
    }

    /// Posts a batch, with retries after conflicts.
    async fn post_with_retry(
        &self,
        session: &PgSession<BatchStatements>,
        orders: &[super::PendingOrder],
    ) -> Result<BatchResults, DatabaseError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let posted = batch::post(session, orders, self.totals_part);
            let error = match timeout(BATCH_TIMEOUT, posted).await.unwrap_or(Err(DatabaseError::Timeout)) {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            if error.action() == ErrorAction::Reconnect {
                return Err(error);
            }
            timeout(BATCH_TIMEOUT, session.client.batch_execute("ROLLBACK"))
                .await
                .map_err(|_| DatabaseError::Timeout)??;
            if error.action() != ErrorAction::Retry || attempts == ATTEMPTS_MAX {
                return Err(error);
            }
            error.log("a batch conflicted with another transaction and is retried");
            sleep(backoff(attempts, self.randomness)).await;
        }
    }

    /// Reconnects in a loop; meanwhile it fails queued orders with `Unreachable`.
    async fn reconnect(&mut self, queue: &mut mpsc::Receiver<WriterMessage>) -> LoopControl {
        self.unreachable.store(true, Ordering::Relaxed);
        loop {
            while let Ok(request) = queue.try_recv() {
                match request {
                    WriterMessage::Post(post) => {
                        reply_unavailable(vec![post.reply], Unavailable::Unreachable);
                    }
                    WriterMessage::Batch(_, answer) => drop(answer.send(Err(Unavailable::Unreachable))),
                    WriterMessage::Close(done) => {
                        queue.close();
                        let _ = done.send(());
                        return LoopControl::Stop;
                    }
                }
            }
            if queue.is_closed() {
                return LoopControl::Stop;
            }
            if let Ok(session) = PgSession::open(&self.url).await {
                tracing::info!("reconnected to the database");
                self.session = Some(session);
                self.unreachable.store(false, Ordering::Relaxed);
                return LoopControl::Continue;
            }
            sleep(RECONNECT_DELAY).await;
        }
    }
}

/// Waits for the first request and takes all queued ones; false if the queue is closed.
///
/// Callers that were just answered are about to post again. The writer yields to them while more orders arrive: a
/// larger batch costs less per order, and a yield costs no time when no other task is runnable.
async fn gather(queue: &mut mpsc::Receiver<WriterMessage>, requests: &mut Vec<WriterMessage>) -> bool {
    if queue.recv_many(requests, BATCH_ORDERS_MAX).await == 0 {
        return false;
    }
    loop {
        let before = requests.len();
        yield_now().await;
        while requests.len() < BATCH_ORDERS_MAX
            && let Ok(request) = queue.try_recv()
        {
            requests.push(request);
        }
        if requests.len() == before {
            return true;
        }
    }
}

fn reply_unavailable(replies: Vec<oneshot::Sender<Result<Posted, PostError>>>, unavailable: Unavailable) {
    for to in replies {
        let _ = to.send(Err(unavailable.into()));
    }
}

/// Random backoff after attempt `attempts`: below 2 ms, then 4, 8 … 128 ms, so that colliding batches draw apart.
fn backoff(attempts: u32, randomness: FillRandom) -> Duration {
    Duration::from_micros(random_u64(randomness) % (1000 << attempts.min(7)))
}

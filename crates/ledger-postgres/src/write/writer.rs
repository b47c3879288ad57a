//! Writer: a task that takes the queued orders, posts them as a batch, and replies.
//!
//! A batch that conflicts with another transaction is retried, up to [`ATTEMPTS_MAX`] attempts in total. A batch that
//! still conflicts, or whose data the database refuses, is posted again in halves, so that the order with the bad data, or of the damaged
//! account, fails alone: in a batch of n orders it costs 2 log2 n transactions. A session whose statements are unusable
//! is replaced, and the batch is posted once more. When the connection is lost, the outcome of its batch is unknown: callers get `Unavailable`, and a retry of an order
//! returns its outcome. Without a connection, the writer fails orders at once instead of queueing them, and
//! reconnects in a loop until a connection succeeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pactolus_ledger::Unavailable;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::batch::{self, BatchStatements};
use super::{BatchResults, PostRequest, WriterMessage};
use crate::error::{DatabaseError, ErrorAction};
use crate::metrics::{BatchResult, NodeMetrics};
use crate::random::{FillRandom, random_u64};
use crate::session::{Connector, PgSession};

/// Maximum batch size, in orders. The rows of a batch are locked until it commits, so larger batches make others wait
/// longer. Beyond some hundred orders, the share of a round trip and an fsync per order is next to nothing.
const BATCH_ORDERS_MAX: usize = 1024;

/// Maximum attempts per batch. Each conflict means that another transaction committed, and the retry sees its effect.
const ATTEMPTS_MAX: u32 = 10;

/// Maximum attempts of a part of a split batch, so that its callers are answered in time.
const PART_ATTEMPTS_MAX: u32 = 3;

/// Timeout of a transaction. It is longer than a caller waits, so that a database that is slow for a moment keeps its
/// connection, and short enough to bound how long a writer can hang.
const BATCH_TIMEOUT: Duration = Duration::from_secs(4);

/// Delay between two connection attempts.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);

/// State of a writer.
pub(super) struct BatchWriter {
    connector: Connector,
    session: Option<PgSession<BatchStatements>>,
    unreachable: Arc<AtomicBool>,
    /// False after a failed connection attempt.
    can_connect: bool,
    totals_part: i16,
    randomness: FillRandom,
    metrics: Arc<NodeMetrics>,
}

/// Whether the writer's loop goes on.
#[derive(PartialEq, Eq)]
enum LoopControl {
    Continue,
    Stop,
}

impl BatchWriter {
    pub(super) fn new(
        connector: Connector,
        session: PgSession<BatchStatements>,
        unreachable: Arc<AtomicBool>,
        totals_part: i16,
        randomness: FillRandom,
        metrics: Arc<NodeMetrics>,
    ) -> Self {
        Self {
            connector,
            session: Some(session),
            unreachable,
            can_connect: true,
            totals_part,
            randomness,
            metrics,
        }
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
                let results = self.post_batch(&asked, ATTEMPTS_MAX).await;
                let results = results.map_err(|error| {
                    self.connector.failures.report("posting orders failed", &error);
                    error.unavailable()
                });
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

    /// Posts a batch and replies to its callers. If the database refuses its data, posts it again in halves.
    async fn post_and_reply(
        &mut self,
        posts: Vec<PostRequest>,
        queue: &mut mpsc::Receiver<WriterMessage>,
    ) -> LoopControl {
        // The next part to post is the last. An order follows the ones before it in its batch.
        let mut parts = vec![posts];
        let mut attempts_max = ATTEMPTS_MAX;
        while let Some(mut posts) = parts.pop() {
            // The caller of an order timed out with an unknown outcome while other parts were posted.
            posts.retain(|post| !post.reply.is_closed());
            if posts.is_empty() {
                continue;
            }
            if self.can_connect {
                parts.extend(self.post_part(posts, attempts_max).await.into_iter().flatten());
                attempts_max = PART_ATTEMPTS_MAX;
            } else {
                reply_unavailable(posts, Unavailable::Unreachable);
            }
        }
        if self.can_connect { LoopControl::Continue } else { self.reconnect(queue).await }
    }

    /// Posts a part of a batch, and replies to its callers. If the database refuses its data, returns its halves, the
    /// first one last.
    async fn post_part(
        &mut self,
        posts: Vec<PostRequest>,
        attempts_max: u32,
    ) -> Option<[Vec<PostRequest>; 2]> {
        let (orders, replies): (Vec<_>, Vec<_>) =
            posts.into_iter().map(|post| (post.pending, post.reply)).unzip();
        let posted = self.post_batch(&orders, attempts_max).await;
        let mut posts =
            orders.into_iter().zip(replies).map(|(pending, reply)| PostRequest { pending, reply });
        match posted {
            Ok(results) => {
                for (post, answer) in posts.zip(results) {
                    // The caller may have timed out; the order is committed regardless.
                    let _ = post.reply.send(answer);
                }
                None
            }
            Err(error)
                if matches!(error.action(), ErrorAction::Reject | ErrorAction::Retry) && posts.len() > 1 =>
            {
                let half = posts.len() / 2;
                let first = posts.by_ref().take(half).collect();
                Some([posts.collect(), first])
            }
            Err(error) => {
                let mut operation = "posting orders failed, or their outcome is unknown".to_owned();
                let mut posts = posts.peekable();
                if error.action() == ErrorAction::Reject
                    && let Some(refused) = posts.peek()
                {
                    operation =
                        format!("the database refuses an order of account {}", refused.pending.account);
                }
                self.connector.failures.report(&operation, &error);
                reply_unavailable(posts, error.unavailable());
                None
            }
        }
    }

    /// Posts a batch. Connects first if there is no open session, and once more if its statements are unusable.
    async fn post_batch(
        &mut self,
        orders: &[super::PendingOrder],
        attempts_max: u32,
    ) -> Result<BatchResults, DatabaseError> {
        let is_kept = self.session.is_some();
        match self.post_on_session(orders, attempts_max).await {
            Err(error) if is_kept && error.action() == ErrorAction::Discard => {
                self.post_on_session(orders, attempts_max).await
            }
            posted => posted,
        }
    }

    /// Posts a batch. A session that lost its connection or whose statements are unusable is dropped.
    async fn post_on_session(
        &mut self,
        orders: &[super::PendingOrder],
        attempts_max: u32,
    ) -> Result<BatchResults, DatabaseError> {
        let session = if let Some(session) = self.session.take().filter(PgSession::is_usable) {
            session
        } else {
            let opened = self.connector.open().await;
            self.can_connect = opened.is_ok();
            opened?
        };
        let posted = self.post_with_retry(&session, orders, attempts_max).await;
        let is_good = posted.as_ref().map_or_else(
            |error| !matches!(error.action(), ErrorAction::Reconnect | ErrorAction::Discard),
            |_| true,
        );
        self.session = is_good.then_some(session);
        posted
    }

    /// Posts a batch, with retries after conflicts.
    async fn post_with_retry(
        &self,
        session: &PgSession<BatchStatements>,
        orders: &[super::PendingOrder],
        attempts_max: u32,
    ) -> Result<BatchResults, DatabaseError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let started = Instant::now();
            let posted = batch::post(session, orders, self.totals_part);
            let error = match timeout(BATCH_TIMEOUT, posted).await.unwrap_or(Err(DatabaseError::Timeout)) {
                Ok(answers) => {
                    self.metrics.count_commit(orders.len(), started.elapsed());
                    return Ok(answers);
                }
                Err(error) => error,
            };
            self.metrics.count_failure(BatchResult::of(error.action(), attempts < ATTEMPTS_MAX));
            if matches!(error.action(), ErrorAction::Reconnect | ErrorAction::Discard) {
                return Err(error);
            }
            timeout(BATCH_TIMEOUT, session.client.batch_execute("ROLLBACK"))
                .await
                .map_err(|_| DatabaseError::Timeout)??;
            if error.action() != ErrorAction::Retry || attempts == attempts_max {
                return Err(error);
            }
            let message = error.message();
            tracing::debug!("a batch conflicted with another transaction and is retried: {message}");
            sleep(backoff(attempts, self.randomness)).await;
        }
    }

    /// Reconnects in a loop; meanwhile it fails queued orders with `Unreachable`.
    async fn reconnect(&mut self, queue: &mut mpsc::Receiver<WriterMessage>) -> LoopControl {
        self.unreachable.store(true, Ordering::Relaxed);
        loop {
            let connector = self.connector.clone();
            let attempt = async move {
                sleep(RECONNECT_DELAY).await;
                connector.open().await
            };
            tokio::select! {
                () = refuse_until_closed(queue) => return LoopControl::Stop,
                opened = attempt => match opened {
                    Ok(session) => {
                        self.session = Some(session);
                        self.can_connect = true;
                        self.unreachable.store(false, Ordering::Relaxed);
                        return LoopControl::Continue;
                    }
                    Err(error) => self.connector.failures.report("connecting failed", &error),
                },
            }
        }
    }
}

/// Fails requests with `Unreachable` until the queue is closed.
async fn refuse_until_closed(queue: &mut mpsc::Receiver<WriterMessage>) {
    while let Some(request) = queue.recv().await {
        match request {
            WriterMessage::Post(post) => {
                let _ = post.reply.send(Err(Unavailable::Unreachable.into()));
            }
            WriterMessage::Batch(_, answer) => drop(answer.send(Err(Unavailable::Unreachable))),
            WriterMessage::Close(done) => {
                queue.close();
                let _ = done.send(());
                return;
            }
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

fn reply_unavailable(posts: impl IntoIterator<Item = PostRequest>, unavailable: Unavailable) {
    for post in posts {
        let _ = post.reply.send(Err(unavailable.into()));
    }
}

/// Random backoff after attempt `attempts`: below 2 ms, then 4, 8 … 128 ms, so that colliding batches draw apart.
fn backoff(attempts: u32, randomness: FillRandom) -> Duration {
    Duration::from_micros(random_u64(randomness) % (1000 << attempts.min(7)))
}

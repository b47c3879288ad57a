//! A lane: a task that takes what has queued up, posts it as a batch, and answers.
//!
//! What the database refuses because somebody else was at the same rows is tried again, so often and no oftener.
//! A connection that is lost takes what became of its batch with it: its callers are told that the bank cannot say,
//! and repeating their orders tells. While there is no connection, orders are answered at once and not queued, and
//! one connection after the other is tried until one stands.

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
use crate::random::random;
use crate::session::PgSession;
use crate::url::PostgresUrl;

/// The most orders of one batch. Its rows are locked until it commits, so that larger ones make others wait longer,
/// and past some hundred orders a round trip and a sync cost each of them next to nothing.
const BATCH_ORDERS_MAX: usize = 1024;

/// How often a batch is tried. Each time another got through, and what it did is seen the next time.
const ATTEMPTS_MAX: u32 = 10;

/// How long a transaction may take: longer than a caller waits, so that a database that is slow for a moment goes on
/// where it was, and shorter than a lane may be useless.
const BATCH_TIMEOUT: Duration = Duration::from_secs(4);

/// How long to wait between two attempts to connect.
const RECONNECT_DELAY: Duration = Duration::from_millis(100);

/// The state of a lane.
pub(super) struct BatchWriter {
    url: PostgresUrl,
    session: Option<PgSession<BatchStatements>>,
    unreachable: Arc<AtomicBool>,
    /// Whether the last attempt to connect did not fail.
    can_connect: bool,
    totals_part: i16,
}

/// Whether there is more to do.
#[derive(PartialEq, Eq)]
enum LoopControl {
    Continue,
    Stop,
}

impl BatchWriter {
    pub(super) fn new(
        url: PostgresUrl,
        session: PgSession<BatchStatements>,
        away: Arc<AtomicBool>,
        sums_part: i16,
    ) -> Self {
        Self { url, session: Some(session), unreachable: away, can_connect: true, totals_part: sums_part }
    }

    /// Serves `queue` until it is closed or says to close.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<WriterMessage>) {
        let mut requests = Vec::with_capacity(BATCH_ORDERS_MAX);
        let (mut batches, mut shutdown) = (Vec::new(), None);
        while shutdown.is_none() && gather(&mut queue, &mut requests).await {
            let mut posts = Vec::with_capacity(requests.len());
            for request in requests.drain(..) {
                match request {
                    // Whoever gave up waiting repeats the order, and was told that nobody can say.
                    WriterMessage::Post(post) if post.reply.is_closed() => {}
                    WriterMessage::Post(post) => posts.push(post),
                    WriterMessage::Batch(asked, answer) => batches.push((asked, answer)),
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
        // What came after the end is told so by its dropped answers.
        drop((self, queue));
        if let Some(done) = shutdown {
            let _ = done.send(());
        }
    }

    /// Posts a batch and answers it.
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
                    // Who asked may have gone; the order stands all the same.
                    let _ = to.send(answer);
                }
            }
            Err(unavailable) => reply_unavailable(replies, unavailable),
        }
        if self.can_connect { LoopControl::Continue } else { self.reconnect(queue).await }
    }

    /// Posts a batch: what became of each of its orders, or why nobody can say.
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
        let results = self.post_with_retry(&session, orders).await.map_err(|trouble| {
            trouble.log("a batch of orders was not posted, or nobody knows");
            (trouble.action(), trouble.unavailable())
        });
        match results {
            Err((ErrorAction::Reconnect, unavailable)) => Err(unavailable),
            answers => {
                self.session = Some(session);
                answers.map_err(|(_, unavailable)| unavailable)
            }
        }
    }

    /// Posts a batch, again if somebody else was at the same rows.
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
                Err(trouble) => trouble,
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
            error.log("a batch met another's and is tried again");
            sleep(backoff(attempts)).await;
        }
    }

    /// Connects, as often as it takes, and answers meanwhile that there is no database.
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
                tracing::info!("connected to the database again");
                self.session = Some(session);
                self.unreachable.store(false, Ordering::Relaxed);
                return LoopControl::Continue;
            }
            sleep(RECONNECT_DELAY).await;
        }
    }
}

/// Takes what has queued up, once there is something; whether there was.
///
/// Those who were answered just now are about to ask again. They are let go first, for as long as more come: a larger
/// batch costs each of its orders less, and where nobody else wants to run, giving way takes no time.
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

/// How long to wait before try `tries + 1`: up to 2 ms, then 4, 8 …, never the same for two who met.
fn backoff(attempts: u32) -> Duration {
    Duration::from_micros(random() % (1000 << attempts.min(7)))
}

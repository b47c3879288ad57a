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

use super::batch::{self, Statements};
use super::{Answers, Post, Request};
use crate::error::{Remedy, Trouble};
use crate::random::random;
use crate::session::Session;
use crate::url::PostgresUrl;

/// The most orders of one batch. Its rows are locked until it commits, so that larger ones make others wait longer,
/// and past some hundred orders a round trip and a sync cost each of them next to nothing.
const BATCH_ORDERS_MAX: usize = 1024;

/// How often a batch is tried. Each time another got through, and what it did is seen the next time.
const TRIES: u32 = 10;

/// How long a transaction may take: longer than a caller waits, so that a database that is slow for a moment goes on
/// where it was, and shorter than a lane may be useless.
const BATCH_WITHIN: Duration = Duration::from_secs(4);

/// How long to wait between two attempts to connect.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

/// The state of a lane.
pub(super) struct Lane {
    url: PostgresUrl,
    session: Option<Session<Statements>>,
    away: Arc<AtomicBool>,
    /// Whether the last attempt to connect did not fail.
    connects: bool,
    sums_part: i16,
}

/// Whether there is more to do.
#[derive(PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl Lane {
    pub(super) fn new(
        url: PostgresUrl,
        session: Session<Statements>,
        away: Arc<AtomicBool>,
        sums_part: i16,
    ) -> Self {
        Self { url, session: Some(session), away, connects: true, sums_part }
    }

    /// Serves `queue` until it is closed or says to close.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut requests = Vec::with_capacity(BATCH_ORDERS_MAX);
        let (mut together, mut end) = (Vec::new(), None);
        while end.is_none() && gather(&mut queue, &mut requests).await {
            let mut posts = Vec::with_capacity(requests.len());
            for request in requests.drain(..) {
                match request {
                    // Whoever gave up waiting repeats the order, and was told that nobody can say.
                    Request::Post(post) if post.answer.is_closed() => {}
                    Request::Post(post) => posts.push(post),
                    Request::Together(asked, answer) => together.push((asked, answer)),
                    Request::Close(done) => {
                        queue.close();
                        end = Some(done);
                    }
                }
            }
            for (asked, answer) in together.drain(..) {
                let answers = self.answer(&asked).await;
                let _ = answer.send(answers);
            }
            if self.post(posts, &mut queue).await == Then::End {
                break;
            }
        }
        // What came after the end is told so by its dropped answers.
        drop((self, queue));
        if let Some(done) = end {
            let _ = done.send(());
        }
    }

    /// Posts a batch and answers it.
    async fn post(&mut self, posts: Vec<Post>, queue: &mut mpsc::Receiver<Request>) -> Then {
        if posts.is_empty() {
            return Then::GoOn;
        }
        let (asked, waiting): (Vec<_>, Vec<_>) =
            posts.into_iter().map(|post| (post.asked, post.answer)).unzip();
        match self.answer(&asked).await {
            Ok(answers) => {
                for (to, answer) in waiting.into_iter().zip(answers) {
                    // Who asked may have gone; the order stands all the same.
                    let _ = to.send(answer);
                }
            }
            Err(unavailable) => send_all(waiting, unavailable),
        }
        if self.connects { Then::GoOn } else { self.reconnect(queue).await }
    }

    /// Posts a batch: what became of each of its orders, or why nobody can say.
    async fn answer(&mut self, asked: &[super::Asked]) -> Result<Answers, Unavailable> {
        let session = match self.session.take().filter(|session| !session.is_lost()) {
            Some(session) => session,
            None => match Session::open(&self.url).await {
                Ok(session) => session,
                Err(trouble) => {
                    trouble.log("connecting to the database failed");
                    self.connects = false;
                    return Err(Unavailable::Unreachable);
                }
            },
        };
        self.connects = true;
        let answers = self.try_again_and_again(&session, asked).await.map_err(|trouble| {
            trouble.log("a batch of orders was not posted, or nobody knows");
            (trouble.remedy(), trouble.unavailable())
        });
        match answers {
            Err((Remedy::Reconnect, unavailable)) => Err(unavailable),
            answers => {
                self.session = Some(session);
                answers.map_err(|(_, unavailable)| unavailable)
            }
        }
    }

    /// Posts a batch, again if somebody else was at the same rows.
    async fn try_again_and_again(
        &self,
        session: &Session<Statements>,
        asked: &[super::Asked],
    ) -> Result<Answers, Trouble> {
        let mut tries = 0;
        loop {
            tries += 1;
            let posted = batch::post(session, asked, self.sums_part);
            let trouble = match timeout(BATCH_WITHIN, posted).await.unwrap_or(Err(Trouble::Late)) {
                Ok(answers) => return Ok(answers),
                Err(trouble) => trouble,
            };
            if trouble.remedy() == Remedy::Reconnect {
                return Err(trouble);
            }
            timeout(BATCH_WITHIN, session.client.batch_execute("ROLLBACK"))
                .await
                .map_err(|_| Trouble::Late)??;
            if trouble.remedy() != Remedy::Again || tries == TRIES {
                return Err(trouble);
            }
            trouble.log("a batch met another's and is tried again");
            sleep(jitter(tries)).await;
        }
    }

    /// Connects, as often as it takes, and answers meanwhile that there is no database.
    async fn reconnect(&mut self, queue: &mut mpsc::Receiver<Request>) -> Then {
        self.away.store(true, Ordering::Relaxed);
        loop {
            while let Ok(request) = queue.try_recv() {
                match request {
                    Request::Post(post) => send_all(vec![post.answer], Unavailable::Unreachable),
                    Request::Together(_, answer) => drop(answer.send(Err(Unavailable::Unreachable))),
                    Request::Close(done) => {
                        queue.close();
                        let _ = done.send(());
                        return Then::End;
                    }
                }
            }
            if queue.is_closed() {
                return Then::End;
            }
            if let Ok(session) = Session::open(&self.url).await {
                tracing::info!("connected to the database again");
                self.session = Some(session);
                self.away.store(false, Ordering::Relaxed);
                return Then::GoOn;
            }
            sleep(RECONNECT_AFTER).await;
        }
    }
}

/// Takes what has queued up, once there is something; whether there was.
///
/// Those who were answered just now are about to ask again. They are let go first, for as long as more come: a larger
/// batch costs each of its orders less, and where nobody else wants to run, giving way takes no time.
async fn gather(queue: &mut mpsc::Receiver<Request>, requests: &mut Vec<Request>) -> bool {
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

fn send_all(waiting: Vec<oneshot::Sender<Result<Posted, PostError>>>, unavailable: Unavailable) {
    for to in waiting {
        let _ = to.send(Err(unavailable.into()));
    }
}

/// How long to wait before try `tries + 1`: up to 2 ms, then 4, 8 …, never the same for two who met.
fn jitter(tries: u32) -> Duration {
    Duration::from_micros(random() % (1000 << tries.min(7)))
}

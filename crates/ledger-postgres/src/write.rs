//! Lanes: how a node posts orders. Each gathers what queues up, and posts it in one transaction over a connection of
//! its own; while that is on its way, the next batch gathers.
//!
//! An account's orders all go through one lane of a node, so that two lanes never wait for each other's accounts.
//! Between nodes, and for bill numbers between lanes, the database decides: `batch` says how.
//! Read next: `lanes/lane.rs`, the gathering and what becomes of trouble; `lanes/batch.rs`, the transaction;
//! `lanes/draft.rs`, the deciding.

pub(crate) mod batch;
mod state;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pactolus_ledger::{Order, PostError, Posted, Unavailable};
use pactolus_types::UnixMillis;
use tokio::sync::{mpsc, oneshot};

use crate::PostgresSettings;
use crate::error::DatabaseError;
use crate::id::{AccountId, BillId, PARTITIONS};
use crate::random::random;
use crate::session::PgSession;
use crate::url::PostgresUrl;

/// An order to decide, and the ids of its names.
pub(crate) struct PendingOrder {
    /// Boxed, because it moves through a queue.
    pub(crate) order: Box<Order>,
    pub(crate) account: AccountId,
    pub(crate) bill: BillId,
    pub(crate) now: UnixMillis,
}

impl PendingOrder {
    pub(crate) fn new(order: Order, now: UnixMillis) -> Self {
        let (account, bill) = (AccountId::derive(&order.account), BillId::derive(&order.bill()));
        Self { order: Box::new(order), account, bill, now }
    }
}

/// An order, and who waits for the answer.
struct PostRequest {
    pending: PendingOrder,
    reply: oneshot::Sender<Result<Posted, PostError>>,
}

/// What became of the orders of a batch.
pub(crate) type BatchResults = Vec<Result<Posted, PostError>>;

/// What a lane is asked.
enum WriterMessage {
    Post(PostRequest),
    /// Orders that are one batch.
    Batch(Vec<PendingOrder>, oneshot::Sender<Result<BatchResults, Unavailable>>),
    /// Finish what came before this, and end.
    Close(oneshot::Sender<()>),
}

/// The lanes of a node.
pub(crate) struct WriterPool(Vec<WriterHandle>);

struct WriterHandle {
    queue: mpsc::Sender<WriterMessage>,
    unreachable: Arc<AtomicBool>,
}

impl WriterPool {
    /// Opens the lanes, each with its connection.
    pub(crate) async fn open(url: &PostgresUrl, settings: &PostgresSettings) -> Result<Self, DatabaseError> {
        // Sums are written to rows of a lane's own, or hardly any other's: the row is locked until the commit.
        let first_part = i16::try_from(random() % 256).unwrap_or(0);
        let mut lanes = Vec::with_capacity(settings.write_connections.get());
        for number in 0..settings.write_connections.get() {
            let session = PgSession::open(url).await?;
            let (queue, requests) =
                mpsc::channel(settings.queue_orders_max.div_ceil(settings.write_connections.get()));
            let away = Arc::new(AtomicBool::new(false));
            let totals_part = (first_part + i16::try_from(number).unwrap_or(0)) % PARTITIONS;
            let lane = writer::BatchWriter::new(url.clone(), session, Arc::clone(&away), totals_part);
            tokio::spawn(lane.run(requests));
            lanes.push(WriterHandle { queue, unreachable: away });
        }
        Ok(Self(lanes))
    }

    /// Posts an order, and waits for its answer.
    pub(crate) async fn post(&self, order: Order, now: UnixMillis) -> Result<Posted, PostError> {
        let pending = PendingOrder::new(order, now);
        let lane = &self.0[usize::from(pending.account.part().unsigned_abs()) % self.0.len()];
        // A caller who is told at once can do something else; a queue that nobody empties would only fill up.
        if lane.unreachable.load(Ordering::Relaxed) {
            return Err(Unavailable::Unreachable.into());
        }
        let (reply, result) = oneshot::channel();
        let request = WriterMessage::Post(PostRequest { pending, reply });
        lane.queue.send(request).await.map_err(|_| Unavailable::Closed)?;
        result.await.map_err(|_| Unavailable::Closed)?
    }

    /// Posts orders in one transaction, one after the other, all of them or none.
    pub(crate) async fn post_batch(&self, orders: Vec<PendingOrder>) -> Result<BatchResults, Unavailable> {
        let (reply, result) = oneshot::channel();
        let request = WriterMessage::Batch(orders, reply);
        self.0[0].queue.send(request).await.map_err(|_| Unavailable::Closed)?;
        result.await.map_err(|_| Unavailable::Closed)?
    }

    /// Whether orders can be posted, as far as the lanes have noticed.
    pub(crate) fn check(&self) -> Result<(), Unavailable> {
        if self.0.iter().any(|lane| lane.queue.is_closed()) {
            return Err(Unavailable::Closed);
        }
        if self.0.iter().any(|lane| lane.unreachable.load(Ordering::Relaxed)) {
            return Err(Unavailable::Unreachable);
        }
        Ok(())
    }

    /// Takes no more orders, and waits until those that were taken are answered.
    pub(crate) async fn close(&self) {
        let mut ends = Vec::new();
        for lane in &self.0 {
            let (done, drained) = oneshot::channel();
            // An error says that it ended already.
            if lane.queue.send(WriterMessage::Close(done)).await.is_ok() {
                ends.push(drained);
            }
        }
        for ended in ends {
            let _ = ended.await;
        }
    }
}

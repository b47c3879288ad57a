//! Write path of a node: a pool of writers. Each writer posts a batch of queued orders in one transaction on its own
//! connection; the next batch gathers while that transaction is in flight.
//!
//! Invariant: all orders of an account go through one writer of a node, so two writers never contend for an account.
//! Between nodes, and for bill numbers between writers, the database decides (`batch`).
//! Read next: `write/writer.rs`, gathering and error handling; `write/batch.rs`, the transaction;
//! `write/state.rs`, the decisions.

pub(crate) mod batch;
pub(crate) mod bills;
mod state;
mod totals;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pactolus_ledger::metrics::EngineSample;
use pactolus_ledger::{Order, PostError, Posted, Unavailable};
use pactolus_types::UnixMillis;
use tokio::sync::{mpsc, oneshot};

use crate::PostgresSettings;
use crate::error::DatabaseError;
use crate::id::{AccountId, BillId, PARTITIONS};
use crate::metrics::{NodeMetrics, PoolState};
use crate::random::random_u64;
use crate::session::Connector;

/// An order to decide, with the ids of its account and bill number.
pub(crate) struct PendingOrder {
    /// Boxed to keep queue entries small.
    pub(crate) order: Box<Order>,
    pub(crate) account: AccountId,
    pub(crate) bill: BillId,
    /// For a refund, the bill number of its pay.
    pub(crate) pay: Option<BillId>,
    pub(crate) now: UnixMillis,
}

impl PendingOrder {
    pub(crate) fn new(order: Order, now: UnixMillis) -> Self {
        let (account, bill) = (AccountId::derive(&order.account), BillId::derive(&order.bill()));
        let pay = order.pay_bill().map(|pay| BillId::derive(&pay));
        Self { order: Box::new(order), account, bill, pay, now }
    }
}

/// An order with its reply channel.
struct PostRequest {
    pending: PendingOrder,
    reply: oneshot::Sender<Result<Posted, PostError>>,
}

/// One result for each order of a batch.
pub(crate) type BatchResults = Vec<Result<Posted, PostError>>;

enum WriterMessage {
    Post(PostRequest),
    /// Orders to post in one transaction.
    Batch(Vec<PendingOrder>, oneshot::Sender<Result<BatchResults, Unavailable>>),
    /// Finish everything queued before this, then stop.
    Close(oneshot::Sender<()>),
}

/// The writers of a node.
pub(crate) struct WriterPool(Vec<WriterHandle>, Arc<NodeMetrics>);

struct WriterHandle {
    queue: mpsc::Sender<WriterMessage>,
    unreachable: Arc<AtomicBool>,
}

impl WriterPool {
    /// Opens the writers, each with its own connection.
    pub(crate) async fn open(
        connector: &Connector,
        settings: &PostgresSettings,
    ) -> Result<Self, DatabaseError> {
        // A row of totals is locked until the commit, so each writer has a totals partition of its own. The random
        // start makes an overlap with another node unlikely.
        let first_part = i16::try_from(random_u64(settings.randomness) % 256).unwrap_or(0);
        let metrics = Arc::new(NodeMetrics::new());
        let mut writers = Vec::with_capacity(settings.write_connections.get());
        for number in 0..settings.write_connections.get() {
            let session = connector.open().await?;
            let (queue, requests) =
                mpsc::channel(settings.queue_orders_max.div_ceil(settings.write_connections.get()));
            let unreachable = Arc::new(AtomicBool::new(false));
            let totals_part = (first_part + i16::try_from(number).unwrap_or(0)) % PARTITIONS;
            let writer = writer::BatchWriter::new(
                connector.clone(),
                session,
                Arc::clone(&unreachable),
                totals_part,
                settings.randomness,
                Arc::clone(&metrics),
            );
            tokio::spawn(writer.run(requests));
            writers.push(WriterHandle { queue, unreachable });
        }
        Ok(Self(writers, metrics))
    }

    pub(crate) async fn post(&self, order: Order, now: UnixMillis) -> Result<Posted, PostError> {
        let pending = PendingOrder::new(order, now);
        let writer = &self.0[self.writer_of(&pending)];
        // Fail fast: the caller can do something else, and a queue without a consumer would only fill up.
        if writer.unreachable.load(Ordering::Relaxed) {
            return Err(Unavailable::Unreachable.into());
        }
        let (reply, result) = oneshot::channel();
        let request = WriterMessage::Post(PostRequest { pending, reply });
        writer.queue.send(request).await.map_err(|_| Unavailable::Closed)?;
        result.await.map_err(|_| Unavailable::Closed)?
    }

    /// Posts orders, those of one account in sequence, in one transaction for each writer. After an error some may be
    /// posted.
    pub(crate) async fn post_batches(&self, orders: Vec<PendingOrder>) -> Result<BatchResults, Unavailable> {
        let mut results: Vec<_> = orders.iter().map(|_| None).collect();
        let mut batches: Vec<(Vec<usize>, Vec<PendingOrder>)> =
            self.0.iter().map(|_| <_>::default()).collect();
        for (at, order) in orders.into_iter().enumerate() {
            let batch = &mut batches[self.writer_of(&order)];
            batch.0.push(at);
            batch.1.push(order);
        }
        // All are queued before the first is awaited, so the writers work at the same time.
        let mut replies = Vec::with_capacity(batches.len());
        for (writer, (places, orders)) in self.0.iter().zip(batches) {
            if orders.is_empty() {
                continue;
            }
            let (reply, result) = oneshot::channel();
            writer.queue.send(WriterMessage::Batch(orders, reply)).await.map_err(|_| Unavailable::Closed)?;
            replies.push((places, result));
        }
        for (places, result) in replies {
            let posted = result.await.map_err(|_| Unavailable::Closed)??;
            for (at, posted) in places.into_iter().zip(posted) {
                results[at] = Some(posted);
            }
        }
        Ok(results.into_iter().flatten().collect())
    }

    /// Number of writers.
    pub(crate) fn writers(&self) -> usize {
        self.0.len()
    }

    /// All orders of an account go through one writer.
    fn writer_of(&self, order: &PendingOrder) -> usize {
        usize::from(order.account.part().unsigned_abs()) % self.0.len()
    }

    /// Health check from the last known state of the writers, without a query.
    pub(crate) fn check(&self) -> Result<(), Unavailable> {
        if self.0.iter().any(|writer| writer.queue.is_closed()) {
            return Err(Unavailable::Closed);
        }
        if self.0.iter().any(|lane| lane.unreachable.load(Ordering::Relaxed)) {
            return Err(Unavailable::Unreachable);
        }
        Ok(())
    }

    /// What monitoring shows of the writers.
    pub(crate) fn samples(&self) -> Vec<EngineSample> {
        let queues = || self.0.iter().map(|writer| &writer.queue);
        self.1.samples(PoolState {
            queued: queues().map(|queue| queue.max_capacity() - queue.capacity()).sum(),
            queue_max: queues().map(mpsc::Sender::max_capacity).sum(),
            connections: self.0.iter().filter(|writer| !writer.unreachable.load(Ordering::Relaxed)).count(),
            connections_max: self.0.len(),
        })
    }

    /// Graceful shutdown: accepts no more orders, and waits until the accepted ones are answered.
    pub(crate) async fn close(&self) {
        let mut drains = Vec::new();
        for writer in &self.0 {
            let (done, drained) = oneshot::channel();
            // A send error means that the writer has already stopped.
            if writer.queue.send(WriterMessage::Close(done)).await.is_ok() {
                drains.push(drained);
            }
        }
        for ended in drains {
            let _ = ended.await;
        }
    }
}

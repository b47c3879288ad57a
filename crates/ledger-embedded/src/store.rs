//! An open store: the path of a request up to the queue, and the `Ledger` and `Records` of this engine.

use std::path::Path;
use std::sync::Arc;

use pactolus_ledger::metrics::EngineSample;
use pactolus_ledger::{
    Account, AccountKey, Audit, BillEntry, BillKey, BoxFuture, Cursor, Decision, HistoryDigest, Ledger,
    Order, Periods, PostError, Posted, PutOutcome, Receipt, RecordAccess, RecordChange, RecordKey, Records,
    StatementPage, Total, Unavailable, decide,
};
use pactolus_types::{AppId, Environment, UnixMillis};
use tokio::sync::oneshot;

use crate::background::supervisor::SupervisedThread;
use crate::disk::Disk;
use crate::disk::space::{DiskSpace, SpaceMonitor};
use crate::error::OpenError;
use crate::health::Health;
use crate::lock::StoreLock;
use crate::records::RecordStore;
use crate::settings::EmbeddedSettings;
use crate::state::{LookupError, StoreState};
use crate::write::queue::{self, BatchQueue};
use crate::write::request::{DecideOutcome, PostRequest, PostResult, WriteRequest};
use crate::{audit, recovery, samples};

/// An embedded store, open in this process alone.
///
/// Dropping it closes it.
pub struct EmbeddedStore {
    pub(crate) state: Arc<StoreState>,
    pub(crate) records: RecordStore,
    queue: BatchQueue<WriteRequest>,
    writer: SupervisedThread,
    _space_monitor: SpaceMonitor,
    /// Released last.
    _lock: StoreLock,
}

impl EmbeddedStore {
    /// Opens the store in `folder`, or creates it.
    pub fn open(folder: &Path, settings: &EmbeddedSettings) -> Result<Self, OpenError> {
        Self::open_with_disk(Arc::new(crate::disk::RealDisk), folder, settings)
            .map_err(|error| error.or_resource_limit(folder))
    }

    fn open_with_disk(
        disk: Arc<dyn Disk>,
        folder: &Path,
        settings: &EmbeddedSettings,
    ) -> Result<Self, OpenError> {
        let lock = StoreLock::take(folder)?;
        let health = Arc::new(Health::new(folder));
        let space = Arc::new(DiskSpace::new(disk, folder, settings));
        let records = RecordStore::open(&folder.join("records"), Arc::clone(&space), Arc::clone(&health))?;
        let (state, writer) = recovery::open(folder, settings, Arc::clone(&space), Arc::clone(&health))?;
        let (queue, requests) = queue::batch_queue(settings.queue_orders_max);
        let writer = SupervisedThread::spawn("pactolus-writer", &health, move || writer.run(requests))?;
        let space_monitor = SpaceMonitor::start(space, &health)?;
        Ok(Self { state, records, queue, writer, _space_monitor: space_monitor, _lock: lock })
    }

    /// Flushes the memtable, so that the views reach the end of the journal.
    pub async fn flush_all(&self) -> Result<(), Unavailable> {
        self.submit(WriteRequest::FlushAll).await?;
        self.state.check()?;
        match (self.state.space.is_full(), self.state.space.flush_stalled()) {
            (true, true) => Err(Unavailable::DiskFull),
            (false, true) => Err(Unavailable::Busy),
            (_, false) => Ok(()),
        }
    }

    /// Audits the books, and proves that their history begins with `since`, the digest of an earlier audit, a backup
    /// or [`crate::backup::digest`].
    pub fn audit_since(&self, since: Option<HistoryDigest>) -> BoxFuture<'_, Result<Audit, Unavailable>> {
        Box::pin(self.run_in_thread(move |state| {
            audit::audit(state, since).map_err(|error| {
                tracing::error!("the audit cannot go on: {error}");
                Unavailable::Failed
            })
        }))
    }

    /// Looks up everything that the writer needs for an order. The outcome arrives on the channel returned.
    pub(crate) fn prepare_post(
        &self,
        order: Box<Order>,
        now: UnixMillis,
    ) -> Result<(PostRequest, oneshot::Receiver<PostResult>), Unavailable> {
        let keys = self.state.order_keys(&order);
        let lookup = self.read_or_refuse(self.state.look_up(&order.account, keys))?;
        let earlier = lookup.bill.map(|last| self.state.bill_entry_at(&order.bill(), last)).transpose();
        let earlier = self.read_or_refuse(earlier)?.map(Box::new);
        let (reply_to, answered) = oneshot::channel();
        Ok((PostRequest { order, keys, lookup, earlier, now, reply_to }, answered))
    }

    async fn submit(
        &self,
        request: impl FnOnce(oneshot::Sender<()>) -> WriteRequest,
    ) -> Result<(), Unavailable> {
        let (done, answered) = oneshot::channel();
        self.queue(request(done)).await?;
        answered.await.map_err(|_| self.queue_error())
    }

    /// Queues a request for the writer.
    pub(crate) async fn queue(&self, request: WriteRequest) -> Result<(), Unavailable> {
        self.queue.send(request).await.map_err(|_| self.queue_error())
    }

    /// Why the writer does not answer: it has failed, or the store is closed.
    pub(crate) fn queue_error(&self) -> Unavailable {
        self.state.check().err().unwrap_or(Unavailable::Closed)
    }

    /// Refuses a request whose read failed, and nothing else.
    pub(crate) fn read_or_refuse<T>(&self, read: Result<T, LookupError>) -> Result<T, Unavailable> {
        read.map_err(|error| self.state.refuse(&error))
    }

    /// Runs long work in a thread of its own.
    async fn run_in_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StoreState) -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let state = Arc::clone(&self.state);
        let (done, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name("pactolus-read".into())
            .spawn(move || done.send(work(&state)).is_ok())
            .map_err(|_| Unavailable::Busy)?;
        answered.await.map_err(|_| Unavailable::Failed)?
    }
}

/// Answers an order while the disk is full: with its receipt if it is an idempotent replay, else `DiskFull`. It gives no
/// refusal, because only the writer knows all decided orders.
fn replay_only(post: &PostRequest) -> Result<Posted, PostError> {
    let account = post.lookup.account.map_or_else(Account::default, |row| row.account);
    match decide(&account, post.earlier.as_deref(), &post.order, post.now) {
        Ok(Decision::Replay(receipt)) => Ok(Posted::Replayed { receipt: receipt.clone(), account }),
        Ok(Decision::Apply(_)) | Err(_) => Err(Unavailable::DiskFull.into()),
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.writer.expect_end();
        // Without a sender the writer drains its queue and ends.
        self.queue = queue::batch_queue(1).0;
        self.writer.join();
    }
}

impl Ledger for EmbeddedStore {
    fn post(&self, order: Order, now: UnixMillis) -> BoxFuture<'_, Result<Posted, PostError>> {
        // Boxed first, so that the future is small and the order is moved once.
        let order = Box::new(order);
        Box::pin(async move {
            self.state.check()?;
            let (post, answered) = self.prepare_post(order, now)?;
            if self.state.space.is_full() {
                return replay_only(&post);
            }
            self.queue(WriteRequest::Post(post)).await?;
            let (order, outcome) = answered.await.map_err(|_| self.queue_error())??;
            Ok(match outcome {
                DecideOutcome::Applied(change) => Posted::Applied(Receipt::new(*order, change)),
                DecideOutcome::Replayed(receipt, account) => Posted::Replayed { receipt: *receipt, account },
            })
        })
    }

    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>> {
        Box::pin(async move { self.read_or_refuse(self.state.account(&key)) })
    }

    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>> {
        Box::pin(async move { self.read_or_refuse(self.state.bill_entry(&bill)) })
    }

    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>> {
        Box::pin(async move { self.read_or_refuse(self.state.statement(&key, after, limit)) })
    }

    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        periods: Periods,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>> {
        Box::pin(self.run_in_thread(move |state| {
            state.totals(app, environment, &periods).map_err(|error| state.refuse(&error))
        }))
    }

    fn audit(&self) -> BoxFuture<'_, Result<Audit, Unavailable>> {
        self.audit_since(None)
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            self.state.check()?;
            if self.queue.is_closed() {
                return Err(Unavailable::Closed);
            }
            if self.state.space.is_full() {
                return Err(Unavailable::DiskFull);
            }
            self.state.health.check_records()
        })
    }

    fn damage(&self) -> Option<String> {
        self.state.health.damage()
    }

    fn samples(&self) -> Vec<EngineSample> {
        samples::of_store(&self.state, self.queue.len(), self.queue.capacity())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.writer.expect_end();
            // An error means that the store is closed already.
            let _ = self.submit(WriteRequest::Close).await;
        })
    }
}

impl Records for EmbeddedStore {
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>> {
        self.records.get(key)
    }

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>> {
        self.records.put(changes)
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        self.records.sweep(now)
    }

    fn access(&self) -> RecordAccess {
        self.records.access()
    }
}

#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;

//! An open store: the path of a request up to the queue, and the `Ledger` and `Records` of this engine.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use pactolus_ledger::{
    Account, AccountKey, Audit, BillEntry, BillKey, BoxFuture, Cursor, Decision, HistoryDigest, Ledger,
    Order, PostError, Posted, PutOutcome, Receipt, RecordAccess, RecordChange, RecordKey, Records,
    StatementPage, Total, Unavailable, decide,
};
use pactolus_types::{AppId, Day, Environment, UnixMillis};
use tokio::sync::oneshot;

use crate::disk::Disk;
use crate::disk::space::{DiskSpace, SpaceMonitor};
use crate::error::OpenError;
use crate::records::RecordStore;
use crate::settings::EmbeddedSettings;
use crate::state::{Lookup, LookupError, StoreState};
use crate::write::queue::{self, BatchQueue};
use crate::write::request::{DecideOutcome, PostRequest, WriteRequest};
use crate::{audit, format, recovery};

/// An embedded store, open in this process alone.
///
/// Dropping it closes it.
pub struct EmbeddedStore {
    pub(crate) state: Arc<StoreState>,
    pub(crate) records: RecordStore,
    queue: BatchQueue<WriteRequest>,
    writer: Option<JoinHandle<()>>,
    _space_monitor: SpaceMonitor,
    /// Released last.
    _lock: File,
}

impl EmbeddedStore {
    /// Opens the store in `folder`, or creates it.
    pub fn open(folder: &Path, settings: &EmbeddedSettings) -> Result<Self, OpenError> {
        Self::open_with_disk(Arc::new(crate::disk::RealDisk), folder, settings)
            .map_err(|error| error.or_disk_full(folder))
    }

    fn open_with_disk(
        disk: Arc<dyn Disk>,
        folder: &Path,
        settings: &EmbeddedSettings,
    ) -> Result<Self, OpenError> {
        let lock = format::lock_folder(folder)?;
        let space = Arc::new(DiskSpace::new(disk, folder, settings));
        let records = RecordStore::open(&folder.join("records"), Arc::clone(&space))?;
        let (state, writer) = recovery::open(folder, settings, Arc::clone(&space))?;
        let (queue, requests) = queue::batch_queue(settings.queue_orders_max);
        let thread = std::thread::Builder::new().name("pactolus-writer".into());
        let writer = thread.spawn(move || writer.run(requests))?;
        let space_monitor = SpaceMonitor::start(space)?;
        Ok(Self { state, records, queue, writer: Some(writer), _space_monitor: space_monitor, _lock: lock })
    }

    /// Flushes the memtable, so that the views reach the end of the journal.
    pub async fn flush_all(&self) -> Result<(), Unavailable> {
        self.submit(WriteRequest::FlushAll).await?;
        self.state.check()?;
        if self.state.space.flush_stalled() { Err(Unavailable::DiskFull) } else { Ok(()) }
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

    /// Answers an order while the disk is full: with its receipt if it is an idempotent replay, else `DiskFull`. It
    /// gives no refusal, because only the writer knows all decided orders.
    fn replay_only(&self, order: &Order, lookup: &Lookup, now: UnixMillis) -> Result<Posted, PostError> {
        let Some(last) = lookup.bill else {
            return Err(Unavailable::DiskFull.into());
        };
        let entry = self.read_or_fail(self.state.bill_entry_at(&order.bill(), last))?;
        let account = lookup.account.map_or_else(Account::default, |row| row.account);
        match decide(&account, Some(&entry), order, now) {
            Ok(Decision::Replay(receipt)) => Ok(Posted::Replayed { receipt: receipt.clone(), account }),
            Ok(Decision::Apply(_)) | Err(_) => Err(Unavailable::DiskFull.into()),
        }
    }

    async fn submit(
        &self,
        request: impl FnOnce(oneshot::Sender<()>) -> WriteRequest,
    ) -> Result<(), Unavailable> {
        let (done, answered) = oneshot::channel();
        self.queue.send(request(done)).await.map_err(|_| Unavailable::Closed)?;
        answered.await.map_err(|_| Unavailable::Closed)
    }

    /// Fails the store if the read failed.
    fn read_or_fail<T>(&self, read: Result<T, LookupError>) -> Result<T, Unavailable> {
        read.map_err(|error| {
            self.state.fail(&error);
            Unavailable::Failed
        })
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

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // Without a sender the writer drains its queue and ends.
        self.queue = queue::batch_queue(1).0;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the writer panicked");
        }
    }
}

impl Ledger for EmbeddedStore {
    fn post(&self, order: Order, now: UnixMillis) -> BoxFuture<'_, Result<Posted, PostError>> {
        // Boxed first, so that the future is small and the order is moved once.
        let order = Box::new(order);
        Box::pin(async move {
            self.state.check()?;
            let keys = self.state.order_keys(&order);
            let lookup = self.read_or_fail(self.state.look_up(&order.account, keys))?;
            if self.state.space.is_full() {
                return self.replay_only(&order, &lookup, now);
            }
            let (answer, answered) = oneshot::channel();
            let request = WriteRequest::Post(PostRequest { order, keys, lookup, now, reply_to: answer });
            self.queue.send(request).await.map_err(|_| Unavailable::Closed)?;
            let (order, outcome) = answered.await.map_err(|_| Unavailable::Closed)??;
            Ok(match outcome {
                DecideOutcome::Applied(change) => Posted::Applied(Receipt::new(*order, change)),
                DecideOutcome::Replayed(receipt, account) => Posted::Replayed { receipt: *receipt, account },
            })
        })
    }

    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>> {
        Box::pin(async move { self.read_or_fail(self.state.account(&key)) })
    }

    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>> {
        Box::pin(async move { self.read_or_fail(self.state.bill_entry(&bill)) })
    }

    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>> {
        Box::pin(async move { self.read_or_fail(self.state.statement(&key, after, limit)) })
    }

    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        from: Day,
        to: Day,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>> {
        Box::pin(self.run_in_thread(move |state| {
            state.totals(app, environment, from, to).map_err(|error| {
                state.fail(&error);
                Unavailable::Failed
            })
        }))
    }

    fn audit(&self) -> BoxFuture<'_, Result<Audit, Unavailable>> {
        self.audit_since(None)
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            if self.queue.is_closed() {
                return Err(Unavailable::Closed);
            }
            self.state.check()?;
            if self.state.space.is_full() { Err(Unavailable::DiskFull) } else { Ok(()) }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
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
mod tests;

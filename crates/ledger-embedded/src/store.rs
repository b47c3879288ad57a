//! A store that is open: what a request does before it queues, and the `Ledger` and `Records` of this engine.

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
use crate::disk::space::{Looker, Room};
use crate::error::OpenError;
use crate::records::RecordStore;
use crate::settings::Settings;
use crate::state::{Books, BooksError, Known};
use crate::write::queue::{self, Queue};
use crate::write::request::{Outcome, Post, Request};
use crate::{audit, format, recovery};

/// A bank in a folder on this machine, open in this process alone.
///
/// Dropping it closes it.
pub struct EmbeddedStore {
    pub(crate) books: Arc<Books>,
    pub(crate) records: RecordStore,
    queue: Queue<Request>,
    writer: Option<JoinHandle<()>>,
    _looker: Looker,
    /// Released last.
    _lock: File,
}

impl EmbeddedStore {
    /// Opens the store in `folder`, or makes it where there is none.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(crate::disk::Real), folder, settings).map_err(|error| error.or_full(folder))
    }

    fn open_on(disk: Arc<dyn Disk>, folder: &Path, settings: &Settings) -> Result<Self, OpenError> {
        let lock = format::hold(folder)?;
        let room = Arc::new(Room::new(disk, folder, settings));
        let records = RecordStore::open(&folder.join("records"), Arc::clone(&room))?;
        let (books, writer) = recovery::open(folder, settings, Arc::clone(&room))?;
        let (queue, requests) = queue::queue(settings.queue_orders_max);
        let thread = std::thread::Builder::new().name("pactolus-writer".into());
        let writer = thread.spawn(move || writer.run(requests))?;
        let looker = Looker::start(room)?;
        Ok(Self { books, records, queue, writer: Some(writer), _looker: looker, _lock: lock })
    }

    /// Brings the views up to the end of the journal.
    pub async fn settle(&self) -> Result<(), Unavailable> {
        self.ask(Request::Settle).await?;
        self.books.check()?;
        if self.books.room.rows_wait() { Err(Unavailable::DiskFull) } else { Ok(()) }
    }

    /// Audits the books, and proves that their history begins with the one that `since` stands for, a digest that an
    /// audit, a backup or [`backup::digest`] told earlier.
    pub fn audit_since(&self, since: Option<HistoryDigest>) -> BoxFuture<'_, Result<Audit, Unavailable>> {
        Box::pin(self.apart(move |books| {
            audit::audit(books, since).map_err(|error| {
                tracing::error!("the audit cannot go on: {error}");
                Unavailable::Failed
            })
        }))
    }

    /// What becomes of an order while there is no room: one that was applied before is a replay, as ever. Nothing else
    /// is said, since only the writer knows what is decided at this moment.
    fn replay(&self, order: &Order, known: &Known, now: UnixMillis) -> Result<Posted, PostError> {
        let Some(last) = known.bill else {
            return Err(Unavailable::DiskFull.into());
        };
        let filed = self.read(self.books.filed_last(&order.bill(), last))?;
        let account = known.account.map_or_else(Account::default, |row| row.account);
        match decide(&account, Some(&filed), order, now) {
            Ok(Decision::Replay(receipt)) => Ok(Posted::Replayed { receipt: receipt.clone(), account }),
            Ok(Decision::Apply(_)) | Err(_) => Err(Unavailable::DiskFull.into()),
        }
    }

    async fn ask(&self, request: impl FnOnce(oneshot::Sender<()>) -> Request) -> Result<(), Unavailable> {
        let (done, answered) = oneshot::channel();
        self.queue.send(request(done)).await.map_err(|_| Unavailable::Closed)?;
        answered.await.map_err(|_| Unavailable::Closed)
    }

    /// Passes on what was read; what cannot be read fails the store.
    fn read<T>(&self, read: Result<T, BooksError>) -> Result<T, Unavailable> {
        read.map_err(|error| {
            self.books.fail(&error);
            Unavailable::Failed
        })
    }

    /// Does long work in a thread of its own.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Books) -> Result<T, Unavailable> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let books = Arc::clone(&self.books);
        let (done, answered) = oneshot::channel();
        std::thread::Builder::new()
            .name("pactolus-read".into())
            .spawn(move || done.send(work(&books)).is_ok())
            .map_err(|_| Unavailable::Busy)?;
        answered.await.map_err(|_| Unavailable::Failed)?
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        // Without a sender the writer finishes what it has and comes to its end.
        self.queue = queue::queue(1).0;
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
            self.books.check()?;
            let names = self.books.names(&order);
            let known = self.read(self.books.look_up(&order.account, names))?;
            if self.books.room.is_full() {
                return self.replay(&order, &known, now);
            }
            let (answer, answered) = oneshot::channel();
            let request = Request::Post(Post { order, names, known, now, answer });
            self.queue.send(request).await.map_err(|_| Unavailable::Closed)?;
            let (order, outcome) = answered.await.map_err(|_| Unavailable::Closed)??;
            Ok(match outcome {
                Outcome::Applied(change) => Posted::Applied(Receipt::new(*order, change)),
                Outcome::Replayed(receipt, account) => Posted::Replayed { receipt: *receipt, account },
            })
        })
    }

    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>> {
        Box::pin(async move { self.read(self.books.account(&key)) })
    }

    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>> {
        Box::pin(async move { self.read(self.books.filed(&bill)) })
    }

    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>> {
        Box::pin(async move { self.read(self.books.statement(&key, after, limit)) })
    }

    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        from: Day,
        to: Day,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>> {
        Box::pin(self.apart(move |books| {
            books.totals(app, environment, from, to).map_err(|error| {
                books.fail(&error);
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
            self.books.check()?;
            if self.books.room.is_full() { Err(Unavailable::DiskFull) } else { Ok(()) }
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // An error says that it is closed already.
            let _ = self.ask(Request::Close).await;
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

//! The ledger on one machine.
//!
//! A journal is the truth (`journal`); what can be looked up are views of it (`views`), written in bulk in the
//! background, with the newest rows in memory (`books`). One thread decides and appends (`writer`), another writes
//! the views (`flusher`). Opening reads the journal from where the views end (`store`).
//!
//! No reply leaves before its order is synced to disk, and after a failed write or sync no more orders are taken
//! until the store is opened again. A disk that is full is another thing: new orders are refused until there is room
//! (`room`), and everything else goes on.
//!
//! ```
//! use pactolus_ledger::Ledger;
//! use pactolus_ledger_embedded::{EmbeddedStore, Settings};
//!
//! let folder = tempfile::tempdir()?;
//! let store = EmbeddedStore::open(folder.path(), &Settings::default())?;
//! assert_eq!(pollster::block_on(store.ready()), Ok(()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
pub mod backup;
mod books;
mod calm;
mod codec;
mod committer;
mod disk;
mod draft;
mod fingerprint;
mod flusher;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod index;
mod journal;
mod merger;
mod open;
mod portable;
mod queue;
mod recent;
mod records;
mod room;
mod rows;
mod shelf;
mod store;
mod tail;
mod views;
mod writer;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use pactolus_ledger::{
    Account, AccountKey, Audit, BillKey, BoxFuture, Cursor, Decision, Filed, HistoryDigest, Ledger, Order,
    Page, PostError, Posted, Put, Receipt, RecordChange, RecordKey, Records, Sharing, Total, Unavailable,
    decide,
};
use pactolus_types::{AppId, Day, Environment, UnixMillis};
use tokio::sync::oneshot;

use crate::books::{Books, BooksError, Known};
use crate::disk::Disk;
use crate::draft::Outcome;
use crate::queue::Queue;
use crate::records::RecordStore;
use crate::room::{Looker, Room};
use crate::writer::{Post, Request};

pub use crate::open::OpenError;

/// Bounds of a store; the defaults suit a machine with 1 GiB to spare.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many orders may wait for the writer; the callers of more wait themselves. At some 500 bytes each,
    /// 16,384 take 8 MiB.
    pub queue_orders_max: usize,
    /// How many orders are gathered in memory before they go to the views. At most three times as many are held,
    /// at some 300 bytes each, and the accounts of as many: 393,216 take up to 400 MiB, and are read again in about
    /// a second after a crash.
    pub tail_orders: usize,
    /// How many accounts are kept in memory beside those, at some 130 bytes each: a million take 130 MiB. Whoever is
    /// not among them is looked for on disk.
    pub accounts_kept: usize,
    /// How large a file of the journal grows before the next one begins.
    pub segment_bytes: u64,
    /// Room for the filters that say of a new bill number that it is new: the default is enough for sixty million
    /// orders. With less, more new ones are looked for on disk.
    pub filter_bytes: u64,
    /// How much room is left on the disk: with less, new orders and records are refused until there is more. Of a
    /// small disk it is an eighth at most. What was taken before needs it to go on: three bulks of `tail_orders` rows
    /// in two indexes, at 26 bytes each, are 60 MiB, and the orders of the moment in which nobody looks some 10 MiB.
    /// A merge of the views needs as much as it merges, and is put off while there is not so much beside this.
    pub room_kept_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            queue_orders_max: 16_384,
            tail_orders: 393_216,
            accounts_kept: 1_048_576,
            segment_bytes: 256 * MIB,
            filter_bytes: 256 * MIB,
            room_kept_bytes: 128 * MIB,
        }
    }
}

/// A bank in a folder on this machine, open in this process alone.
///
/// Dropping it closes it.
pub struct EmbeddedStore {
    books: Arc<Books>,
    records: RecordStore,
    queue: Queue<Request>,
    writer: Option<JoinHandle<()>>,
    _looker: Looker,
    /// Released last.
    _lock: File,
}

impl EmbeddedStore {
    /// Opens the store in `folder`, or makes it where there is none.
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(disk::Real), folder, settings).map_err(|error| error.or_full(folder))
    }

    fn open_on(disk: Arc<dyn Disk>, folder: &Path, settings: &Settings) -> Result<Self, OpenError> {
        let lock = store::hold(folder)?;
        let room = Arc::new(Room::new(disk, folder, settings));
        let records = RecordStore::open(&folder.join("records"), Arc::clone(&room))?;
        let (books, writer) = store::open(folder, settings, Arc::clone(&room))?;
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
        if self.books.room.rows_wait() { Err(Unavailable::Full) } else { Ok(()) }
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
            return Err(Unavailable::Full.into());
        };
        let filed = self.read(self.books.filed_last(&order.bill(), last))?;
        let account = known.account.map_or_else(Account::default, |row| row.account);
        match decide(&account, Some(&filed), order, now) {
            Ok(Decision::Replay(receipt)) => Ok(Posted::Replayed { receipt: receipt.clone(), account }),
            Ok(Decision::Apply(_)) | Err(_) => Err(Unavailable::Full.into()),
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

    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<Filed>, Unavailable>> {
        Box::pin(async move { self.read(self.books.filed(&bill)) })
    }

    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, Unavailable>> {
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
            if self.books.room.is_full() { Err(Unavailable::Full) } else { Ok(()) }
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

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<Put, Unavailable>> {
        self.records.put(changes)
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        self.records.sweep(now)
    }

    fn sharing(&self) -> Sharing {
        self.records.sharing()
    }
}

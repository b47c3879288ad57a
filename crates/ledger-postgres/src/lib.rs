//! The ledger on PostgreSQL: many nodes, one database.
//!
//! Each node batches its queued orders and posts a batch in one set-based transaction, with a few in flight
//! (`write`). The rule is that of `pactolus-ledger`: [`decide()`](pactolus_ledger::decide()) runs between the
//! statement that locks and the statements that write. `write/batch.rs` argues why no order is applied twice by two
//! nodes. Reads are separate statements (`queries`); tokens and sessions are `records`; `audit` verifies the whole
//! bank.
//!
//! Invariant: a node caches nothing that another node could change. Replication is left to the database: an order is
//! as durable as its commit.
//!
//! An order that the database refuses fails alone. Every statement of a request has a timeout. While the database is unreachable, calls fail within a second, queues
//! are bounded, and the node reconnects by itself. This is the only crate that contains SQL.
//!
//! ```no_run
//! # async fn bank() -> Result<(), Box<dyn std::error::Error>> {
//! use pactolus_ledger::Ledger;
//! use pactolus_ledger_postgres::{PostgresStore, PostgresSettings, migrate};
//!
//! let url = "postgres://bank@localhost/bank".parse()?;
//! migrate(&url, None).await?;
//! let store = PostgresStore::open(&url, &PostgresSettings::default()).await?;
//! assert_eq!(store.ready().await, Ok(()));
//! # Ok(())
//! # }
//! ```
//!
//! To change the tables: the recipe in `migrate`. Read next: `write`.

mod audit;
mod error;
mod export;
mod failure_log;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod id;
mod metrics;
mod migrate;
mod open;
mod portable;
mod queries;
mod random;
mod readiness;
mod records;
mod requirements;
mod rows;
mod session;
mod tls;
mod url;
mod write;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::metrics::EngineSample;
use pactolus_ledger::{
    Account, AccountKey, Audit, BillEntry, BillKey, BoxFuture, Cursor, Ledger, Order, Periods, PostError,
    Posted, PutOutcome, RecordAccess, RecordChange, RecordKey, Records, StatementPage, Total, Unavailable,
};
use pactolus_types::{AppId, Environment, UnixMillis};
use tokio::runtime::Handle;

use crate::error::DatabaseError;
use crate::queries::Queries;
use crate::readiness::ReadinessProbe;
use crate::records::RecordBatcher;
use crate::session::{Connector, PgSession};
use crate::write::WriterPool;

pub use export::{ExportError, export_accounts, export_orders};
pub use migrate::{Distribution, MigrationReport, migrate};
pub use open::OpenError;
pub use random::{FillRandom, os_random};
pub use url::{InvalidPostgresUrl, PostgresUrl};

/// Limits of one node.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// Transactions of orders in flight, each on its own connection. [`PostgresSettings::connections`] counts the
    /// others.
    /// With two, one batch gathers and is decided while the other is written and synced. With more, batches get
    /// smaller, which costs more than it gains on a database with few cores.
    pub write_connections: NonZeroUsize,
    /// Total capacity of the writers' queues, in orders; above it, back-pressure makes callers wait. At some 500
    /// bytes each, 16,384 orders take 8 MiB.
    pub queue_orders_max: usize,
    /// Timeout of a call, after which it returns [`Unavailable::Unreachable`]. A writer may still apply the order
    /// afterwards; a retry returns its outcome.
    pub request_timeout: Duration,
    /// Draws which rows of totals this node writes, and how long it backs off.
    pub randomness: FillRandom,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            write_connections: NonZeroUsize::new(2).expect("it is not zero"),
            queue_orders_max: 16_384,
            request_timeout: Duration::from_millis(900),
            randomness: os_random,
        }
    }
}

impl PostgresSettings {
    /// Connections that a node needs: the writers', three for reads, two for records, one for readiness, and one for
    /// an audit or a sweep.
    pub fn connections(&self) -> usize {
        self.write_connections.get()
            + Queries::CONNECTIONS
            + RecordBatcher::CONNECTIONS
            + ReadinessProbe::CONNECTIONS
            + 1
    }
}

/// One node of a bank whose store is a PostgreSQL database.
///
/// Its tasks run on the runtime that opened it. It can be called from any thread.
pub struct PostgresStore {
    connector: Connector,
    writers: WriterPool,
    queries: Arc<Queries>,
    records: RecordBatcher,
    readiness: Arc<ReadinessProbe>,
    request_timeout: Duration,
    runtime: Handle,
}

impl PostgresStore {
    /// Opens the bank in the database at `url`, which must be migrated.
    pub async fn open(url: &PostgresUrl, settings: &PostgresSettings) -> Result<Self, OpenError> {
        let session = PgSession::open_long_running(url).await?;
        requirements::check(url, &session, settings).await?;
        migrate::check_schema(&session.client).await?;
        let connector = Connector { url: url.clone(), failures: Arc::default() };
        let timeout = settings.request_timeout;
        Ok(Self {
            writers: WriterPool::open(&connector, settings).await?,
            queries: Arc::new(Queries::new(&connector, timeout)),
            records: RecordBatcher::start(&connector, timeout),
            readiness: Arc::new(ReadinessProbe::new(&connector, settings.randomness, timeout)),
            request_timeout: timeout,
            runtime: Handle::current(),
            connector,
        })
    }

    /// Adds the request timeout to `answer`; on expiry it returns `Unreachable`.
    fn with_timeout<'a, T, E: From<Unavailable>>(
        &'a self,
        answer: impl Future<Output = Result<T, E>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, E>> {
        // The timer belongs to the runtime, and the caller may be outside of it.
        let _inside = self.runtime.enter();
        let answer = tokio::time::timeout(self.request_timeout, answer);
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(Unavailable::Unreachable.into())) })
    }

    /// Runs database work in a task of the runtime; `operation` prefixes the log line of a failure.
    fn spawn<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, DatabaseError>> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Unavailable>> {
        let task = self.runtime.spawn(work);
        Box::pin(async move {
            let result = task.await.map_err(|_| Unavailable::Closed)?;
            result.map_err(|error| {
                self.connector.failures.report(operation, &error);
                error.unavailable()
            })
        })
    }
}

impl Ledger for PostgresStore {
    fn post(&self, order: Order, now: UnixMillis) -> BoxFuture<'_, Result<Posted, PostError>> {
        self.with_timeout(self.writers.post(order, now))
    }

    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>> {
        let reads = Arc::clone(&self.queries);
        self.spawn("reading an account failed", async move { reads.account(&key).await })
    }

    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>> {
        let reads = Arc::clone(&self.queries);
        self.spawn("reading an order failed", async move { reads.order(&bill).await })
    }

    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>> {
        let reads = Arc::clone(&self.queries);
        self.spawn("reading a statement failed", async move { reads.statement(&key, after, limit).await })
    }

    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        periods: Periods,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>> {
        let reads = Arc::clone(&self.queries);
        self.spawn("reading totals failed", async move { reads.totals(app, environment, &periods).await })
    }

    fn audit(&self) -> BoxFuture<'_, Result<Audit, Unavailable>> {
        let url = self.connector.url.clone();
        self.spawn("the audit failed", async move { audit::audit(&url).await })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        let readiness = Arc::clone(&self.readiness);
        Box::pin(async move {
            self.writers.check()?;
            let probe = self.runtime.spawn(async move { readiness.check().await });
            probe.await.map_err(|_| Unavailable::Closed)?
        })
    }

    fn samples(&self) -> Vec<EngineSample> {
        self.writers.samples()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.writers.close())
    }
}

impl Records for PostgresStore {
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>> {
        self.with_timeout(self.records.get(key))
    }

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>> {
        self.with_timeout(self.records.put(changes))
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        let url = self.connector.url.clone();
        self.spawn("sweeping expired records failed", async move { records::sweep(&url, now).await })
    }

    fn access(&self) -> RecordAccess {
        RecordAccess::Shared
    }
}

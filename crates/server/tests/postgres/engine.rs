//! Engine of these tests: PostgreSQL, in a database of its own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Database, query_scalar};
use tokio::runtime::Runtime;

use crate::bank::{Engine, StoreGuard};

/// An empty store, and the guard of its database.
pub(crate) async fn open() -> (Arc<dyn Engine>, StoreGuard) {
    let database = Database::create();
    (open_at(&database.url()).await, Box::new(database))
}

/// A node on the database at `url`.
///
/// Its tasks run on a separate runtime: a test's only thread may block on the audit when it drops its bank.
pub(crate) async fn open_at(url: &str) -> Arc<dyn Engine> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let url: PostgresUrl = url.parse().unwrap();
    // Latency on a machine that is busy with other tests is not under test.
    let settings =
        PostgresSettings { request_timeout: Duration::from_secs(60), ..PostgresSettings::default() };
    let open = async move {
        migrate(&url, None).await.unwrap();
        PostgresStore::open(&url, &settings).await.unwrap()
    };
    Arc::new(RUNTIME.get_or_init(|| Runtime::new().unwrap()).spawn(open).await.unwrap())
}

/// A store that tests close, inspect and reopen.
pub(crate) struct ReopenableStore(Database);

impl ReopenableStore {
    pub(crate) fn new() -> Self {
        Self(Database::create())
    }

    pub(crate) async fn open(&self) -> Arc<dyn Engine> {
        open_at(&self.0.url()).await
    }

    /// A dump of the records table.
    pub(crate) fn raw_bytes(&self) -> Vec<u8> {
        let dump = "SELECT string_agg(name || ' ' || encode(value, 'escape'), E'\\n') FROM pactolus.records";
        query_scalar(&self.0.url(), dump).into_bytes()
    }
}

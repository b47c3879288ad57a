//! The engine of these tests: PostgreSQL, in a database of its own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::{Database, query_scalar};
use tokio::runtime::Runtime;

use crate::bank::{Engine, StoreGuard};

/// An empty store, and its place.
pub(crate) async fn open() -> (Arc<dyn Engine>, StoreGuard) {
    let database = Database::create();
    (open_at(&database.url()).await, Box::new(database))
}

/// A node on the database at `url`.
///
/// Its tasks have a runtime of their own: a test's only thread may wait for the audit when its bank goes.
pub(crate) async fn open_at(url: &str) -> Arc<dyn Engine> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let url: PostgresUrl = url.parse().unwrap();
    // How fast a bank answers on a machine that is busy with other tests is not what these are about.
    let settings =
        PostgresSettings { request_timeout: Duration::from_secs(60), ..PostgresSettings::default() };
    let open = async move {
        migrate(&url, None).await.unwrap();
        PostgresStore::open(&url, &settings).await.unwrap()
    };
    Arc::new(RUNTIME.get_or_init(|| Runtime::new().unwrap()).spawn(open).await.unwrap())
}

/// A place whose store is closed, looked into, and opened again.
pub(crate) struct ReopenableStore(Database);

impl ReopenableStore {
    pub(crate) fn new() -> Self {
        Self(Database::create())
    }

    pub(crate) async fn open(&self) -> Arc<dyn Engine> {
        open_at(&self.0.url()).await
    }

    /// All that a dump of the records holds.
    pub(crate) fn raw_bytes(&self) -> Vec<u8> {
        let dump = "SELECT string_agg(name || ' ' || encode(value, 'escape'), E'\\n') FROM pactolus.records";
        query_scalar(&self.0.url(), dump).into_bytes()
    }
}

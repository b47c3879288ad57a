//! Conformance suite of the ledger, on a separate database for each bank.

use std::time::Duration;

use pactolus_ledger::conformance::TestEngine;
use pactolus_ledger::{Ledger, Records, conformance_tests};
use pactolus_ledger_postgres::{PostgresSettings, PostgresStore, PostgresUrl, migrate};
use pactolus_test_postgres::Database;
use pollster::block_on;
use tokio::runtime::Runtime;

struct PostgresEngine {
    /// `None` only during a reopen.
    store: Option<PostgresStore>,
    runtime: Runtime,
    url: PostgresUrl,
    /// Dropped last.
    _database: Database,
}

/// A long timeout, because the machine may be busy with other tests and this suite does not test latency.
fn settings() -> PostgresSettings {
    PostgresSettings { request_timeout: Duration::from_secs(60), ..PostgresSettings::default() }
}

impl PostgresEngine {
    fn open() -> Self {
        let runtime = Runtime::new().unwrap();
        let database = Database::create();
        let url: PostgresUrl = database.url().parse().unwrap();
        runtime.block_on(migrate(&url, None)).unwrap();
        let store = Some(runtime.block_on(PostgresStore::open(&url, &settings())).unwrap());
        Self { store, runtime, url, _database: database }
    }
}

impl TestEngine for PostgresEngine {
    fn ledger(&self) -> &dyn Ledger {
        self.store.as_ref().unwrap()
    }

    fn records(&self) -> &dyn Records {
        self.store.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        block_on(self.store.take().unwrap().close());
        self.store = Some(self.runtime.block_on(PostgresStore::open(&self.url, &settings())).unwrap());
    }

    // The engine has no background work: an answered change is committed.
    fn flush_all(&mut self) {}
}

conformance_tests!(PostgresEngine::open);

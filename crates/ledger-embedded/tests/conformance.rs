//! The embedded store passes the conformance suite of all engines.
//!
//! Its bounds are so small that flushes happen and journal files end every few orders.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pactolus_ledger::conformance::TestEngine;
use pactolus_ledger::{Ledger, Records, conformance_tests};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pollster::block_on;
use tempfile::TempDir;

struct EmbeddedBank {
    /// `None` only during a reopen.
    store: Option<EmbeddedStore>,
    folder: TempDir,
}

fn settings() -> EmbeddedSettings {
    EmbeddedSettings { memtable_orders: 5, segment_bytes: 2000, ..EmbeddedSettings::default() }
}

impl EmbeddedBank {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Some(EmbeddedStore::open(folder.path(), &settings()).unwrap()), folder }
    }
}

impl TestEngine for EmbeddedBank {
    fn ledger(&self) -> &dyn Ledger {
        self.store.as_ref().unwrap()
    }

    fn records(&self) -> &dyn Records {
        self.store.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(EmbeddedStore::open(self.folder.path(), &settings()).unwrap());
    }

    fn flush_all(&mut self) {
        block_on(self.store.as_ref().unwrap().flush_all()).unwrap();
    }
}

conformance_tests!(EmbeddedBank::open);

//! Conformance of the in-memory model.

use pactolus_ledger::conformance::TestEngine;
use pactolus_ledger::model::Model;
use pactolus_ledger::{Ledger, Records, conformance_tests};

struct ModelEngine(Model);

impl TestEngine for ModelEngine {
    fn ledger(&self) -> &dyn Ledger {
        &self.0
    }

    fn records(&self) -> &dyn Records {
        &self.0
    }

    // The model lives in memory: there is nothing to reopen or flush.
    fn reopen(&mut self) {}
    fn flush_all(&mut self) {}
}

conformance_tests!(|| ModelEngine(Model::new()));

//! The model passes its own suite.

use pactolus_ledger::conformance::Bank;
use pactolus_ledger::model::Model;
use pactolus_ledger::{Ledger, Records, conformance_tests};

struct ModelBank(Model);

impl Bank for ModelBank {
    fn ledger(&self) -> &dyn Ledger {
        &self.0
    }

    fn records(&self) -> &dyn Records {
        &self.0
    }

    // It lives in memory; there is nothing to open or to settle.
    fn reopen(&mut self) {}
    fn settle(&mut self) {}
}

conformance_tests!(|| ModelBank(Model::new()));

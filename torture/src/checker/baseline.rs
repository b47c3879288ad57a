//! Snapshot of every answer of a store, to compare another store with.

use std::collections::BTreeMap;

use pactolus_ledger::{Ledger, PostError, Posted};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_types::Environment;
use pollster::block_on;

use super::{Checker, OrderId, OrdersWorkload, PAGE_LEN, RecordsWorkload};

/// The answers of an undamaged store.
pub(crate) struct Baseline<'a> {
    checker: &'a Checker,
    answers: BTreeMap<String, String>,
}

/// Differences between another store's answers and the baseline.
#[derive(Default)]
pub(crate) struct Differences {
    /// Wrong answers.
    pub(crate) mismatches: Vec<String>,
    /// Whether every wrong answer only lacks the last orders.
    pub(crate) only_missing: bool,
    /// Reads that failed.
    pub(crate) failed_reads: usize,
}

impl Checker {
    /// Reads everything from an undamaged store.
    pub(crate) fn baseline(&self, store: &EmbeddedStore) -> Baseline<'_> {
        let all =
            self.read_all(store).into_iter().filter_map(|(what, answer)| Some((what, answer?))).collect();
        Baseline { checker: self, answers: all }
    }

    /// Reads everything; `None` for a read that fails.
    fn read_all(&self, store: &EmbeddedStore) -> BTreeMap<String, Option<String>> {
        let mut all = BTreeMap::new();
        let names: Vec<OrderId> = self.log().acknowledged.keys().copied().collect();
        for name in names {
            let entry = block_on(store.order(name.bill)).ok();
            all.insert(format!("order {}", name.bill), entry.map(|filed| format!("{filed:?}")));
        }
        for (number, account) in OrdersWorkload::accounts().enumerate() {
            let is = block_on(store.account(account)).ok();
            all.insert(format!("account {number}"), is.map(|is| format!("{is:?}")));
            let page = block_on(store.statement(account, None, PAGE_LEN * PAGE_LEN)).ok();
            all.insert(format!("statement {number}"), page.map(|page| format!("{page:?}")));
        }
        for environment in Environment::ALL {
            let periods = OrdersWorkload::hours();
            let totals = block_on(store.totals(OrdersWorkload::app(), environment, periods)).ok();
            all.insert(format!("totals {environment}"), totals.map(|totals| format!("{totals:?}")));
        }
        for (number, record) in RecordsWorkload::read_all(store).enumerate() {
            all.insert(format!("record {number}"), record.ok());
        }
        all
    }
}

impl Baseline<'_> {
    /// Reads the same from another store, and posts every acknowledged order to it again.
    pub(crate) fn compare(&self, store: &EmbeddedStore) -> Differences {
        let mut differences = Differences { only_missing: true, ..Differences::default() };
        for (what, answer) in self.checker.read_all(store) {
            match answer {
                None => differences.failed_reads += 1,
                Some(answer) if self.answers.get(&what) == Some(&answer) => {}
                Some(answer) => {
                    // A lost order reads as no order, as a pay without its cancel, or as an account without it.
                    let lacks_cancel = answer.strip_suffix("cancel: None })").is_some_and(|pay| {
                        self.answers.get(&what).is_some_and(|expected| expected.starts_with(pay))
                    });
                    let is_gone = answer == "None" || lacks_cancel || !what.starts_with("order");
                    differences.only_missing &= is_gone;
                    differences
                        .mismatches
                        .push(format!("{what} is {answer}, and was {:?}", self.answers.get(&what)));
                }
            }
        }
        let acknowledged: Vec<_> = self.checker.log().acknowledged.values().cloned().collect();
        for receipt in acknowledged {
            match block_on(store.post(receipt.order.clone(), self.checker.orders.now())) {
                Ok(Posted::Replayed { receipt: again, .. }) if again == receipt => {}
                Err(PostError::Unavailable(_)) => differences.failed_reads += 1,
                other => differences.mismatches.push(format!("a retry of {receipt:?} answers {other:?}")),
            }
        }
        differences
    }
}

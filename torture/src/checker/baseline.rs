//! All that a store says, to be held against what another one says.

use std::collections::BTreeMap;

use pactolus_ledger::{Ledger, PostError, Posted};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_types::{Day, Environment};
use pollster::block_on;

use super::{Checker, OrderId, OrdersWorkload, PAGE_LEN, RecordsWorkload};

/// What a store said when it was sound.
pub(crate) struct Baseline<'a> {
    checker: &'a Checker,
    answers: BTreeMap<String, String>,
}

/// How what another store says differs.
#[derive(Default)]
pub(crate) struct Differences {
    /// Answers that are not right.
    pub(crate) mismatches: Vec<String>,
    /// Whether those are as if the last orders had never been.
    pub(crate) only_missing: bool,
    /// How often it could not answer.
    pub(crate) failed_reads: usize,
}

impl Checker {
    /// What a sound store says.
    pub(crate) fn baseline(&self, store: &EmbeddedStore) -> Baseline<'_> {
        let all =
            self.read_all(store).into_iter().filter_map(|(what, answer)| Some((what, answer?))).collect();
        Baseline { checker: self, answers: all }
    }

    /// Asks everything; nothing where it cannot answer.
    fn read_all(&self, store: &EmbeddedStore) -> BTreeMap<String, Option<String>> {
        let mut all = BTreeMap::new();
        let names: Vec<OrderId> = self.log().acknowledged.keys().copied().collect();
        for name in names {
            let filed = block_on(store.order(name.bill)).ok();
            all.insert(format!("order {}", name.bill), filed.map(|filed| format!("{filed:?}")));
        }
        for (number, account) in OrdersWorkload::accounts().enumerate() {
            let is = block_on(store.account(account)).ok();
            all.insert(format!("account {number}"), is.map(|is| format!("{is:?}")));
            let page = block_on(store.statement(account, None, PAGE_LEN * PAGE_LEN)).ok();
            all.insert(format!("statement {number}"), page.map(|page| format!("{page:?}")));
        }
        for environment in Environment::ALL {
            let totals = block_on(store.totals(OrdersWorkload::app(), environment, Day::MIN, Day::MAX)).ok();
            all.insert(format!("totals {environment}"), totals.map(|totals| format!("{totals:?}")));
        }
        for (number, record) in RecordsWorkload::read_all(store).enumerate() {
            all.insert(format!("record {number}"), record.ok());
        }
        all
    }
}

impl Baseline<'_> {
    /// Asks another store the same, and sends it all orders again that were acknowledged.
    pub(crate) fn compare(&self, store: &EmbeddedStore) -> Differences {
        let mut differences = Differences { only_missing: true, ..Differences::default() };
        for (what, answer) in self.checker.read_all(store) {
            match answer {
                None => differences.failed_reads += 1,
                Some(answer) if self.answers.get(&what) == Some(&answer) => {}
                Some(answer) => {
                    // What is gone is no order at all, or a cancel of one, or an account without it.
                    let lacks_cancel = answer.strip_suffix("cancel: None })").is_some_and(|pay| {
                        self.answers.get(&what).is_some_and(|right| right.starts_with(pay))
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
                other => differences.mismatches.push(format!("sent again, {receipt:?} comes to {other:?}")),
            }
        }
        differences
    }
}

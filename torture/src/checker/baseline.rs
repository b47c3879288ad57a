//! All that a store says, to be held against what another one says.

use std::collections::BTreeMap;

use pactolus_ledger::{Ledger, PostError, Posted};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_types::{Day, Environment};
use pollster::block_on;

use super::{Drawer, Name, Orders, PAGE, Witness};

/// What a store said when it was sound.
pub(crate) struct Answers<'a> {
    witness: &'a Witness,
    all: BTreeMap<String, String>,
}

/// How what another store says differs.
#[derive(Default)]
pub(crate) struct Differences {
    /// Answers that are not right.
    pub(crate) wrong: Vec<String>,
    /// Whether those are as if the last orders had never been.
    pub(crate) only_missing: bool,
    /// How often it could not answer.
    pub(crate) failed: usize,
}

impl Witness {
    /// What a sound store says.
    pub(crate) fn answers(&self, store: &EmbeddedStore) -> Answers<'_> {
        let all = self.ask(store).into_iter().filter_map(|(what, answer)| Some((what, answer?))).collect();
        Answers { witness: self, all }
    }

    /// Asks everything; nothing where it cannot answer.
    fn ask(&self, store: &EmbeddedStore) -> BTreeMap<String, Option<String>> {
        let mut all = BTreeMap::new();
        let names: Vec<Name> = self.log().acknowledged.keys().copied().collect();
        for name in names {
            let filed = block_on(store.order(name.bill)).ok();
            all.insert(format!("order {}", name.bill), filed.map(|filed| format!("{filed:?}")));
        }
        for (number, account) in Orders::accounts().enumerate() {
            let is = block_on(store.account(account)).ok();
            all.insert(format!("account {number}"), is.map(|is| format!("{is:?}")));
            let page = block_on(store.statement(account, None, PAGE * PAGE)).ok();
            all.insert(format!("statement {number}"), page.map(|page| format!("{page:?}")));
        }
        for environment in Environment::ALL {
            let totals = block_on(store.totals(Orders::app(), environment, Day::MIN, Day::MAX)).ok();
            all.insert(format!("totals {environment}"), totals.map(|totals| format!("{totals:?}")));
        }
        for (number, record) in Drawer::answers(store).enumerate() {
            all.insert(format!("record {number}"), record.ok());
        }
        all
    }
}

impl Answers<'_> {
    /// Asks another store the same, and sends it all orders again that were acknowledged.
    pub(crate) fn compare(&self, store: &EmbeddedStore) -> Differences {
        let mut differences = Differences { only_missing: true, ..Differences::default() };
        for (what, answer) in self.witness.ask(store) {
            match answer {
                None => differences.failed += 1,
                Some(answer) if self.all.get(&what) == Some(&answer) => {}
                Some(answer) => {
                    // What is gone is no order at all, or a cancel of one, or an account without it.
                    let lacks_cancel = answer
                        .strip_suffix("cancel: None })")
                        .is_some_and(|pay| self.all.get(&what).is_some_and(|right| right.starts_with(pay)));
                    let is_gone = answer == "None" || lacks_cancel || !what.starts_with("order");
                    differences.only_missing &= is_gone;
                    differences.wrong.push(format!("{what} is {answer}, and was {:?}", self.all.get(&what)));
                }
            }
        }
        let acknowledged: Vec<_> = self.witness.log().acknowledged.values().cloned().collect();
        for receipt in acknowledged {
            match block_on(store.post(receipt.order.clone(), self.witness.orders.now())) {
                Ok(Posted::Replayed { receipt: again, .. }) if again == receipt => {}
                Err(PostError::Unavailable(_)) => differences.failed += 1,
                other => differences.wrong.push(format!("sent again, {receipt:?} comes to {other:?}")),
            }
        }
        differences
    }
}

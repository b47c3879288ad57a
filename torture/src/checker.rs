//! The witness: draws orders and records, sends them to a store, remembers what was answered, and says of a store
//! that was opened again whether it has kept its promise.
//!
//! It knows what is right by itself: it hands the orders that the store shows, account by account, to the ledger's
//! [`Model`], which has to make the very same receipts of them, and holds what was answered against those. From there
//! on store and model get the same orders, and have to answer the same.

mod baseline;
mod orders;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context as _, bail, ensure};
use pactolus_ledger::{BillKey, Ledger, Order, OrderKind, PostError, Posted, Receipt, model::Model};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_types::{Day, Environment, UnixMillis};
use pollster::block_on;

pub(crate) use self::baseline::Baseline;
pub(crate) use self::orders::OrdersWorkload;
pub(crate) use self::records::RecordsWorkload;

/// How many orders that were answered long ago are sent again at a check.
const OLD_ORDERS_RESENT: usize = 8;
/// How much of a statement is read at once.
const PAGE_LEN: usize = 64;

/// What was sent to a store, and what it answered.
pub(crate) struct Checker {
    pub(crate) orders: OrdersWorkload,
    pub(crate) records: RecordsWorkload,
    log: Mutex<CheckerLog>,
}

/// An order's name. A cancel has the bill number of its pay.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct OrderId {
    bill: BillKey,
    is_cancel: bool,
}

impl OrderId {
    fn for_order(order: &Order) -> Self {
        Self { bill: order.bill(), is_cancel: matches!(order.kind, OrderKind::Cancel { .. }) }
    }
}

#[derive(Default)]
struct CheckerLog {
    /// All that was sent.
    sent: BTreeMap<OrderId, Vec<Order>>,
    /// What was answered: these orders stand, with these receipts.
    acknowledged: BTreeMap<OrderId, Receipt>,
    /// Those of them whose answer said that they were applied at that moment.
    applied: BTreeSet<OrderId>,
    /// What was acknowledged since the last check.
    acknowledged_since_check: Vec<Order>,
    /// What was sent and not answered since.
    unanswered: Vec<Order>,
    /// Answers that contradict each other.
    contradictions: Vec<String>,
    stats: CheckerStats,
}

/// What came about.
#[derive(Clone, Copy, Default, Debug, serde::Serialize)]
pub(crate) struct CheckerStats {
    /// Orders that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Orders that were sent and not answered.
    pub(crate) unanswered: u64,
    /// Those of them that were there afterwards.
    pub(crate) unanswered_there: u64,
    /// Answers that said that an order had been applied before.
    pub(crate) replayed: u64,
    /// Orders that were refused by the rule.
    pub(crate) refused: u64,
    /// Orders that were looked for and found, over all checks.
    pub(crate) looked_for: u64,
    /// How often a store was held against what was answered.
    pub(crate) checks: u64,
}

impl CheckerStats {
    /// These and others.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            unanswered: self.unanswered + other.unanswered,
            unanswered_there: self.unanswered_there + other.unanswered_there,
            replayed: self.replayed + other.replayed,
            refused: self.refused + other.refused,
            looked_for: self.looked_for + other.looked_for,
            checks: self.checks + other.checks,
        }
    }
}

impl Checker {
    pub(crate) fn new(seed: u64) -> Self {
        Self { orders: OrdersWorkload::new(seed), records: RecordsWorkload::default(), log: Mutex::default() }
    }

    fn log(&self) -> MutexGuard<'_, CheckerLog> {
        self.log.lock().expect("nothing panics while it writes the log")
    }

    /// What came about so far.
    pub(crate) fn stats(&self) -> CheckerStats {
        self.log().stats
    }

    /// Posts an order and remembers the answer; gives back what kept it from being answered.
    pub(crate) fn post(
        &self,
        store: &EmbeddedStore,
        order: &Order,
        now: UnixMillis,
    ) -> Result<(), PostError> {
        let name = OrderId::for_order(order);
        {
            let mut log = self.log();
            let sent = log.sent.entry(name).or_default();
            if !sent.contains(order) {
                sent.push(order.clone());
            }
        }
        let answer = block_on(store.post(order.clone(), now));
        let mut log = self.log();
        match answer {
            Ok(posted) => log.acknowledge(name, order, posted),
            Err(PostError::Refused(_)) => log.stats.refused += 1,
            Err(error @ PostError::Unavailable(_)) => {
                log.stats.unanswered += 1;
                log.unanswered.push(order.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether a store that was opened again is as it has to be. Nobody else uses it meanwhile.
    pub(crate) fn check(&self, store: &EmbeddedStore) -> anyhow::Result<()> {
        let audit = block_on(store.audit()).context("the audit cannot go on")?;
        ensure!(audit.is_clean(), "the audit found: {:?}", audit.findings);
        let (model, found) = self.rebuild_model(store)?;
        ensure!(
            audit.orders == found.len() as u64,
            "the audit saw {} orders and the statements have {}",
            audit.orders,
            found.len()
        );
        self.check_acknowledged(&found)?;
        Self::check_reads(store, &model, &found)?;
        self.check_replays(store, &model, &found)?;
        Self::check_reads(store, &model, &BTreeMap::new())?;
        self.records.check(store)?;
        self.log().stats.checks += 1;
        Ok(())
    }

    /// Reads every statement, from its beginning, into a model, which has to make the same receipts.
    fn rebuild_model(&self, store: &EmbeddedStore) -> anyhow::Result<(Model, BTreeMap<OrderId, Receipt>)> {
        let (model, mut found) = (Model::new(), BTreeMap::new());
        for account in OrdersWorkload::accounts() {
            let mut receipts = Vec::new();
            let mut after = None;
            loop {
                let page =
                    block_on(store.statement(account, after, PAGE_LEN)).context("reading a statement")?;
                receipts.extend(page.receipts);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            for receipt in receipts.into_iter().rev() {
                let name = OrderId::for_order(&receipt.order);
                let right = block_on(model.post(receipt.order.clone(), receipt.at));
                ensure!(
                    right == Ok(Posted::Applied(receipt.clone())),
                    "a statement has {receipt:?}, and the rule makes of it: {right:?}"
                );
                let log = self.log();
                ensure!(
                    log.sent.get(&name).is_some_and(|sent| sent.contains(&receipt.order)),
                    "nobody sent {receipt:?}"
                );
                drop(log);
                if let Some(other) = found.insert(name, receipt.clone()) {
                    bail!("{name:?} was applied twice: {other:?} and {receipt:?}");
                }
            }
        }
        Ok((model, found))
    }

    /// All that was acknowledged is there, with the receipt that was given.
    fn check_acknowledged(&self, present: &BTreeMap<OrderId, Receipt>) -> anyhow::Result<()> {
        let mut log = self.log();
        ensure!(log.contradictions.is_empty(), "answers contradict each other: {:?}", log.contradictions);
        for (name, receipt) in &log.acknowledged {
            match present.get(name) {
                Some(found) if found == receipt => {}
                Some(found) => bail!("{receipt:?} was acknowledged, and now it is {found:?}"),
                None => bail!("{receipt:?} was acknowledged and is lost"),
            }
        }
        log.stats.looked_for += log.acknowledged.len() as u64;
        let unanswered =
            log.unanswered.iter().filter(|order| present.contains_key(&OrderId::for_order(order))).count();
        log.stats.unanswered_there += unanswered as u64;
        Ok(())
    }

    /// Whatever can be looked up is as the model has it.
    fn check_reads(
        store: &EmbeddedStore,
        model: &Model,
        found: &BTreeMap<OrderId, Receipt>,
    ) -> anyhow::Result<()> {
        for account in OrdersWorkload::accounts() {
            let (is, right) = (block_on(store.account(account)), block_on(model.account(account)));
            ensure_equal("an account", &is, &right)?;
        }
        for name in found.keys() {
            let (is, right) = (block_on(store.order(name.bill)), block_on(model.order(name.bill)));
            ensure_equal("what a bill number made", &is, &right)?;
        }
        for environment in Environment::ALL {
            let app = OrdersWorkload::app();
            let is = block_on(store.totals(app, environment, Day::MIN, Day::MAX));
            let right = block_on(model.totals(app, environment, Day::MIN, Day::MAX));
            ensure_equal("the totals", &is, &right)?;
        }
        Ok(())
    }

    /// What was answered lately, some of what was answered before, and all that was not answered is sent again.
    fn check_replays(
        &self,
        store: &EmbeddedStore,
        model: &Model,
        found: &BTreeMap<OrderId, Receipt>,
    ) -> anyhow::Result<()> {
        let again = {
            let mut log = self.log();
            let step = (found.len() / OLD_ORDERS_RESENT).max(1);
            let offset = usize::try_from(log.stats.checks).unwrap_or_default() % step;
            let old = found.values().skip(offset).step_by(step).map(|receipt| receipt.order.clone());
            let mut again: Vec<Order> = old.collect();
            again.append(&mut log.acknowledged_since_check);
            again.append(&mut log.unanswered);
            again
        };
        for order in again {
            let now = self.orders.now();
            let (is, right) =
                (block_on(store.post(order.clone(), now)), block_on(model.post(order.clone(), now)));
            ensure_equal("an order that is sent again", &is, &right)?;
            let name = OrderId::for_order(&order);
            let mut log = self.log();
            match is {
                Ok(posted) => log.acknowledge(name, &order, posted),
                Err(PostError::Refused(_)) => {}
                Err(error @ PostError::Unavailable(_)) => bail!("{order:?} is not taken: {error}"),
            }
            // It was looked at just now.
            log.acknowledged_since_check.clear();
        }
        Ok(())
    }
}

impl CheckerLog {
    fn acknowledge(&mut self, name: OrderId, order: &Order, posted: Posted) {
        let receipt = match posted {
            Posted::Applied(receipt) => {
                // Another thread may have been told of a replay before; nobody else of this.
                if !self.applied.insert(name) {
                    self.contradictions.push(format!("{receipt:?} was applied again"));
                }
                receipt
            }
            Posted::Replayed { receipt, .. } => {
                self.stats.replayed += 1;
                receipt
            }
        };
        match self.acknowledged.get(&name) {
            Some(before) if *before == receipt => {}
            Some(before) => self.contradictions.push(format!("{receipt:?}, and before that {before:?}")),
            None => {
                self.stats.acknowledged += 1;
                self.acknowledged.insert(name, receipt);
                self.acknowledged_since_check.push(order.clone());
            }
        }
    }
}

fn ensure_equal<T: PartialEq + Debug>(what: &str, is: &T, right: &T) -> anyhow::Result<()> {
    ensure!(is == right, "{what} is {is:?}, and has to be {right:?}");
    Ok(())
}

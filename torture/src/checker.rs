//! Checker of an embedded store: generates orders and records, posts them, remembers every answer, and verifies a
//! reopened store against those answers.
//!
//! The oracle is independent of the store. The checker replays the orders of every statement, account by account,
//! into the ledger's [`Model`], which must make the same receipts, and compares the acknowledged receipts with those.
//! Then store and model get the same further orders and must answer the same.

mod baseline;
mod orders;
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard};

use anyhow::{Context as _, bail, ensure};
use pactolus_ledger::{BillKey, Ledger, Order, OrderKind, PostError, Posted, Receipt, model::Model};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_types::{Environment, UnixMillis};
use pollster::block_on;

pub(crate) use self::baseline::Baseline;
pub(crate) use self::orders::OrdersWorkload;
pub(crate) use self::records::RecordsWorkload;

/// Orders acknowledged long ago that a check posts again.
const OLD_ORDERS_RESENT: usize = 8;
/// Statement page size, in receipts.
const PAGE_LEN: usize = 64;

/// Everything posted to a store, and its answers.
pub(crate) struct Checker {
    pub(crate) orders: OrdersWorkload,
    pub(crate) records: RecordsWorkload,
    log: Mutex<CheckerLog>,
}

/// Identity of an order. A cancel has the bill number of its pay.
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
    /// Every order ever posted.
    sent: BTreeMap<OrderId, Vec<Order>>,
    /// Receipts of acknowledged orders.
    acknowledged: BTreeMap<OrderId, Receipt>,
    /// Acknowledged orders whose answer was `Applied`, not `Replayed`.
    applied: BTreeSet<OrderId>,
    acknowledged_since_check: Vec<Order>,
    /// Orders posted without an answer since the last check.
    unanswered: Vec<Order>,
    contradictions: Vec<String>,
    stats: CheckerStats,
}

/// Counts over all checks.
#[derive(Clone, Copy, Default, Debug, serde::Serialize)]
pub(crate) struct CheckerStats {
    /// Orders acknowledged.
    pub(crate) acknowledged: u64,
    /// Orders posted without an answer.
    pub(crate) unanswered: u64,
    /// Unanswered orders that the store had applied.
    pub(crate) unanswered_there: u64,
    /// Idempotent replays.
    pub(crate) replayed: u64,
    /// Orders refused by a rule of the ledger.
    pub(crate) refused: u64,
    /// Acknowledged orders looked up and found, over all checks.
    pub(crate) looked_for: u64,
    /// Checks of a reopened store.
    pub(crate) checks: u64,
}

impl CheckerStats {
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

    pub(crate) fn stats(&self) -> CheckerStats {
        self.log().stats
    }

    /// Posts an order and records its answer. The error is the one that left the order unanswered.
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
            Ok(posted) => log.acknowledge(&name, order, posted),
            Err(PostError::Refused(_)) => log.stats.refused += 1,
            Err(error @ PostError::Unavailable(_)) => {
                log.stats.unanswered += 1;
                log.unanswered.push(order.clone());
                return Err(error);
            }
        }
        Ok(())
    }

    /// Verifies a reopened store. The checker must be its only user meanwhile.
    pub(crate) fn check(&self, store: &EmbeddedStore) -> anyhow::Result<()> {
        let audit = block_on(store.audit()).context("the audit cannot run")?;
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

    /// Reads every statement from its beginning into a new model, which must make the same receipts.
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
                    "a statement has {receipt:?}, but the model answers {right:?}"
                );
                let log = self.log();
                ensure!(
                    log.sent.get(&name).is_some_and(|sent| sent.contains(&receipt.order)),
                    "{receipt:?} was never posted"
                );
                drop(log);
                if let Some(other) = found.insert(name, receipt.clone()) {
                    bail!("{name:?} was applied twice: {other:?} and {receipt:?}");
                }
            }
        }
        Ok((model, found))
    }

    /// Every acknowledged order is in the store, with the acknowledged receipt.
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

    /// Every look-up agrees with the model.
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
            ensure_equal("an order look-up", &is, &right)?;
        }
        for environment in Environment::ALL {
            let app = OrdersWorkload::app();
            let periods = OrdersWorkload::hours();
            let is = block_on(store.totals(app, environment, periods.clone()));
            let right = block_on(model.totals(app, environment, periods));
            ensure_equal("the totals", &is, &right)?;
        }
        Ok(())
    }

    /// Posts again the recently acknowledged orders, a sample of the older ones, and every unanswered one.
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
            ensure_equal("the answer to a retry", &is, &right)?;
            let name = OrderId::for_order(&order);
            let mut log = self.log();
            match is {
                Ok(posted) => log.acknowledge(&name, &order, posted),
                Err(PostError::Refused(_)) => {}
                Err(error @ PostError::Unavailable(_)) => bail!("{order:?} is unanswered: {error}"),
            }
            // This check has just covered it.
            log.acknowledged_since_check.clear();
        }
        Ok(())
    }
}

impl CheckerLog {
    fn acknowledge(&mut self, name: &OrderId, order: &Order, posted: Posted) {
        let receipt = match posted {
            Posted::Applied(receipt) => {
                // A concurrent thread may have received a replay first, but only one thread may receive `Applied`.
                if !self.applied.insert(*name) {
                    self.contradictions.push(format!("{receipt:?} was applied again"));
                }
                receipt
            }
            Posted::Replayed { receipt, .. } => {
                self.stats.replayed += 1;
                receipt
            }
        };
        match self.acknowledged.get(name) {
            Some(before) if *before == receipt => {}
            Some(before) => self.contradictions.push(format!("{receipt:?}, earlier {before:?}")),
            None => {
                self.stats.acknowledged += 1;
                self.acknowledged.insert(*name, receipt);
                self.acknowledged_since_check.push(order.clone());
            }
        }
    }
}

fn ensure_equal<T: PartialEq + Debug>(what: &str, is: &T, right: &T) -> anyhow::Result<()> {
    ensure!(is == right, "{what} is {is:?}, expected {right:?}");
    Ok(())
}

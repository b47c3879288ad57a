//! In-memory engine: the reference that other engines are compared with. It is not durable.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::sync::{Mutex, MutexGuard};

use pactolus_types::{AppId, Environment, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::audit::Audit;
use crate::decide::{Decision, PriorEntries, decide};
use crate::engine::{BoxFuture, Cursor, Ledger, PostError, Posted, StatementPage, Unavailable};
use crate::order::{BillEntry, BillKey, Numbering, Order, OrderKind, Receipt};
use crate::records::{PutOutcome, RecordAccess, RecordChange, RecordKey, Records};
use crate::totals::{OrderTallies, PeriodSums, Periods, Total, TotalKey};

/// A ledger and its records, in memory.
#[derive(Debug, Default)]
pub struct Model {
    state: Mutex<ModelState>,
    records: Mutex<HashMap<RecordKey, RecordChange>>,
}

#[derive(Debug, Default)]
struct ModelState {
    accounts: HashMap<AccountKey, Vec<Receipt>>,
    bills: HashMap<BillKey, BillEntry>,
    totals: BTreeMap<TotalKey, OrderTallies>,
}

impl Model {
    /// An empty bank.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, ModelState> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

impl ModelState {
    fn account(&self, key: &AccountKey) -> Account {
        self.accounts
            .get(key)
            .and_then(|receipts| receipts.last())
            .map_or_else(Account::default, |last| last.after)
    }

    fn post(&mut self, order: &Order, now: UnixMillis) -> Result<Posted, PostError> {
        let account = self.account(&order.account);
        let earlier = PriorEntries {
            number: self.bills.get(&order.bill()),
            pay: order.pay_bill().and_then(|pay| self.bills.get(&pay)),
        };
        match decide(&account, earlier, order, now)? {
            Decision::Replay(receipt) => Ok(Posted::Replayed { receipt: receipt.clone(), account }),
            Decision::Apply(change) => {
                let receipt = Receipt::new(order.clone(), change);
                self.record(receipt.clone());
                Ok(Posted::Applied(receipt))
            }
        }
    }

    fn record(&mut self, receipt: Receipt) {
        self.totals
            .entry(TotalKey::for_order(&receipt.order, receipt.at))
            .or_default()
            .add(receipt.order.kind, receipt.coins);
        self.accounts.entry(receipt.order.account).or_default().push(receipt.clone());
        let bill = receipt.order.bill();
        match receipt.order.kind {
            OrderKind::Cancel { .. } => {
                self.bills.entry(bill).and_modify(|entry| entry.cancel = Some(receipt));
            }
            OrderKind::Refund(_) => {
                if let Some(pay) = receipt.order.pay_bill() {
                    self.bills.entry(pay).and_modify(|entry| entry.cancel = Some(receipt.clone()));
                }
                self.bills.insert(bill, BillEntry { receipt, cancel: None });
            }
            OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) | OrderKind::Debit(_) => {
                self.bills.insert(bill, BillEntry { receipt, cancel: None });
            }
        }
    }

    fn statement(&self, key: &AccountKey, after: Option<Cursor>, limit: usize) -> StatementPage {
        let receipts = self.accounts.get(key).map_or(&[][..], Vec::as_slice);
        let older = after.map_or(u64::MAX, Cursor::get);
        let mut left = receipts.iter().rev().filter(|receipt| receipt.after.orders() < older).peekable();
        let receipts: Vec<Receipt> = left.by_ref().take(limit).cloned().collect();
        let more = left.peek().is_some();
        let next = receipts.last().filter(|_| more).map(|last| Cursor::new(last.after.orders()));
        StatementPage { receipts, next }
    }

    /// Replays every account's orders through `decide()` and compares the effects.
    fn audit(&self) -> Audit {
        let mut audit = Audit::default();
        for (key, receipts) in &self.accounts {
            audit.accounts = audit.accounts.saturating_add(1);
            let mut account = Account::default();
            // The pays of refunds, as given back so far.
            let mut pays: HashMap<BillKey, BillEntry> = HashMap::new();
            for receipt in receipts {
                audit.count_order(receipt.at);
                let entry = self.bills.get(&receipt.order.bill());
                let earlier = match receipt.order.kind {
                    OrderKind::Cancel { .. } => {
                        entry.map(|entry| BillEntry { cancel: None, ..entry.clone() })
                    }
                    OrderKind::Save(_)
                    | OrderKind::Present(_)
                    | OrderKind::Pay(_)
                    | OrderKind::Debit(_)
                    | OrderKind::Refund(_) => None,
                };
                let pay = receipt.order.pay_bill().and_then(|pay| pays.get(&pay));
                let earlier = PriorEntries { number: earlier.as_ref(), pay };
                if decide(&account, earlier, &receipt.order, receipt.at)
                    != Ok(Decision::Apply(receipt.effect()))
                {
                    audit.add_finding(format!(
                        "{} of {key:?} is not what the rule makes of it",
                        receipt.order.bill()
                    ));
                }
                if let Some(pay) = receipt.order.pay_bill() {
                    pays.entry(pay).and_modify(|entry| entry.cancel = Some(receipt.clone()));
                } else if receipt.order.numbering == Numbering::OfAccount {
                    pays.insert(receipt.order.bill(), BillEntry { receipt: receipt.clone(), cancel: None });
                }
                account = receipt.after;
            }
        }
        audit
    }
}

impl Ledger for Model {
    fn post(&self, order: Order, now: UnixMillis) -> BoxFuture<'_, Result<Posted, PostError>> {
        let posted = self.state().post(&order, now);
        Box::pin(ready(posted))
    }

    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>> {
        let account = self.state().account(&key);
        Box::pin(ready(Ok(account)))
    }

    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>> {
        let entry = self.state().bills.get(&bill).cloned();
        Box::pin(ready(Ok(entry)))
    }

    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>> {
        let page = self.state().statement(&key, after, limit);
        Box::pin(ready(Ok(page)))
    }

    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        periods: Periods,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>> {
        let state = self.state();
        let mut sums = PeriodSums::new(&periods);
        for (key, tallies) in &state.totals {
            if key.app == app && key.environment == environment {
                sums.add(key, tallies);
            }
        }
        Box::pin(ready(Ok(sums.into_totals())))
    }

    fn audit(&self) -> BoxFuture<'_, Result<Audit, Unavailable>> {
        let audit = self.state().audit();
        Box::pin(ready(Ok(audit)))
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(ready(Ok(())))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}

impl Records for Model {
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>> {
        let records = self.records.lock().expect("nothing panics while it holds this lock");
        let value = records.get(&key).map(|change| change.value.0.clone());
        Box::pin(ready(Ok(value)))
    }

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>> {
        let mut records = self.records.lock().expect("nothing panics while it holds this lock");
        let now = |change: &RecordChange| records.get(&change.key).map(|stored| stored.value.0.as_slice());
        let put = if changes.iter().all(|change| change.precondition.holds(now(change))) {
            records.extend(changes.into_iter().map(|change| (change.key.clone(), change)));
            PutOutcome::Stored
        } else {
            PutOutcome::Conflict
        };
        Box::pin(ready(Ok(put)))
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        let mut records = self.records.lock().expect("nothing panics while it holds this lock");
        let before = records.len();
        records.retain(|_, change| change.expires_at >= now);
        let swept = before.saturating_sub(records.len());
        Box::pin(ready(Ok(u64::try_from(swept).unwrap_or(u64::MAX))))
    }

    fn access(&self) -> RecordAccess {
        RecordAccess::Exclusive
    }
}

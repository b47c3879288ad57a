//! Store state: the journal, its views on disk, and the memtable of rows that the views do not hold yet.
//!
//! Only the committer adds to it; every thread reads. A look-up tries the memtable first and then the views, so a
//! reader sees an order as soon as it is published, and never before it is durable.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use pactolus_ledger::{
    Account, AccountKey, BillEntry, BillKey, Cursor, Order, OrderKind, PeriodSums, Periods, StatementPage,
    Total, TotalKey, Unavailable,
};
use pactolus_types::{AppId, Environment};

use crate::disk::is_out_of_files;
use crate::disk::space::DiskSpace;
use crate::fingerprint::Fingerprint;
use crate::health::Health;
use crate::journal::entry::Entry;
use crate::journal::{EntryReadError, Journal, Position};
use crate::memtable::Memtable;
use crate::metrics::StoreMetrics;
use crate::rows::{AccountRow, OrderKeys, TotalRow};
use crate::settings::EmbeddedSettings;
use crate::views::{TotalsScope, ViewError, Views};

pub(crate) struct StoreState {
    pub(crate) journal: Arc<Journal>,
    pub(crate) views: Views,
    pub(crate) memtable: Memtable,
    pub(crate) space: Arc<DiskSpace>,
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: StoreMetrics,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Journal(#[from] EntryReadError),
    #[error("{} is damaged at offset {offset}: the order there has another key than its index entry", file.display())]
    KeyMismatch { file: PathBuf, offset: u64 },
}

impl StoreState {
    pub(crate) fn new(
        journal: Arc<Journal>,
        views: Views,
        space: Arc<DiskSpace>,
        health: Arc<Health>,
        settings: &EmbeddedSettings,
    ) -> Self {
        Self {
            journal,
            views,
            memtable: Memtable::new(settings),
            space,
            health,
            metrics: StoreMetrics::new(),
        }
    }

    /// Refuses orders until the store is reopened.
    pub(crate) fn fail(&self, error: &(dyn std::error::Error + 'static)) {
        self.health.fail(error);
    }

    pub(crate) fn check(&self) -> Result<(), Unavailable> {
        self.health.check()
    }

    /// The reply to a request whose look-up failed. Nothing else is affected.
    pub(crate) fn refuse(&self, error: &LookupError) -> Unavailable {
        if is_out_of_files(error) {
            self.health.report_file_limit(error);
            return Unavailable::Busy;
        }
        self.health.report_damage(error);
        Unavailable::Damaged
    }

    pub(crate) fn order_keys(&self, order: &Order) -> OrderKeys {
        let seed = self.views.seed;
        OrderKeys {
            bill: seed.bill(&order.bill()),
            account: seed.account(&order.account),
            pay: order.pay_bill().map(|pay| seed.bill(&pay)),
        }
    }

    /// Looks up the published rows of an order's keys.
    pub(crate) fn look_up(&self, account: &AccountKey, keys: OrderKeys) -> Result<Lookup, LookupError> {
        // Read first: an order that the look-ups below miss was published later, at this position or after it.
        let as_of = self.memtable.published();
        Ok(Lookup {
            as_of,
            bill: self.find_bill(keys.bill)?,
            pay: keys.pay.map(|pay| self.find_bill(pay)).transpose()?.flatten(),
            account: self.find_account(account, keys.account)?,
        })
    }

    /// The row of the account whose last order stands at `last`.
    fn read_account_row(&self, key: &AccountKey, last: Position) -> Result<AccountRow, LookupError> {
        let receipt = self.journal.entry(last)?.receipt;
        if receipt.order.account != *key {
            return Err(self.key_mismatch(last));
        }
        Ok(AccountRow { last, account: receipt.after })
    }

    fn key_mismatch(&self, position: Position) -> LookupError {
        let segment = self.journal.segment(position);
        LookupError::KeyMismatch { file: segment.path.clone(), offset: segment.offset(position) }
    }

    /// The published account, and the position of its last order.
    fn find_account(
        &self,
        key: &AccountKey,
        account: Fingerprint,
    ) -> Result<Option<AccountRow>, LookupError> {
        if let Some(row) = self.memtable.account(account) {
            return Ok(Some(row));
        }
        // Taken after the memtable was read: rows that have left it since are here.
        let last = self.views.accounts.runs().find(account).map_err(ViewError::from)?;
        last.map(|last| self.read_account_row(key, last)).transpose()
    }

    /// Position of the last published order under a bill number.
    pub(crate) fn find_bill(&self, bill: Fingerprint) -> Result<Option<Position>, LookupError> {
        match self.memtable.bill(bill) {
            Some(position) => Ok(Some(position)),
            None => Ok(self.views.bills.runs().find(bill).map_err(ViewError::from)?),
        }
    }

    /// The totals of an offer, zone and quarter.
    pub(crate) fn total(&self, key: &TotalKey) -> Result<Option<TotalRow>, LookupError> {
        match self.memtable.total(key) {
            Some(row) => Ok(Some(row)),
            None => Ok(self.views.total(key)?),
        }
    }

    /// The entry of the bill number whose last order stands at `position`; `read` reads orders.
    pub(crate) fn bill_entry_with(
        &self,
        bill: &BillKey,
        position: Position,
        read: impl Fn(Position) -> Result<Entry, EntryReadError>,
    ) -> Result<LocatedEntry, LookupError> {
        let last = read(position)?;
        let (order, mismatch) = (&last.receipt.order, || self.key_mismatch(position));
        let is_cancel = matches!(order.kind, OrderKind::Cancel { .. });
        if order.bill() == *bill && !is_cancel {
            let entry = BillEntry { receipt: last.receipt, cancel: None };
            return Ok(LocatedEntry { entry, position, given_back_at: None });
        }
        // It gave back the pay of this number.
        let leads_here = is_cancel && order.bill() == *bill || order.pay_bill() == Some(*bill);
        let Some(pay) = last.links.pay.filter(|_| leads_here) else { return Err(mismatch()) };
        let receipt = read(pay)?.receipt;
        if receipt.order.bill() != *bill {
            return Err(mismatch());
        }
        let entry = BillEntry { receipt, cancel: Some(last.receipt) };
        Ok(LocatedEntry { entry, position: pay, given_back_at: Some(position) })
    }

    pub(crate) fn account(&self, key: &AccountKey) -> Result<Account, LookupError> {
        let row = self.find_account(key, self.views.seed.account(key))?;
        Ok(row.map_or_else(Account::default, |row| row.account))
    }

    pub(crate) fn bill_entry(&self, bill: &BillKey) -> Result<Option<BillEntry>, LookupError> {
        let last = self.find_bill(self.views.seed.bill(bill))?;
        last.map(|last| self.bill_entry_at(bill, last)).transpose()
    }

    /// The entry of the bill number whose last published order stands at `last`.
    pub(crate) fn bill_entry_at(&self, bill: &BillKey, last: Position) -> Result<BillEntry, LookupError> {
        let located = self.bill_entry_with(bill, last, |position| self.journal.entry(position))?;
        Ok(located.entry)
    }

    /// A page of an account's orders, newest first.
    pub(crate) fn statement(
        &self,
        key: &AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<StatementPage, LookupError> {
        let Some(row) = self.find_account(key, self.views.seed.account(key))? else {
            return Ok(StatementPage::default());
        };
        let mut next = match after {
            None => Some(row.last),
            // A cursor is untrusted: it has to name an order of this account that is not newer than the last.
            Some(cursor) => Some(Position(cursor.get())).filter(|position| {
                *position <= row.last
                    && matches!(self.journal.entry(*position), Ok(entry) if entry.receipt.order.account == *key)
            }),
        };
        let mut receipts = Vec::new();
        while let Some(position) = next.filter(|_| receipts.len() < limit) {
            let entry = self.journal.entry(position)?;
            receipts.push(entry.receipt);
            next = entry.links.previous;
        }
        Ok(StatementPage { receipts, next: next.map(|position| Cursor::new(position.0)) })
    }

    /// The totals of an environment per offer, zone and period.
    pub(crate) fn totals(
        &self,
        app: AppId,
        environment: Environment,
        periods: &Periods,
    ) -> Result<Vec<Total>, LookupError> {
        let (from, to) = periods.span();
        let mut sums = PeriodSums::new(periods);
        self.visit_totals(Some(&TotalsScope { app, environment, from, to }), |key, row| {
            sums.add(&key, &row.sums);
        })?;
        Ok(sums.into_totals())
    }

    /// Visits each published total of `scope`, or of all, once. Memory grows with the memtable alone.
    pub(crate) fn visit_totals(
        &self,
        scope: Option<&TotalsScope>,
        mut visit: impl FnMut(TotalKey, TotalRow),
    ) -> Result<(), LookupError> {
        // The memtable first: rows that leave it meanwhile are then in the views, not lost between the two.
        let mut newer: HashMap<TotalKey, TotalRow> = HashMap::new();
        for (key, row) in self.memtable.totals(|key| scope.is_none_or(|scope| scope.contains(key))) {
            let newest = newer.entry(key).or_insert(row);
            if newest.through < row.through {
                *newest = row;
            }
        }
        self.views.visit_totals(scope, |key, row| match newer.remove(&key) {
            Some(newest) if newest.through > row.through => visit(key, newest),
            Some(_) | None => visit(key, row),
        })?;
        for (key, row) in newer {
            visit(key, row);
        }
        Ok(())
    }
}

/// The entry of a bill number, and the positions of its orders.
#[derive(Debug)]
pub(crate) struct LocatedEntry {
    pub(crate) entry: BillEntry,
    /// Position of the save, present, pay, debit or refund.
    pub(crate) position: Position,
    /// Position of the order that gave back the pay last.
    pub(crate) given_back_at: Option<Position>,
}

/// The published rows of an order's keys at the time of the look-up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    /// Covers all orders before this position, and perhaps some after it.
    pub(crate) as_of: Position,
    /// Position of the last order under the bill number.
    pub(crate) bill: Option<Position>,
    /// Position of the last order under the bill number of a refund's pay.
    pub(crate) pay: Option<Position>,
    pub(crate) account: Option<AccountRow>,
}

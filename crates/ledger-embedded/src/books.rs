//! The books: the journal, its views on disk, and the tail of rows that the views do not hold yet.
//!
//! The writer alone changes them; everybody reads. A row is looked for in the tail first, newest first, and then
//! in the views, so that a reader sees an order as soon as it is published and never before it is durable.
//!
//! The tail's lock is held for look-ups and merges in memory only, never while a file is read or written.
//! A row that leaves the tail was written to the views before, so a reader that misses it in the tail finds it
//! there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard};

use pactolus_ledger::{
    Account, AccountKey, BillKey, Cursor, Day, Filed, Order, Page, Receipt, Total, TotalKey, Unavailable,
};
use pactolus_nouns::{AppId, Environment};

use crate::fingerprint::{Fingerprint, Map};
use crate::journal::entry::Entry;
use crate::journal::{Journal, Mark, Position, ReadError};
use crate::rows::{AccountRow, Names, RowSet, TotalRow};
use crate::views::{ViewError, Views};

/// What a store holds.
pub(crate) struct Books {
    pub(crate) journal: Arc<Journal>,
    pub(crate) views: Views,
    pub(crate) tail: RwLock<Tail>,
    failed: AtomicBool,
}

/// The rows that the views do not hold yet.
pub(crate) struct Tail {
    /// Where the published part of the journal ends.
    pub(crate) end: Mark,
    /// Rows of orders since the last bulk began.
    pub(crate) active: RowSet,
    /// Rows that are being written to the views.
    pub(crate) frozen: Option<Arc<RowSet>>,
    /// The accounts of the last bulk that was written, kept because whoever just got coins is likely to be asked
    /// about again. Rows that are newer are in one of the others.
    pub(crate) written: Map<AccountRow>,
}

impl Tail {
    /// Lets go of the frozen `rows`, which the views hold now.
    ///
    /// What is no longer needed comes back, to be dropped once the lock on the tail is not held: that takes a while.
    pub(crate) fn thaw(&mut self, rows: Arc<RowSet>) -> impl Sized + use<> {
        self.frozen = None;
        // Nobody holds them but the tail and who gave them here.
        let mut rows = Arc::into_inner(rows).unwrap_or_default();
        let written = std::mem::take(&mut rows.accounts);
        (std::mem::replace(&mut self.written, written), rows)
    }

    fn bill(&self, bill: Fingerprint) -> Option<Position> {
        let frozen = || self.frozen.as_deref().and_then(|rows| rows.bills.get(&bill));
        self.active.bills.get(&bill).or_else(frozen).copied()
    }

    fn account(&self, account: Fingerprint) -> Option<AccountRow> {
        let frozen = || self.frozen.as_deref().and_then(|rows| rows.accounts.get(&account));
        let written = || self.written.get(&account);
        self.active.accounts.get(&account).or_else(frozen).or_else(written).copied()
    }

    fn total(&self, key: &TotalKey) -> Option<TotalRow> {
        let frozen = || self.frozen.as_deref().and_then(|rows| rows.totals.get(key));
        self.active.totals.get(key).or_else(frozen).copied()
    }
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BooksError {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error("the order at position {} of the journal is not of the name that led to it", .0.0)]
    Names(Position),
}

impl Books {
    pub(crate) fn new(journal: Arc<Journal>, views: Views) -> Self {
        let tail =
            Tail { end: Mark::START, active: RowSet::default(), frozen: None, written: Map::default() };
        Self { journal, views, tail: RwLock::new(tail), failed: AtomicBool::new(false) }
    }

    /// Takes no more orders until the store is opened again.
    ///
    /// After a failed write or sync nobody knows what is on disk but who reads it anew; a second try that seems to
    /// succeed proves nothing.
    pub(crate) fn fail(&self, error: &(dyn std::error::Error + 'static)) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            tracing::error!(error, "the store failed and takes no more orders until it is opened again");
        }
    }

    pub(crate) fn check(&self) -> Result<(), Unavailable> {
        if self.failed.load(Ordering::Acquire) { Err(Unavailable::Failed) } else { Ok(()) }
    }

    /// The fingerprints of the names that an order concerns.
    pub(crate) fn names(&self, order: &Order) -> Names {
        let seed = self.views.seed;
        Names { bill: seed.bill(&order.bill()), account: seed.account(&order.account) }
    }

    /// What is published under each order's names, up to the mark that it returns.
    ///
    /// Names in memory are looked up for all at once, so that the lock is taken once and what the processor has to
    /// wait for is waited for together.
    pub(crate) fn look_up<'a>(
        &self,
        orders: impl Iterator<Item = (&'a Order, Names)> + Clone,
        known: &mut Vec<Known>,
    ) -> Result<Mark, BooksError> {
        known.clear();
        let end = {
            let tail = self.tail();
            let look_up = |(_, names): (_, Names)| Known {
                bill: tail.bill(names.bill),
                account: tail.account(names.account),
            };
            known.extend(orders.clone().map(look_up));
            tail.end
        };
        // Taken after the tail was looked at: what has left it since is here.
        let (bills, accounts) = (self.views.bills.runs(), self.views.accounts.runs());
        for (known, (order, names)) in known.iter_mut().zip(orders) {
            if known.bill.is_none() {
                known.bill = bills.find(names.bill).map_err(ViewError::from)?;
            }
            if known.account.is_none()
                && let Some(last) = accounts.find(names.account).map_err(ViewError::from)?
            {
                known.account = Some(self.account_row(&order.account, last)?);
            }
        }
        Ok(end)
    }

    /// The row of the account whose last order stands at `last`.
    fn account_row(&self, key: &AccountKey, last: Position) -> Result<AccountRow, BooksError> {
        let receipt = self.journal.entry(last)?.receipt;
        if receipt.order.account != *key {
            return Err(BooksError::Names(last));
        }
        Ok(AccountRow { last, account: receipt.after })
    }

    fn tail(&self) -> RwLockReadGuard<'_, Tail> {
        self.tail.read().expect("nothing panics while it changes the tail")
    }

    /// Where the last published order of an account stands, and the account after it.
    fn account_now(&self, key: &AccountKey) -> Result<Option<AccountRow>, BooksError> {
        let account = self.views.seed.account(key);
        let row = self.tail().account(account);
        if row.is_some() {
            return Ok(row);
        }
        let last = self.views.accounts.runs().find(account).map_err(ViewError::from)?;
        last.map(|last| self.account_row(key, last)).transpose()
    }

    /// Where the last published order under a bill number stands.
    pub(crate) fn bill_now(&self, bill: Fingerprint) -> Result<Option<Position>, BooksError> {
        let position = self.tail().bill(bill);
        match position {
            Some(position) => Ok(Some(position)),
            None => Ok(self.views.bills.runs().find(bill).map_err(ViewError::from)?),
        }
    }

    /// The sums of an offer, zone and day.
    pub(crate) fn total(&self, key: &TotalKey) -> Result<Option<TotalRow>, BooksError> {
        let row = self.tail().total(key);
        match row {
            Some(row) => Ok(Some(row)),
            None => Ok(self.views.total(key)?),
        }
    }

    /// Files in `rows`, on top of what is published, an order that stands at `position`.
    pub(crate) fn file(
        &self,
        rows: &mut RowSet,
        names: Names,
        receipt: &Receipt,
        position: Position,
    ) -> Result<(), BooksError> {
        rows.file(names, receipt, position, |key| self.total(key))
    }

    /// What the bill number made whose last order stands at `position`; `read` reads orders.
    pub(crate) fn filed_at(
        bill: &BillKey,
        position: Position,
        read: impl Fn(Position) -> Result<Entry, ReadError>,
    ) -> Result<Filed, BooksError> {
        let last = read(position)?;
        if last.receipt.order.bill() != *bill {
            return Err(BooksError::Names(position));
        }
        match last.follows.pay {
            None => Ok(Filed { receipt: last.receipt, cancel: None }),
            Some(pay) => Ok(Filed { receipt: read(pay)?.receipt, cancel: Some(last.receipt) }),
        }
    }

    /// Makes rows of durable orders visible, up to `end`; says how many bill numbers the tail gathered.
    pub(crate) fn publish(&self, rows: &RowSet, end: Mark) -> usize {
        let mut tail = self.tail.write().expect("nothing panics while it changes the tail");
        tail.active.add(rows);
        tail.end = end;
        tail.active.bills.len()
    }

    /// The published account.
    pub(crate) fn account(&self, key: &AccountKey) -> Result<Account, BooksError> {
        Ok(self.account_now(key)?.map_or_else(Account::default, |row| row.account))
    }

    /// What a bill number made.
    pub(crate) fn filed(&self, bill: &BillKey) -> Result<Option<Filed>, BooksError> {
        let last = self.bill_now(self.views.seed.bill(bill))?;
        last.map(|last| Self::filed_at(bill, last, |position| self.journal.entry(position))).transpose()
    }

    /// A page of an account's chain of orders.
    pub(crate) fn statement(
        &self,
        key: &AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, BooksError> {
        let Some(row) = self.account_now(key)? else {
            return Ok(Page::default());
        };
        let mut next = match after {
            None => Some(row.last),
            // A cursor comes from outside: it has to name an order of this account that is not newer than the last.
            Some(cursor) => Some(Position(cursor.get())).filter(|position| {
                *position <= row.last
                    && matches!(self.journal.entry(*position), Ok(entry) if entry.receipt.order.account == *key)
            }),
        };
        let mut receipts = Vec::new();
        while let Some(position) = next.filter(|_| receipts.len() < limit) {
            let entry = self.journal.entry(position)?;
            receipts.push(entry.receipt);
            next = entry.follows.previous;
        }
        Ok(Page { receipts, next: next.map(|position| Cursor::new(position.0)) })
    }

    /// The sums of an environment for some days, in the order of their keys.
    pub(crate) fn totals(
        &self,
        app: AppId,
        environment: Environment,
        from: Day,
        to: Day,
    ) -> Result<Vec<Total>, BooksError> {
        // The tail first: what leaves it meanwhile is then seen in the views, not lost between the two.
        let newer = {
            let tail = self.tail();
            let frozen = tail.frozen.as_deref().into_iter().flat_map(|rows| &rows.totals);
            let of_these = |key: &TotalKey| key.app == app && key.environment == environment;
            let rows = frozen.chain(&tail.active.totals).filter(|(key, _)| of_these(key));
            rows.map(|(key, row)| (*key, *row)).collect::<Vec<_>>()
        };
        let mut rows = BTreeMap::new();
        for (key, row) in self.views.totals(app, environment)?.into_iter().chain(newer) {
            let kept = rows.entry(key).or_insert(row);
            if kept.through < row.through {
                *kept = row;
            }
        }
        let totals = rows.into_iter().map(|(key, row)| Total { key, sums: row.sums });
        Ok(totals.filter(|total| from <= total.key.day && total.key.day <= to).collect())
    }
}

/// What is published under an order's names.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    /// Where the last order under the bill number stands.
    pub(crate) bill: Option<Position>,
    pub(crate) account: Option<AccountRow>,
}

//! The books: the journal, its views on disk, and the tail of rows that the views do not hold yet.
//!
//! The committer alone adds to them; everybody reads. A row is looked for in the tail first, and then in the views,
//! so that a reader sees an order as soon as it is published and never before it is durable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pactolus_ledger::{
    Account, AccountKey, BillEntry, BillKey, Cursor, Order, StatementPage, Total, TotalKey, Unavailable,
};
use pactolus_types::{AppId, Day, Environment};

use crate::disk::space::Room;
use crate::fingerprint::Fingerprint;
use crate::journal::entry::Entry;
use crate::journal::{Journal, Position, ReadError};
use crate::memtable::Tail;
use crate::rows::{AccountRow, Names, TotalRow};
use crate::settings::Settings;
use crate::views::{ViewError, Views};

/// What a store holds.
pub(crate) struct Books {
    pub(crate) journal: Arc<Journal>,
    pub(crate) views: Views,
    pub(crate) tail: Tail,
    pub(crate) room: Arc<Room>,
    failed: AtomicBool,
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
    pub(crate) fn new(journal: Arc<Journal>, views: Views, room: Arc<Room>, settings: &Settings) -> Self {
        Self { journal, views, tail: Tail::new(settings), room, failed: AtomicBool::new(false) }
    }

    /// Takes no more orders until the store is opened again. A full disk is no reason (`room`).
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

    /// What is published under an order's names.
    pub(crate) fn look_up(&self, account: &AccountKey, names: Names) -> Result<Known, BooksError> {
        // Asked first, so that what is missed below was published later and stands at this position or after it.
        let seen = self.tail.published();
        Ok(Known {
            seen,
            bill: self.bill_now(names.bill)?,
            account: self.account_now(account, names.account)?,
        })
    }

    /// The row of the account whose last order stands at `last`.
    fn account_row(&self, key: &AccountKey, last: Position) -> Result<AccountRow, BooksError> {
        let receipt = self.journal.entry(last)?.receipt;
        if receipt.order.account != *key {
            return Err(BooksError::Names(last));
        }
        Ok(AccountRow { last, account: receipt.after })
    }

    /// Where the last published order of an account stands, and the account after it.
    fn account_now(&self, key: &AccountKey, account: Fingerprint) -> Result<Option<AccountRow>, BooksError> {
        if let Some(row) = self.tail.account(account) {
            return Ok(Some(row));
        }
        // Taken after the tail was looked at: what has left it since is here.
        let last = self.views.accounts.runs().find(account).map_err(ViewError::from)?;
        last.map(|last| self.account_row(key, last)).transpose()
    }

    /// Where the last published order under a bill number stands.
    pub(crate) fn bill_now(&self, bill: Fingerprint) -> Result<Option<Position>, BooksError> {
        match self.tail.bill(bill) {
            Some(position) => Ok(Some(position)),
            None => Ok(self.views.bills.runs().find(bill).map_err(ViewError::from)?),
        }
    }

    /// The sums of an offer, zone and day.
    pub(crate) fn total(&self, key: &TotalKey) -> Result<Option<TotalRow>, BooksError> {
        match self.tail.total(key) {
            Some(row) => Ok(Some(row)),
            None => Ok(self.views.total(key)?),
        }
    }

    /// What the bill number made whose last order stands at `position`; `read` reads orders.
    pub(crate) fn filed_at(
        bill: &BillKey,
        position: Position,
        read: impl Fn(Position) -> Result<Entry, ReadError>,
    ) -> Result<BillEntry, BooksError> {
        let last = read(position)?;
        if last.receipt.order.bill() != *bill {
            return Err(BooksError::Names(position));
        }
        match last.follows.pay {
            None => Ok(BillEntry { receipt: last.receipt, cancel: None }),
            Some(pay) => Ok(BillEntry { receipt: read(pay)?.receipt, cancel: Some(last.receipt) }),
        }
    }

    /// The published account.
    pub(crate) fn account(&self, key: &AccountKey) -> Result<Account, BooksError> {
        let row = self.account_now(key, self.views.seed.account(key))?;
        Ok(row.map_or_else(Account::default, |row| row.account))
    }

    /// What a bill number made.
    pub(crate) fn filed(&self, bill: &BillKey) -> Result<Option<BillEntry>, BooksError> {
        let last = self.bill_now(self.views.seed.bill(bill))?;
        last.map(|last| self.filed_last(bill, last)).transpose()
    }

    /// What a bill number made whose last published order stands at `last`.
    pub(crate) fn filed_last(&self, bill: &BillKey, last: Position) -> Result<BillEntry, BooksError> {
        Self::filed_at(bill, last, |position| self.journal.entry(position))
    }

    /// A page of an account's chain of orders.
    pub(crate) fn statement(
        &self,
        key: &AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<StatementPage, BooksError> {
        let Some(row) = self.account_now(key, self.views.seed.account(key))? else {
            return Ok(StatementPage::default());
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
        Ok(StatementPage { receipts, next: next.map(|position| Cursor::new(position.0)) })
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
        let newer = self.tail.totals(|key| key.app == app && key.environment == environment);
        let mut rows = BTreeMap::new();
        for (key, row) in self.views.totals(app, environment)?.into_iter().chain(newer) {
            let kept = rows.entry(key).or_insert(row);
            if kept.through < row.through {
                *kept = row;
            }
        }
        let totals = rows.into_iter().map(|(key, row)| Total { key, tallies: row.sums });
        Ok(totals.filter(|total| from <= total.key.day && total.key.day <= to).collect())
    }
}

/// What was published under an order's names when they were looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    /// All orders before this position are taken into account, and perhaps some after it.
    pub(crate) seen: Position,
    /// Where the last order under the bill number stands.
    pub(crate) bill: Option<Position>,
    pub(crate) account: Option<AccountRow>,
}

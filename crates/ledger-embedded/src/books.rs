//! The books: the journal, its views on disk, and the tail of rows that the views do not hold yet.
//!
//! The writer alone changes them; everybody reads. A row is looked for in the tail first, newest first, and then
//! in the views, so that a reader sees an order as soon as it is published and never before it is durable.
//!
//! The tail's lock is held for look-ups and merges in memory only, never while a file is read or written.
//! A row that leaves the tail was written to the views before, so a reader that misses it in the tail finds it
//! there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use pactolus_ledger::{
    Account, AccountKey, BillKey, Cursor, Day, Filed, OrderKind, Page, Receipt, Total, TotalKey, Unavailable,
};
use pactolus_nouns::{AppId, Environment};

use crate::journal::entry::Entry;
use crate::journal::frame::FrameBuilder;
use crate::journal::{Journal, Mark, Position, ReadError};
use crate::rows::{
    AccountRow, BillRow, Row, RowSet, TotalRow, account_key, bill_key, environment_key, read_total_key,
    total_key,
};
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
    pub(crate) written: RowSet,
}

impl Tail {
    /// Lets go of the frozen `rows`, which the views hold now.
    ///
    /// What is no longer needed comes back, to be dropped once the lock on the tail is not held: that takes a while.
    pub(crate) fn thaw(&mut self, rows: Arc<RowSet>) -> impl Sized + use<> {
        self.frozen = None;
        // Nobody holds them but the tail and who gave them here.
        let mut rows = Arc::into_inner(rows).unwrap_or_default();
        let written = RowSet { accounts: std::mem::take(&mut rows.accounts), ..RowSet::default() };
        (std::mem::replace(&mut self.written, written), rows)
    }
}

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BooksError {
    #[error(transparent)]
    View(#[from] ViewError),
    #[error(transparent)]
    Journal(#[from] ReadError),
}

impl Books {
    pub(crate) fn new(journal: Arc<Journal>, views: Views) -> Self {
        let rows = RowSet::default;
        let tail = Tail { end: Mark::START, active: rows(), frozen: None, written: rows() };
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

    /// The newest published row with this key.
    pub(crate) fn row<R: Row>(&self, key: &[u8]) -> Result<Option<R>, BooksError> {
        {
            let tail = self.tail.read().expect("nothing panics while it changes the tail");
            let frozen = || tail.frozen.as_deref().and_then(|rows| R::of(rows).get(key));
            let written = || R::of(&tail.written).get(key);
            if let Some(row) = R::of(&tail.active).get(key).or_else(frozen).or_else(written) {
                return Ok(Some(*row));
            }
        }
        Ok(self.views.get(key)?)
    }

    /// Makes rows of durable orders visible, up to `end`, and leaves `rows` empty.
    pub(crate) fn publish(&self, rows: &mut RowSet, end: Mark) {
        let mut tail = self.tail.write().expect("nothing panics while it changes the tail");
        tail.active.absorb(rows);
        tail.end = end;
    }

    /// The published account.
    pub(crate) fn account(&self, key: &AccountKey) -> Result<Account, BooksError> {
        let mut bytes = Vec::new();
        account_key(&mut bytes, key);
        Ok(self.row::<AccountRow>(&bytes)?.map_or_else(Account::default, |row| row.account))
    }

    /// What a bill number made.
    pub(crate) fn filed(&self, bill: &BillKey) -> Result<Option<Filed>, BooksError> {
        let mut bytes = Vec::new();
        bill_key(&mut bytes, bill);
        let Some(row) = self.row::<BillRow>(&bytes)? else {
            return Ok(None);
        };
        let receipt = self.journal.entry(row.order)?.receipt;
        let cancel = row.cancel.map(|cancel| self.journal.entry(cancel)).transpose()?;
        Ok(Some(Filed { receipt, cancel: cancel.map(|entry| entry.receipt) }))
    }

    /// A page of an account's chain of orders.
    pub(crate) fn statement(
        &self,
        key: &AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, BooksError> {
        let mut bytes = Vec::new();
        account_key(&mut bytes, key);
        let Some(row) = self.row::<AccountRow>(&bytes)? else {
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
            next = entry.previous;
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
        let mut prefix = Vec::new();
        environment_key(&mut prefix, app, environment);
        // The tail first: what leaves it meanwhile is then seen in the views, not lost between the two.
        let newer = {
            let tail = self.tail.read().expect("nothing panics while it changes the tail");
            let frozen = tail.frozen.as_deref().into_iter().flat_map(|rows| &rows.totals);
            let rows = frozen.chain(&tail.active.totals);
            rows.map(|(key, row)| (key.to_vec(), *row)).collect::<Vec<_>>()
        };
        let mut rows = std::collections::BTreeMap::new();
        for row in self.views.prefix::<TotalRow>(&prefix) {
            let (key, row) = row?;
            rows.insert(key, row);
        }
        for (key, row) in newer {
            let kept = rows.entry(key).or_insert(row);
            if kept.through < row.through {
                *kept = row;
            }
        }
        let mut totals: Vec<Total> = rows
            .iter()
            .filter_map(|(key, row)| {
                Some(Total { key: read_total_key(app, environment, key)?, sums: row.sums })
            })
            .filter(|total| from <= total.key.day && total.key.day <= to)
            .collect();
        totals.sort_unstable_by_key(|total| total.key);
        Ok(totals)
    }
}

/// The books as a batch leaves them, before it is durable.
pub(crate) struct Draft<'a> {
    books: &'a Books,
    rows: &'a mut RowSet,
    key: Vec<u8>,
}

impl<'a> Draft<'a> {
    /// A draft on top of `books`, whose new rows go to `rows`.
    pub(crate) fn new(books: &'a Books, rows: &'a mut RowSet) -> Self {
        Self { books, rows, key: Vec::new() }
    }

    fn row<R: Row>(&self) -> Result<Option<R>, BooksError> {
        match R::of(self.rows).get(&*self.key) {
            Some(row) => Ok(Some(*row)),
            None => self.books.row(&self.key),
        }
    }

    fn set<R: Row>(&mut self, row: R) {
        let rows = R::of_mut(self.rows);
        match rows.get_mut(&*self.key) {
            Some(old) => *old = row,
            None => drop(rows.insert(self.key.as_slice().into(), row)),
        }
    }

    /// An account, and where its last order stands.
    pub(crate) fn account(&mut self, key: &AccountKey) -> Result<Option<AccountRow>, BooksError> {
        account_key(&mut self.key, key);
        self.row()
    }

    /// What a bill number made, in the books or in the batch.
    pub(crate) fn filed(
        &mut self,
        bill: &BillKey,
        batch: &FrameBuilder,
    ) -> Result<Option<Filed>, BooksError> {
        bill_key(&mut self.key, bill);
        let Some(row) = self.row::<BillRow>()? else {
            return Ok(None);
        };
        let read = |position: Position| -> Result<Entry, ReadError> {
            match batch.entry(position) {
                Some(entry) => Ok(entry),
                None => self.books.journal.entry(position),
            }
        };
        let cancel = row.cancel.map(read).transpose()?;
        Ok(Some(Filed { receipt: read(row.order)?.receipt, cancel: cancel.map(|entry| entry.receipt) }))
    }

    /// Files an order that stands at `position`. Filing it again changes nothing.
    pub(crate) fn file(&mut self, receipt: &Receipt, position: Position) -> Result<(), BooksError> {
        account_key(&mut self.key, &receipt.order.account);
        self.set(AccountRow { last: position, account: receipt.after });
        bill_key(&mut self.key, &receipt.order.bill());
        match receipt.order.kind {
            OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) => {
                self.set(BillRow { order: position, cancel: None });
            }
            OrderKind::Cancel { .. } => {
                let pay = self.row::<BillRow>()?.ok_or(ViewError::Row(BillRow::VIEW))?;
                self.set(BillRow { cancel: Some(position), ..pay });
            }
        }
        total_key(&mut self.key, &TotalKey::of(receipt));
        let row = self.row::<TotalRow>()?;
        if row.is_none_or(|row| row.through < position) {
            let mut sums = row.map_or_else(Default::default, |row| row.sums);
            sums.count(receipt);
            self.set(TotalRow { through: position, sums });
        }
        Ok(())
    }
}

//! A draft: the books as a batch leaves them, before it is durable.
//!
//! A batch is drafted while the one before it is still written. So what it finds is, in this order: its own rows,
//! those of the batches ahead of it, and what is published.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::{BillKey, Filed, Receipt};

use crate::books::{Books, BooksError, Known};
use crate::journal::Position;
use crate::journal::entry::Follows;
use crate::journal::frame::{Frame, FrameBuilder};
use crate::rows::{AccountRow, Names, RowSet};

/// A batch that was decided: what it adds to the journal and to the books.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) frame: Frame,
    pub(crate) rows: RowSet,
}

/// A batch while it is decided.
pub(crate) struct Draft<'a> {
    books: &'a Books,
    ahead: &'a VecDeque<Arc<Batch>>,
    frame: FrameBuilder,
    rows: RowSet,
}

impl<'a> Draft<'a> {
    /// A draft on top of `books` and of the batches `ahead`, the oldest first, which will go into `frame`.
    pub(crate) fn new(books: &'a Books, ahead: &'a VecDeque<Arc<Batch>>, frame: FrameBuilder) -> Self {
        Self { books, ahead, frame, rows: RowSet::default() }
    }

    /// An account, of which `known` is published.
    pub(crate) fn account(&self, names: Names, known: &Known) -> Option<AccountRow> {
        self.newest(|rows| rows.accounts.get(&names.account).copied()).or(known.account)
    }

    /// Where the last order under a bill number stands, of which `known` is published.
    pub(crate) fn bill(&self, names: Names, known: &Known) -> Option<Position> {
        self.newest(|rows| rows.bills.get(&names.bill).copied()).or(known.bill)
    }

    fn newest<T>(&self, row: impl Fn(&RowSet) -> Option<T>) -> Option<T> {
        row(&self.rows).or_else(|| self.ahead.iter().rev().find_map(|batch| row(&batch.rows)))
    }

    /// What the bill number made whose last order stands at `position`.
    pub(crate) fn filed(&self, bill: &BillKey, position: Position) -> Result<Filed, BooksError> {
        Books::filed_at(bill, position, |position| {
            let ahead = || self.ahead.iter().find_map(|batch| batch.frame.entry(position));
            match self.frame.entry(position).or_else(ahead) {
                Some(entry) => Ok(entry),
                None => self.books.journal.entry(position),
            }
        })
    }

    /// Adds an order that applies.
    pub(crate) fn apply(
        &mut self,
        names: Names,
        receipt: &Receipt,
        follows: Follows,
    ) -> Result<(), BooksError> {
        let position = self.frame.add(receipt, follows);
        self.rows.file(names, receipt, position, |key| {
            match self.ahead.iter().rev().find_map(|batch| batch.rows.totals.get(key)) {
                Some(row) => Ok(Some(*row)),
                None => self.books.total(key),
            }
        })
    }

    /// The batch, or nothing if no order applied.
    pub(crate) fn finish(self) -> Option<Batch> {
        Some(Batch { frame: self.frame.finish()?, rows: self.rows })
    }
}

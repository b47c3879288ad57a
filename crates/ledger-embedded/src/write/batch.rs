//! A draft: a batch while it is decided.
//!
//! A batch is drafted while the one before it is still written. So what an order finds is, in this order: what was
//! decided lately, durable or not, and what its request has looked up among what is published.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::{
    Account, BillEntry, BillKey, Decision, Order, OrderEffect, OrderKind, Refusal, decide,
};
use pactolus_types::UnixMillis;

use crate::journal::Position;
use crate::journal::entry::Follows;
use crate::journal::frame::{Frame, FrameBuilder};
use crate::rows::{self, Names, OrderRow, Totals};
use crate::state::{Books, BooksError, Known};
use crate::write::recent::Recent;
use crate::write::request::Outcome;

/// A batch that was decided: what it adds to the journal and to the books.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<OrderRow>,
    pub(crate) totals: Totals,
}

/// A batch while it is decided.
pub(crate) struct Draft<'a> {
    books: &'a Books,
    recent: &'a mut Recent,
    /// Batches that were decided and may not be published yet, the oldest first.
    ahead: &'a VecDeque<Arc<Batch>>,
    frame: FrameBuilder,
    rows: Vec<OrderRow>,
    totals: Totals,
}

impl<'a> Draft<'a> {
    /// A draft on top of what is published and what was decided lately, for about so many orders, which will go
    /// into `frame`.
    pub(crate) fn new(
        books: &'a Books,
        recent: &'a mut Recent,
        ahead: &'a VecDeque<Arc<Batch>>,
        frame: FrameBuilder,
        orders: usize,
    ) -> Self {
        let rows = Vec::with_capacity(orders);
        Self { books, recent, ahead, frame, rows, totals: Totals::default() }
    }

    /// Decides an order, and adds it if it applies. `known` is what its request has looked up.
    pub(crate) fn decide(
        &mut self,
        order: &Order,
        names: Names,
        known: Known,
        now: UnixMillis,
    ) -> Result<Result<Outcome, Refusal>, BooksError> {
        let known = if known.seen < self.recent.since() {
            // It waited for so long that some of what happened since is no longer among what is recent.
            self.books.look_up(&order.account, names)?
        } else {
            known
        };
        let last = self.recent.bill(names.bill).or(known.bill);
        let row = self.recent.account(names.account).or(known.account);
        let earlier = last.map(|last| self.filed(&order.bill(), last)).transpose()?;
        let account = row.map_or_else(Account::default, |row| row.account);
        Ok(match decide(&account, earlier.as_ref(), order, now) {
            Err(refusal) => Err(refusal),
            Ok(Decision::Replay(receipt)) => Ok(Outcome::Replayed(Box::new(receipt.clone()), account)),
            Ok(Decision::Apply(change)) => {
                // A cancel applies only where the last order under its bill number is the pay.
                let pay = last.filter(|_| matches!(order.kind, OrderKind::Cancel { .. }));
                self.apply(order, names, &change, Follows { previous: row.map(|row| row.last), pay })?;
                Ok(Outcome::Applied(change))
            }
        })
    }

    /// What the bill number made whose last order stands at `position`.
    fn filed(&self, bill: &BillKey, position: Position) -> Result<BillEntry, BooksError> {
        Books::filed_at(bill, position, |position| {
            let ahead = || self.ahead.iter().find_map(|batch| batch.frame.entry(position));
            match self.frame.entry(position).or_else(ahead) {
                Some(entry) => Ok(entry),
                None => self.books.journal.entry(position),
            }
        })
    }

    fn apply(
        &mut self,
        order: &Order,
        names: Names,
        change: &OrderEffect,
        follows: Follows,
    ) -> Result<(), BooksError> {
        let position = self.frame.add(order, change, follows);
        let row = OrderRow { names, position, after: change.after };
        self.recent.add(&row);
        self.rows.push(row);
        rows::count(&mut self.totals, order, change, position, |key| {
            match self.ahead.iter().rev().find_map(|batch| batch.totals.get(key)) {
                Some(row) => Ok(Some(*row)),
                None => self.books.total(key),
            }
        })
    }

    /// The batch, or nothing if no order applied.
    pub(crate) fn finish(self) -> Option<Batch> {
        Some(Batch { frame: self.frame.finish()?, rows: self.rows, totals: self.totals })
    }
}

//! Batch builder: decides the orders of one batch.
//!
//! A batch is built while the one before it is still being written. So an order is decided against the orders decided
//! lately, durable or not, and then against the published rows that its request looked up.

use std::collections::VecDeque;
use std::sync::Arc;

use pactolus_ledger::{
    Account, BillKey, Decision, Order, OrderEffect, OrderKind, PriorEntries, Refusal, decide,
};

use crate::journal::Position;
use crate::journal::entry::Links;
use crate::journal::frame::{Frame, FrameBuilder};
use crate::rows::{self, OrderKeys, OrderRow, Totals};
use crate::state::{LocatedEntry, LookupError, StoreState};
use crate::write::recent::Recent;
use crate::write::request::{DecideOutcome, PostRequest};

/// A decided batch: its frame for the journal, and its rows for the memtable.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) frame: Frame,
    pub(crate) rows: Vec<OrderRow>,
    pub(crate) totals: Totals,
}

pub(crate) struct BatchBuilder<'a> {
    state: &'a StoreState,
    recent: &'a mut Recent,
    /// Decided batches that may not be published yet, the oldest first.
    in_flight: &'a VecDeque<Arc<Batch>>,
    frame: FrameBuilder,
    rows: Vec<OrderRow>,
    totals: Totals,
}

impl<'a> BatchBuilder<'a> {
    /// A batch of about `orders` orders on top of the published and the recent ones, encoded into `frame`.
    pub(crate) fn new(
        state: &'a StoreState,
        recent: &'a mut Recent,
        in_flight: &'a VecDeque<Arc<Batch>>,
        frame: FrameBuilder,
        orders: usize,
    ) -> Self {
        let rows = Vec::with_capacity(orders);
        Self { state, recent, in_flight, frame, rows, totals: Totals::default() }
    }

    /// Decides an order, and adds it if it applies.
    pub(crate) fn decide(
        &mut self,
        post: &PostRequest,
    ) -> Result<Result<DecideOutcome, Refusal>, LookupError> {
        let PostRequest { order, keys, lookup, earlier, now, .. } = post;
        let (keys, lookup, now) = (*keys, *lookup, *now);
        let read_at = lookup.bill;
        let lookup = if lookup.as_of < self.recent.since() {
            // It queued so long that `recent` has dropped orders decided since its look-up.
            self.state.look_up(&order.account, keys)?
        } else {
            lookup
        };
        let last_bill = self.recent.bill(keys.bill).or(lookup.bill);
        let last_pay = keys.pay.and_then(|pay| self.recent.bill(pay)).or(lookup.pay);
        let row = self.recent.account(keys.account).or(lookup.account);
        let read;
        let number = match (last_bill, earlier) {
            (None, _) => None,
            (Some(_), Some(earlier)) if last_bill == read_at => Some(&**earlier),
            // Decided since the request looked it up.
            (Some(last_bill), _) => {
                read = self.bill_entry(&order.bill(), last_bill)?.entry;
                Some(&read)
            }
        };
        let pay = match (order.pay_bill(), last_pay) {
            (Some(bill), Some(last)) => Some(self.bill_entry(&bill, last)?),
            (Some(_) | None, _) => None,
        };
        let account = row.map_or_else(Account::default, |row| row.account);
        let earlier = PriorEntries { number, pay: pay.as_ref().map(|located| &located.entry) };
        Ok(match decide(&account, earlier, order, now) {
            Err(refusal) => Err(refusal),
            Ok(Decision::Replay(receipt)) => Ok(DecideOutcome::Replayed(Box::new(receipt.clone()), account)),
            Ok(Decision::Apply(change)) => {
                // A cancel applies only if the last order under its bill number is the pay.
                let cancelled = last_bill.filter(|_| matches!(order.kind, OrderKind::Cancel { .. }));
                let links = Links {
                    previous: row.map(|row| row.last),
                    pay: pay.as_ref().map(|pay| pay.position).or(cancelled),
                    refund: pay.as_ref().and_then(|pay| pay.given_back_at),
                };
                self.apply(order, keys, &change, links);
                Ok(DecideOutcome::Applied(change))
            }
        })
    }

    /// The entry of the bill number whose last order stands at `position`.
    fn bill_entry(&self, bill: &BillKey, position: Position) -> Result<LocatedEntry, LookupError> {
        self.state.bill_entry_with(bill, position, |position| {
            let in_flight = || self.in_flight.iter().find_map(|batch| batch.frame.entry(position));
            match self.frame.entry(position).or_else(in_flight) {
                Some(entry) => Ok(entry),
                None => self.state.journal.entry(position),
            }
        })
    }

    /// Adds an order. It cannot fail, so an order that cannot be read never leaves a batch half built.
    fn apply(&mut self, order: &Order, keys: OrderKeys, change: &OrderEffect, links: Links) {
        let position = self.frame.add(order, change, links);
        let row = OrderRow { keys, position, after: change.after };
        self.recent.add(&row);
        self.rows.push(row);
        let counted = rows::count(&mut self.totals, order, change, position, |key| {
            match self.in_flight.iter().rev().find_map(|batch| batch.totals.get(key)) {
                Some(row) => Ok(Some(*row)),
                None => self.state.total(key),
            }
        });
        if let Err(error) = counted {
            // Damaged totals refuse no order: the views write none from now on, and the next opening counts them again.
            self.state.refuse(&error);
        }
    }

    /// The batch, or `None` if no order applied.
    pub(crate) fn finish(self) -> Option<Batch> {
        Some(Batch { frame: self.frame.finish()?, rows: self.rows, totals: self.totals })
    }
}

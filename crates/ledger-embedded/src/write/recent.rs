//! The rows of the newest decided orders, published or not, for the writer alone.
//!
//! A request looks its names up before it queues. What was decided since then is here, so that the writer need not
//! look anywhere else.

use crate::fingerprint::Fingerprint;
use crate::journal::Position;
use crate::rows::{AccountRow, OrderRow, RowSet};

/// How many orders are gathered before older ones are forgotten: two of the largest batches, so that a request
/// which does not wait long is seldom older.
const GENERATION_ORDERS: usize = 8192;

/// Rows of all orders that stand at [`Recent::since`] or after it.
pub(crate) struct Recent {
    /// Rows of orders from `turned` on.
    newer: RowSet,
    /// Rows of orders from `since` to `turned`.
    older: RowSet,
    since: Position,
    rotated_at: Position,
}

impl Recent {
    /// Nothing yet; the next order will stand at `end` or after it.
    pub(crate) fn new(end: Position) -> Self {
        Self {
            newer: RowSet::with_capacity(GENERATION_ORDERS),
            older: RowSet::with_capacity(GENERATION_ORDERS),
            since: end,
            rotated_at: end,
        }
    }

    /// From where on every decided order is here.
    pub(crate) fn since(&self) -> Position {
        self.since
    }

    /// Where the last order under a bill number stands, if it is one of these.
    pub(crate) fn bill(&self, bill: Fingerprint) -> Option<Position> {
        self.newer.bills.get(&bill).or_else(|| self.older.bills.get(&bill)).copied()
    }

    /// The account after the last order of it that is one of these.
    pub(crate) fn account(&self, account: Fingerprint) -> Option<AccountRow> {
        self.newer.accounts.get(&account).or_else(|| self.older.accounts.get(&account)).copied()
    }

    /// Adds an order.
    pub(crate) fn add(&mut self, row: &OrderRow) {
        self.newer.add(row);
    }

    /// Forgets older orders once there are enough newer ones. Only `published` ones, which everybody can look up;
    /// the next order will stand at `end`.
    pub(crate) fn rotate(&mut self, published: Position, end: Position) {
        if self.newer.bills.len() >= GENERATION_ORDERS && self.rotated_at <= published {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.clear();
            self.since = self.rotated_at;
            self.rotated_at = end;
        }
    }
}

//! The rows of the newest decided orders, published or not, for the writer alone.
//!
//! A request looks its names up before it queues. What was decided since then is here, so that the writer need not
//! look anywhere else.

use crate::fingerprint::Fingerprint;
use crate::journal::Position;
use crate::rows::{AccountRow, OrderRow, Rows};

/// How many orders are gathered before older ones are forgotten: two of the largest batches, so that a request
/// which does not wait long is seldom older.
const ORDERS: usize = 8192;

/// Rows of all orders that stand at [`Recent::since`] or after it.
pub(crate) struct Recent {
    /// Rows of orders from `turned` on.
    young: Rows,
    /// Rows of orders from `since` to `turned`.
    old: Rows,
    since: Position,
    turned: Position,
}

impl Recent {
    /// Nothing yet; the next order will stand at `end` or after it.
    pub(crate) fn new(end: Position) -> Self {
        Self { young: Rows::with_room(ORDERS), old: Rows::with_room(ORDERS), since: end, turned: end }
    }

    /// From where on every decided order is here.
    pub(crate) fn since(&self) -> Position {
        self.since
    }

    /// Where the last order under a bill number stands, if it is one of these.
    pub(crate) fn bill(&self, bill: Fingerprint) -> Option<Position> {
        self.young.bills.get(&bill).or_else(|| self.old.bills.get(&bill)).copied()
    }

    /// The account after the last order of it that is one of these.
    pub(crate) fn account(&self, account: Fingerprint) -> Option<AccountRow> {
        self.young.accounts.get(&account).or_else(|| self.old.accounts.get(&account)).copied()
    }

    /// Adds an order.
    pub(crate) fn add(&mut self, row: &OrderRow) {
        self.young.add(row);
    }

    /// Forgets older orders once there are enough newer ones. Only `published` ones, which everybody can look up;
    /// the next order will stand at `end`.
    pub(crate) fn forget(&mut self, published: Position, end: Position) {
        if self.young.bills.len() >= ORDERS && self.turned <= published {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.since = self.turned;
            self.turned = end;
        }
    }
}

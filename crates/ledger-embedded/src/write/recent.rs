//! Rows of the newest decided orders, published or not, for the writer alone.
//!
//! A request looks its keys up before it queues. The orders decided since then are here, so the writer need not look
//! anywhere else.

use crate::fingerprint::Fingerprint;
use crate::journal::Position;
use crate::rows::{AccountRow, OrderRow, RowSet};

/// Orders per generation: two of the largest batches, so that the look-up of a request that does not queue long is
/// seldom older.
const GENERATION_ORDERS: usize = 8192;

/// Rows of all orders that stand at [`Recent::since`] or after it.
pub(crate) struct Recent {
    /// Rows of orders from `rotated_at` on.
    newer: RowSet,
    /// Rows of orders from `since` to `rotated_at`.
    older: RowSet,
    since: Position,
    rotated_at: Position,
}

impl Recent {
    /// Empty; the next order will stand at `end` or after it.
    pub(crate) fn new(end: Position) -> Self {
        Self {
            newer: RowSet::with_capacity(GENERATION_ORDERS),
            older: RowSet::with_capacity(GENERATION_ORDERS),
            since: end,
            rotated_at: end,
        }
    }

    /// Every order decided at this position or after it is here.
    pub(crate) fn since(&self) -> Position {
        self.since
    }

    /// Position of the last order under a bill number, if it is recent.
    pub(crate) fn bill(&self, bill: Fingerprint) -> Option<Position> {
        self.newer.bills.get(&bill).or_else(|| self.older.bills.get(&bill)).copied()
    }

    /// The account after its last recent order.
    pub(crate) fn account(&self, account: Fingerprint) -> Option<AccountRow> {
        self.newer.accounts.get(&account).or_else(|| self.older.accounts.get(&account)).copied()
    }

    pub(crate) fn add(&mut self, row: &OrderRow) {
        self.newer.add(row);
    }

    /// Drops the older generation once the newer is full. It drops only published orders, which every look-up finds;
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

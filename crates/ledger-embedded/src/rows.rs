//! The rows of the books: what orders make true, by the names they concern.
//!
//! Every row says what is true now, never a difference, so that filing an order twice does no harm; where a row
//! sums orders up, it says which is the last that it counts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pactolus_ledger::{Account, Order, OrderEffect, OrderTallies, TotalKey};

use crate::fingerprint::{Fingerprint, FingerprintMap};
use crate::journal::Position;

/// The names that an order concerns, as fingerprints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderKeys {
    pub(crate) bill: Fingerprint,
    pub(crate) account: Fingerprint,
}

/// What one order makes true under its names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderRow {
    pub(crate) keys: OrderKeys,
    pub(crate) position: Position,
    pub(crate) after: Account,
}

/// An account, and where its last order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) last: Position,
    pub(crate) account: Account,
}

impl From<&OrderRow> for AccountRow {
    fn from(row: &OrderRow) -> Self {
        Self { last: row.position, account: row.after }
    }
}

/// Rows by the fingerprints of their names.
#[derive(Debug, Default)]
pub(crate) struct RowSet {
    /// Where the last order under a bill number stands: a save, present or pay, or the cancel of a pay.
    pub(crate) bills: FingerprintMap<Position>,
    pub(crate) accounts: FingerprintMap<AccountRow>,
}

impl RowSet {
    /// No rows yet, and room for those of so many orders.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        Self {
            bills: FingerprintMap::with_capacity_and_hasher(orders, <_>::default()),
            accounts: FingerprintMap::with_capacity_and_hasher(orders, <_>::default()),
        }
    }

    /// Adds what an order makes true.
    pub(crate) fn add(&mut self, row: &OrderRow) {
        self.bills.insert(row.keys.bill, row.position);
        self.accounts.insert(row.keys.account, row.into());
    }

    /// Lets go of all rows, and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.bills.clear();
        self.accounts.clear();
    }
}

/// Sums per offer, zone and day.
pub(crate) type Totals = HashMap<TotalKey, TotalRow, foldhash::quality::RandomState>;

/// The sums of an offer, zone and day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TotalRow {
    /// The last order that is counted; none stands at the beginning of the journal.
    pub(crate) through: Position,
    pub(crate) sums: OrderTallies,
}

/// Counts an order that stands at `position`, if it is not counted yet; `before` tells what was summed up before
/// these totals.
pub(crate) fn count<E>(
    totals: &mut Totals,
    order: &Order,
    change: &OrderEffect,
    position: Position,
    before: impl FnOnce(&TotalKey) -> Result<Option<TotalRow>, E>,
) -> Result<(), E> {
    let row = match totals.entry(TotalKey::for_order(order, change.at)) {
        Entry::Occupied(row) => row.into_mut(),
        Entry::Vacant(place) => {
            let before = before(place.key())?;
            place.insert(before.unwrap_or_default())
        }
    };
    if row.through < position {
        row.sums.add(order.kind, change.coins);
        row.through = position;
    }
    Ok(())
}

//! Rows of the views: the effect of orders, by key.
//!
//! A row states the current value, never a difference, so adding an order twice is idempotent. A row of totals names
//! the last order that it counts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pactolus_ledger::{Account, Order, OrderEffect, OrderTallies, TotalKey};

use crate::fingerprint::{Fingerprint, FingerprintMap};
use crate::journal::Position;

/// The key hashes of an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderKeys {
    pub(crate) bill: Fingerprint,
    pub(crate) account: Fingerprint,
    /// For a refund, the bill number of its pay.
    pub(crate) pay: Option<Fingerprint>,
}

impl OrderKeys {
    /// The bill numbers under which the order is the last.
    pub(crate) fn bills(self) -> impl Iterator<Item = Fingerprint> {
        std::iter::once(self.bill).chain(self.pay)
    }
}

/// The effect of one order on the rows of its keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OrderRow {
    pub(crate) keys: OrderKeys,
    pub(crate) position: Position,
    pub(crate) after: Account,
}

/// An account, and the position of its last order.
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

/// Rows by key hash.
#[derive(Debug, Default)]
pub(crate) struct RowSet {
    /// Position of the last order under a bill number: a save, present, pay, debit or refund, or the order that gave
    /// back a pay last.
    pub(crate) bills: FingerprintMap<Position>,
    pub(crate) accounts: FingerprintMap<AccountRow>,
}

impl RowSet {
    /// Empty, with capacity for the rows of so many orders.
    pub(crate) fn with_capacity(orders: usize) -> Self {
        Self {
            bills: FingerprintMap::with_capacity_and_hasher(orders, <_>::default()),
            accounts: FingerprintMap::with_capacity_and_hasher(orders, <_>::default()),
        }
    }

    pub(crate) fn add(&mut self, row: &OrderRow) {
        for bill in row.keys.bills() {
            self.bills.insert(bill, row.position);
        }
        self.accounts.insert(row.keys.account, row.into());
    }

    /// Removes all rows and keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.bills.clear();
        self.accounts.clear();
    }
}

/// Totals per offer, zone and quarter of an hour.
pub(crate) type Totals = HashMap<TotalKey, TotalRow, foldhash::quality::RandomState>;

/// The totals of an offer, zone and quarter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TotalRow {
    /// The last order counted. No order stands at zero, the start of the journal.
    pub(crate) through: Position,
    pub(crate) sums: OrderTallies,
}

/// Counts an order that stands at `position`, unless it is counted already. `before` looks up the totals before
/// these.
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

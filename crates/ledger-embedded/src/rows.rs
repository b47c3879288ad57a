//! The rows of the books: what orders make true, by the names they concern.
//!
//! Every row says what is true now, never a difference, so that filing an order twice does no harm; where a row
//! sums orders up, it says which is the last that it counts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pactolus_ledger::{Account, Receipt, Sums, TotalKey};

use crate::fingerprint::{Fingerprint, Map};
use crate::journal::Position;

/// Rows, of accounts and bill numbers by the fingerprints of their names.
#[derive(Debug, Default)]
pub(crate) struct RowSet {
    /// Where the last order under a bill number stands: a save, present or pay, or the cancel of a pay.
    pub(crate) bills: Map<Position>,
    pub(crate) accounts: Map<AccountRow>,
    pub(crate) totals: Totals,
}

/// Sums per offer, zone and day.
pub(crate) type Totals = HashMap<TotalKey, TotalRow, foldhash::quality::RandomState>;

/// An account, and where its last order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) last: Position,
    pub(crate) account: Account,
}

/// The sums of an offer, zone and day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TotalRow {
    /// The last order that is counted; none stands at the beginning of the journal.
    pub(crate) through: Position,
    pub(crate) sums: Sums,
}

impl TotalRow {
    /// Counts the order that stands at `position`, if it is not counted yet.
    fn count(&mut self, receipt: &Receipt, position: Position) {
        if self.through < position {
            self.sums.count(receipt);
            self.through = position;
        }
    }
}

/// The names that an order concerns, as fingerprints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    pub(crate) bill: Fingerprint,
    pub(crate) account: Fingerprint,
}

impl RowSet {
    /// Files an order that stands at `position`; `total` says what was summed up before these rows.
    ///
    /// Filing it again changes nothing.
    pub(crate) fn file<E>(
        &mut self,
        names: Names,
        receipt: &Receipt,
        position: Position,
        total: impl FnOnce(&TotalKey) -> Result<Option<TotalRow>, E>,
    ) -> Result<(), E> {
        self.bills.insert(names.bill, position);
        self.accounts.insert(names.account, AccountRow { last: position, account: receipt.after });
        let row = match self.totals.entry(TotalKey::of(receipt)) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(place) => {
                let before = total(place.key())?;
                place.insert(before.unwrap_or_default())
            }
        };
        row.count(receipt, position);
        Ok(())
    }

    /// Puts `newer` rows over these.
    pub(crate) fn add(&mut self, newer: &Self) {
        self.bills.extend(&newer.bills);
        self.accounts.extend(&newer.accounts);
        self.totals.extend(&newer.totals);
    }
}

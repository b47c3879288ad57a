//! The rows of the books: what orders make true, by the names they concern.
//!
//! Every row says what is true now, never a difference, so that filing an order twice does no harm; where a row
//! sums orders up, it says which is the last that it counts.

use std::collections::HashMap;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TotalRow {
    /// The last order that is counted.
    pub(crate) through: Position,
    pub(crate) sums: Sums,
}

/// The names that an order concerns, as fingerprints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    pub(crate) bill: Fingerprint,
    pub(crate) account: Fingerprint,
}

impl RowSet {
    /// Files an order that stands at `position`, but for the sums that it counts to.
    pub(crate) fn file(&mut self, names: Names, receipt: &Receipt, position: Position) {
        self.bills.insert(names.bill, position);
        self.accounts.insert(names.account, AccountRow { last: position, account: receipt.after });
    }

    /// Puts `newer` rows over these, and leaves it empty.
    pub(crate) fn absorb(&mut self, newer: &mut Self) {
        self.bills.extend(newer.bills.drain());
        self.accounts.extend(newer.accounts.drain());
        self.totals.extend(newer.totals.drain());
    }
}

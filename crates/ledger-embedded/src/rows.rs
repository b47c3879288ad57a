//! The rows of the views: what can be looked up without reading the journal from its beginning.
//!
//! Every row says what is true now, never a difference, so that filing an order twice does no harm; where a row
//! sums orders up, it says which is the last that it counts.

use std::collections::HashMap;

use pactolus_ledger::{Account, AccountKey, BillKey, Sums, Tally, TotalKey};
use pactolus_nouns::{AppId, Environment};

use crate::codec::{Reader, put_varint};
use crate::journal::Position;
use crate::journal::entry::{put_account, read_account};

/// Rows of one view, by key.
///
/// Every order is looked up in six of these, so they hash fast; seeded at random all the same, because names come
/// from outside.
pub(crate) type Rows<R> = HashMap<Box<[u8]>, R, foldhash::quality::RandomState>;

/// Rows of every view.
#[derive(Debug, Default)]
pub(crate) struct RowSet {
    pub(crate) bills: Rows<BillRow>,
    pub(crate) accounts: Rows<AccountRow>,
    pub(crate) totals: Rows<TotalRow>,
}

impl RowSet {
    /// Puts `newer` rows over these, and leaves it empty.
    pub(crate) fn absorb(&mut self, newer: &mut Self) {
        self.bills.extend(newer.bills.drain());
        self.accounts.extend(newer.accounts.drain());
        self.totals.extend(newer.totals.drain());
    }
}

/// A row of one of the views.
pub(crate) trait Row: Copy {
    /// The rows of this kind in a set.
    fn of(set: &RowSet) -> &Rows<Self>;
    /// The rows of this kind in a set, to change.
    fn of_mut(set: &mut RowSet) -> &mut Rows<Self>;
    /// The name of the view.
    const VIEW: &'static str;
    /// Appends the row's bytes.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads what [`Row::put`] wrote.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// What a bill number made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BillRow {
    /// The save, present or pay.
    pub(crate) order: Position,
    /// The cancel of it.
    pub(crate) cancel: Option<Position>,
}

impl Row for BillRow {
    const VIEW: &'static str = "bills";

    fn of(set: &RowSet) -> &Rows<Self> {
        &set.bills
    }

    fn of_mut(set: &mut RowSet) -> &mut Rows<Self> {
        &mut set.bills
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.order.0);
        if let Some(cancel) = self.cancel {
            put_varint(out, cancel.0);
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let order = Position(reader.varint()?);
        let cancel = if reader.is_empty() { None } else { Some(Position(reader.varint()?)) };
        reader.is_empty().then_some(Self { order, cancel })
    }
}

/// An account, and where its last order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) last: Position,
    pub(crate) account: Account,
}

impl Row for AccountRow {
    const VIEW: &'static str = "accounts";

    fn of(set: &RowSet) -> &Rows<Self> {
        &set.accounts
    }

    fn of_mut(set: &mut RowSet) -> &mut Rows<Self> {
        &mut set.accounts
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.last.0);
        put_account(out, &self.account);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let row = Self { last: Position(reader.varint()?), account: read_account(&mut reader)? };
        reader.is_empty().then_some(row)
    }
}

/// The sums of an offer, zone and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TotalRow {
    /// The last order that is counted.
    pub(crate) through: Position,
    pub(crate) sums: Sums,
}

impl Row for TotalRow {
    const VIEW: &'static str = "totals";

    fn of(set: &RowSet) -> &Rows<Self> {
        &set.totals
    }

    fn of_mut(set: &mut RowSet) -> &mut Rows<Self> {
        &mut set.totals
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.through.0);
        for (_, tally) in self.sums.by_kind() {
            put_varint(out, tally.orders);
            out.extend_from_slice(&tally.coins.to_le_bytes());
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let through = Position(reader.varint()?);
        let mut tally =
            || Some(Tally { orders: reader.varint()?, coins: u128::from_le_bytes(reader.array()?) });
        let sums = Sums { saves: tally()?, presents: tally()?, pays: tally()?, cancels: tally()? };
        reader.is_empty().then_some(Self { through, sums })
    }
}

// Keys: names ended by a zero byte, which no name can hold.

/// The key of a bill number's row.
pub(crate) fn bill_key(out: &mut Vec<u8>, bill: &BillKey) {
    environment_key(out, bill.app, bill.environment);
    out.extend_from_slice(bill.bill_no.as_str().as_bytes());
}

/// The key of an account's row.
pub(crate) fn account_key(out: &mut Vec<u8>, account: &AccountKey) {
    environment_key(out, account.app, account.environment);
    put_name(out, account.offer.as_str());
    put_name(out, account.player.as_str());
    out.extend_from_slice(account.zone.as_str().as_bytes());
}

/// The key of a total's row.
pub(crate) fn total_key(out: &mut Vec<u8>, total: &TotalKey) {
    environment_key(out, total.app, total.environment);
    put_name(out, total.offer.as_str());
    put_name(out, total.zone.as_str());
    out.extend_from_slice(&total.day.get().to_be_bytes());
}

/// What all keys of an app's environment begin with.
pub(crate) fn environment_key(out: &mut Vec<u8>, app: AppId, environment: Environment) {
    out.clear();
    put_name(out, app.as_str());
    out.push(match environment {
        Environment::Live => 0,
        Environment::Sandbox => 1,
    });
}

/// The total that a key names.
pub(crate) fn read_total_key(app: AppId, environment: Environment, key: &[u8]) -> Option<TotalKey> {
    let mut prefix = Vec::new();
    environment_key(&mut prefix, app, environment);
    let (names, day) = key.strip_prefix(&*prefix)?.split_last_chunk()?;
    let mut names = names.split(|byte| *byte == 0).map(|name| std::str::from_utf8(name).ok());
    Some(TotalKey {
        app,
        environment,
        offer: names.next()??.parse().ok()?,
        zone: names.next()??.parse().ok()?,
        day: pactolus_ledger::Day::new(u32::from_be_bytes(*day)),
    })
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

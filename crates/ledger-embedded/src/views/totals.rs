//! Totals per offer, zone and quarter of an hour on disk.
//!
//! A key begins with app, environment and quarter, so that the rows of a range of days stand together. A row holds the
//! kinds that have orders.

use std::path::Path;
use std::sync::Arc;

use pactolus_ledger::{OrderTallies, OrderTally, TotalKey};
use pactolus_types::{AppId, Environment, QuarterHour};

use super::ViewError;
use crate::codec::{ByteReader, put_varint};
use crate::disk::space::DiskSpace;
use crate::journal::{Checkpoint, Position};
use crate::kv::{RedbTable, TableError, TableOptions};
use crate::rows::{TotalRow, Totals};

/// There is a row for each zone and quarter with orders, and few change at a time.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Key of the row that holds the position covered. Other keys begin with an app's id, which is never empty.
const REACHED_KEY: [u8; 1] = [0];

pub(super) struct TotalsTable(RedbTable);

impl TotalsTable {
    pub(super) fn open(folder: &Path, space: Arc<DiskSpace>) -> Result<Self, TableError> {
        // They are rebuilt when damaged.
        let options = TableOptions { folder: folder.to_owned(), cache_bytes: CACHE_BYTES, verify: true };
        Ok(Self(RedbTable::open(options, space)?))
    }

    pub(super) fn get(&self, total: &TotalKey) -> Result<Option<TotalRow>, ViewError> {
        match self.0.read(|rows| rows.get(&encode_key(total)))? {
            None => Ok(None),
            Some(bytes) => decode_row(&bytes).map(Some).ok_or(ViewError::CorruptTotal),
        }
    }

    /// Visits the rows of `scope`, or all rows, in the order of their keys.
    pub(super) fn visit(
        &self,
        scope: Option<&TotalsScope>,
        mut visit: impl FnMut(TotalKey, TotalRow),
    ) -> Result<(), ViewError> {
        let (first, end) = match scope {
            Some(scope) => (scope.key_at(scope.from), scope.key_at(scope.to)),
            None => (Vec::new(), vec![u8::MAX]),
        };
        self.0.read(|rows| {
            for row in rows.scan_from(&first)? {
                let (key, bytes) = row?;
                if key >= end {
                    break;
                }
                if key != REACHED_KEY {
                    let total = decode_key(&key).zip(decode_row(&bytes)).ok_or(ViewError::CorruptTotal)?;
                    visit(total.0, total.1);
                }
            }
            Ok(())
        })
    }

    /// Whether all orders before `reached` are counted.
    pub(super) fn covers(&self, reached: Position) -> Result<bool, ViewError> {
        let row = self.0.read(|rows| rows.get(&REACHED_KEY))?;
        let written = row.and_then(|bytes| ByteReader::new(&bytes).varint());
        Ok(written.map_or(Checkpoint::START.position, Position) >= reached)
    }

    /// Writes `totals`, which count all orders before `reached`; durable on return.
    pub(super) fn write(&self, totals: &Totals, reached: Position) -> Result<(), ViewError> {
        let mut written = Vec::new();
        put_varint(&mut written, reached.0);
        let rows = totals.iter().map(|(total, row)| (encode_key(total), encode_row(row)));
        let rows: Vec<_> = rows.chain([(REACHED_KEY.to_vec(), written)]).collect();
        Ok(self.0.write(rows.iter().map(|(key, row)| (&**key, Some(&**row))))?)
    }
}

/// Rows of an app's environment, from a quarter up to another one.
pub(crate) struct TotalsScope {
    pub(crate) app: AppId,
    pub(crate) environment: Environment,
    pub(crate) from: QuarterHour,
    /// The first quarter after the scope.
    pub(crate) to: QuarterHour,
}

impl TotalsScope {
    pub(crate) fn contains(&self, key: &TotalKey) -> bool {
        key.app == self.app
            && key.environment == self.environment
            && (self.from..self.to).contains(&key.quarter)
    }

    /// The key before all rows of a quarter.
    fn key_at(&self, quarter: QuarterHour) -> Vec<u8> {
        key_prefix(self.app, self.environment, quarter)
    }
}

/// `through`, a byte with a bit for each kind that has orders, and the orders and coins of these.
fn encode_row(row: &TotalRow) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, row.through.0);
    let tallies = row.sums.by_kind();
    let mask = tallies
        .iter()
        .rev()
        .fold(0, |mask, (_, tally)| (mask << 1) | u8::from(*tally != OrderTally::default()));
    out.push(mask);
    for (_, OrderTally { orders, coins }) in
        tallies.into_iter().filter(|(_, tally)| *tally != OrderTally::default())
    {
        put_varint(&mut out, orders);
        let bytes = coins.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        for half in [low, high] {
            put_varint(&mut out, u64::from_le_bytes(half.try_into().expect("eight bytes")));
        }
    }
    out
}

fn decode_row(bytes: &[u8]) -> Option<TotalRow> {
    let mut reader = ByteReader::new(bytes);
    let through = Position(reader.varint()?);
    let mask = reader.byte().filter(|mask| *mask < 1 << 5)?;
    let mut tally = |kind: u32| {
        if (mask >> kind) & 1 == 0 {
            return Some(OrderTally::default());
        }
        let orders = reader.varint()?;
        let (low, high) = (reader.varint()?, reader.varint()?);
        let tally = OrderTally { orders, coins: (u128::from(high) << 64) | u128::from(low) };
        Some(tally).filter(|tally| *tally != OrderTally::default())
    };
    let sums = OrderTallies {
        saves: tally(0)?,
        presents: tally(1)?,
        pays: tally(2)?,
        cancels: tally(3)?,
        debits: tally(4)?,
    };
    reader.is_empty().then_some(TotalRow { through, sums })
}

// Keys: names ended by a zero byte, which no name can hold.

/// Common key prefix of an app's environment and a quarter.
fn key_prefix(app: AppId, environment: Environment, quarter: QuarterHour) -> Vec<u8> {
    let mut key = Vec::new();
    put_name(&mut key, app.as_str());
    key.push(match environment {
        Environment::Live => 0,
        Environment::Sandbox => 1,
    });
    key.extend_from_slice(&quarter.get().to_be_bytes());
    key
}

fn encode_key(total: &TotalKey) -> Vec<u8> {
    let mut key = key_prefix(total.app, total.environment, total.quarter);
    put_name(&mut key, total.offer.as_str());
    put_name(&mut key, total.zone.as_str());
    key
}

fn decode_key(key: &[u8]) -> Option<TotalKey> {
    let text = |name: &[u8]| std::str::from_utf8(name).ok().map(str::to_owned);
    let (app, rest) = key.split_at(key.iter().position(|byte| *byte == 0)?);
    let (head, names) = rest.split_first_chunk::<6>()?;
    let environment = match head[1] {
        0 => Environment::Live,
        1 => Environment::Sandbox,
        _ => return None,
    };
    let mut names = names.strip_suffix(&[0])?.split(|byte| *byte == 0).map(text);
    let total = TotalKey {
        app: text(app)?.parse().ok()?,
        environment,
        quarter: QuarterHour::new(u32::from_be_bytes(head[2..].try_into().ok()?)),
        offer: names.next()??.parse().ok()?,
        zone: names.next()??.parse().ok()?,
    };
    names.next().is_none().then_some(total)
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzzed properties of the totals.

    use super::{decode_key, decode_row, encode_key, encode_row};

    /// A row or a key that decodes also round-trips, and no bytes make decoding panic.
    pub(in super::super) fn totals(bytes: &[u8]) {
        if let Some(total) = decode_row(bytes) {
            assert_eq!(decode_row(&encode_row(&total)), Some(total));
        }
        if let Some(total) = decode_key(bytes) {
            assert_eq!(encode_key(&total), bytes, "two keys have one meaning");
        }
    }
}

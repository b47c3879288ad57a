//! Totals per offer, zone and day on disk, in the order of their keys.

use std::path::Path;
use std::sync::Arc;

use pactolus_ledger::{OrderTallies, OrderTally, TotalKey};
use pactolus_types::{AppId, Environment};

use super::ViewError;
use crate::codec::{ByteReader, put_varint};
use crate::disk::space::DiskSpace;
use crate::journal::{Checkpoint, Position};
use crate::kv::{RedbTable, TableError, TableOptions};
use crate::rows::{TotalRow, Totals};

/// There is a row for each zone and day with orders, and few change at a time.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// Key of the row that holds the position covered. Other keys begin with an app's id, which is never empty.
const REACHED_KEY: [u8; 1] = [0];

pub(super) struct TotalsTable(RedbTable);

impl TotalsTable {
    pub(super) fn open(folder: &Path, space: Arc<DiskSpace>) -> Result<Self, TableError> {
        // They are few, and rebuilt when damaged.
        let options = TableOptions { folder: folder.to_owned(), cache_bytes: CACHE_BYTES, verify: true };
        Ok(Self(RedbTable::open(options, space)?))
    }

    pub(super) fn get(&self, total: &TotalKey) -> Result<Option<TotalRow>, ViewError> {
        match self.0.read(|rows| rows.get(&encode_key(total)))? {
            None => Ok(None),
            Some(bytes) => decode_row(&bytes).map(Some).ok_or(ViewError::CorruptTotal),
        }
    }

    pub(super) fn in_environment(
        &self,
        app: AppId,
        environment: Environment,
    ) -> Result<Vec<(TotalKey, TotalRow)>, ViewError> {
        let prefix = environment_prefix(app, environment);
        self.0.read(|rows| {
            let rows = rows.scan_prefix(&prefix)?.map(|row| {
                let (key, bytes) = row?;
                let names = key.strip_prefix(&*prefix).and_then(|names| decode_key(app, environment, names));
                Ok((
                    names.ok_or(ViewError::CorruptTotal)?,
                    decode_row(&bytes).ok_or(ViewError::CorruptTotal)?,
                ))
            });
            rows.collect()
        })
    }

    /// Visits all rows.
    pub(super) fn for_each(&self, visit: &mut dyn FnMut(TotalKey, TotalRow)) -> Result<(), ViewError> {
        self.0.read(|rows| {
            for row in rows.scan_prefix(&[])? {
                let (key, bytes) = row?;
                if key != REACHED_KEY {
                    let total = decode_whole_key(&key).ok_or(ViewError::CorruptTotal)?;
                    visit(total, decode_row(&bytes).ok_or(ViewError::CorruptTotal)?);
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

fn encode_row(row: &TotalRow) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, row.through.0);
    for (_, tally) in row.sums.by_kind() {
        put_varint(&mut out, tally.orders);
        out.extend_from_slice(&tally.coins.to_le_bytes());
    }
    out
}

fn decode_row(bytes: &[u8]) -> Option<TotalRow> {
    let mut reader = ByteReader::new(bytes);
    let through = Position(reader.varint()?);
    let mut tally =
        || Some(OrderTally { orders: reader.varint()?, coins: u128::from_le_bytes(reader.array()?) });
    let sums = OrderTallies {
        saves: tally()?,
        presents: tally()?,
        pays: tally()?,
        cancels: tally()?,
        debits: tally()?,
    };
    reader.is_empty().then_some(TotalRow { through, sums })
}

// Keys: names ended by a zero byte, which no name can hold.

/// Common key prefix of an app's environment.
fn environment_prefix(app: AppId, environment: Environment) -> Vec<u8> {
    let mut key = Vec::new();
    put_name(&mut key, app.as_str());
    key.push(match environment {
        Environment::Live => 0,
        Environment::Sandbox => 1,
    });
    key
}

fn encode_key(total: &TotalKey) -> Vec<u8> {
    let mut key = environment_prefix(total.app, total.environment);
    put_name(&mut key, total.offer.as_str());
    put_name(&mut key, total.zone.as_str());
    key.extend_from_slice(&total.day.get().to_be_bytes());
    key
}

/// Decodes the rest of a key, after its prefix.
fn decode_key(app: AppId, environment: Environment, rest: &[u8]) -> Option<TotalKey> {
    let (names, day) = rest.split_last_chunk()?;
    let mut names =
        names.strip_suffix(&[0])?.split(|byte| *byte == 0).map(|name| std::str::from_utf8(name).ok());
    let total = TotalKey {
        app,
        environment,
        offer: names.next()??.parse().ok()?,
        zone: names.next()??.parse().ok()?,
        day: pactolus_types::Day::new(u32::from_be_bytes(*day)),
    };
    names.next().is_none().then_some(total)
}

/// Decodes a key with its prefix.
fn decode_whole_key(key: &[u8]) -> Option<TotalKey> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let app = std::str::from_utf8(&key[..end]).ok()?.parse().ok()?;
    let (environment, rest) = key[end + 1..].split_first()?;
    let environment = [Environment::Live, Environment::Sandbox].into_iter().nth(usize::from(*environment))?;
    decode_key(app, environment, rest)
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! Fuzzed properties of the totals.

    use pactolus_types::Environment;

    use super::{decode_key, decode_row, encode_key, encode_row, environment_prefix};

    /// A row or a key that decodes also round-trips, and no bytes make decoding panic.
    pub(in super::super) fn totals(row: &[u8]) {
        if let Some(total) = decode_row(row) {
            assert_eq!(decode_row(&encode_row(&total)), Some(total));
        }
        let app = "wx1234567".parse().expect("it keeps the rule");
        for environment in Environment::ALL {
            let Some(total) = decode_key(app, environment, row) else { continue };
            let written = encode_key(&total);
            let rest =
                written.strip_prefix(&*environment_prefix(app, environment)).expect("it is of this app");
            assert_eq!(rest, row, "two keys have one meaning");
            assert_eq!(super::decode_whole_key(&written), Some(total));
        }
    }
}

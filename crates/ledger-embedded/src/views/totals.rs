//! The sums per offer, zone and day, on disk: rows in the order of their names and days.

use std::path::Path;
use std::sync::Arc;

use pactolus_ledger::{OrderTallies, OrderTally, TotalKey};
use pactolus_types::{AppId, Environment};

use super::ViewError;
use crate::codec::{Reader, put_varint};
use crate::disk::space::Room;
use crate::journal::{Mark, Position};
use crate::kv::{Label, Shelf, ShelfError};
use crate::rows::{TotalRow, Totals};

/// There is a row for each zone and day with orders, and few of them change at a time.
const CACHE_BYTES: usize = 4 * 1024 * 1024;

/// The name of the row that says how far the others reach. Theirs begin with an app's id, which is never empty.
const REACHED: [u8; 1] = [0];

/// The rows of totals.
pub(super) struct TotalRows(Shelf);

impl TotalRows {
    pub(super) fn open(folder: &Path, room: Arc<Room>) -> Result<Self, ShelfError> {
        // They are few, and rebuilt when they are damaged.
        let label = Label { folder: folder.to_owned(), cache_bytes: CACHE_BYTES, verify: true };
        Ok(Self(Shelf::open(label, room)?))
    }

    pub(super) fn get(&self, total: &TotalKey) -> Result<Option<TotalRow>, ViewError> {
        match self.0.read(|rows| rows.get(&key(total)))? {
            None => Ok(None),
            Some(bytes) => read(&bytes).map(Some).ok_or(ViewError::Total),
        }
    }

    /// The rows of an app's environment.
    pub(super) fn of(
        &self,
        app: AppId,
        environment: Environment,
    ) -> Result<Vec<(TotalKey, TotalRow)>, ViewError> {
        let prefix = environment_key(app, environment);
        self.0.read(|rows| {
            let rows = rows.beginning_with(&prefix)?.map(|row| {
                let (key, bytes) = row?;
                let names = key.strip_prefix(&*prefix).and_then(|names| read_key(app, environment, names));
                Ok((names.ok_or(ViewError::Total)?, read(&bytes).ok_or(ViewError::Total)?))
            });
            rows.collect()
        })
    }

    /// Whether all orders before `reached` are counted, as [`TotalRows::write`] said.
    pub(super) fn reach(&self, reached: Position) -> Result<bool, ViewError> {
        let row = self.0.read(|rows| rows.get(&REACHED))?;
        let written = row.and_then(|bytes| Reader::new(&bytes).varint());
        Ok(written.map_or(Mark::START.position, Position) >= reached)
    }

    /// Writes `totals`, with which all orders before `reached` are counted; when this returns, they are durable.
    pub(super) fn write(&self, totals: &Totals, reached: Position) -> Result<(), ViewError> {
        let mut written = Vec::new();
        put_varint(&mut written, reached.0);
        let rows = totals.iter().map(|(total, row)| (key(total), bytes(row)));
        let rows: Vec<_> = rows.chain([(REACHED.to_vec(), written)]).collect();
        Ok(self.0.write(rows.iter().map(|(key, row)| (&**key, Some(&**row))))?)
    }
}

fn bytes(row: &TotalRow) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, row.through.0);
    for (_, tally) in row.sums.by_kind() {
        put_varint(&mut out, tally.orders);
        out.extend_from_slice(&tally.coins.to_le_bytes());
    }
    out
}

fn read(bytes: &[u8]) -> Option<TotalRow> {
    let mut reader = Reader::new(bytes);
    let through = Position(reader.varint()?);
    let mut tally =
        || Some(OrderTally { orders: reader.varint()?, coins: u128::from_le_bytes(reader.array()?) });
    let sums = OrderTallies { saves: tally()?, presents: tally()?, pays: tally()?, cancels: tally()? };
    reader.is_empty().then_some(TotalRow { through, sums })
}

// Keys: names ended by a zero byte, which no name can hold.

/// What the keys of an app's environment begin with.
fn environment_key(app: AppId, environment: Environment) -> Vec<u8> {
    let mut key = Vec::new();
    put_name(&mut key, app.as_str());
    key.push(match environment {
        Environment::Live => 0,
        Environment::Sandbox => 1,
    });
    key
}

fn key(total: &TotalKey) -> Vec<u8> {
    let mut key = environment_key(total.app, total.environment);
    put_name(&mut key, total.offer.as_str());
    put_name(&mut key, total.zone.as_str());
    key.extend_from_slice(&total.day.get().to_be_bytes());
    key
}

/// The total that the rest of a key names, after what it begins with.
fn read_key(app: AppId, environment: Environment, rest: &[u8]) -> Option<TotalKey> {
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

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    //! What fuzzing promises of rows of totals.

    use pactolus_types::Environment;

    use super::{bytes, environment_key, key, read, read_key};

    /// A row or a key that can be read can be written and read again; and no bytes are too strange.
    pub(in super::super) fn totals(row: &[u8]) {
        if let Some(total) = read(row) {
            assert_eq!(read(&bytes(&total)), Some(total));
        }
        let app = "wx1234567".parse().expect("it keeps the rule");
        for environment in Environment::ALL {
            let Some(total) = read_key(app, environment, row) else { continue };
            let written = key(&total);
            let rest = written.strip_prefix(&*environment_key(app, environment)).expect("it is of this app");
            assert_eq!(rest, row, "two keys have one meaning");
        }
    }
}

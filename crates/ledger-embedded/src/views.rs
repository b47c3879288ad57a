//! The views on disk: sorted rows in fjall, written in bulk, never row by row.
//!
//! They reach up to a [`Mark`] of the journal, kept beside them; the orders after it are in memory (`tail`).
//! A crash between writing rows and moving the mark leaves rows that are too new, which is harmless: the orders
//! after the mark are filed again and make the same rows.

use std::path::Path;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::codec::{Reader, put_varint};
use crate::journal::{Mark, Position};
use crate::open::OpenError;
use crate::rows::{AccountRow, BillRow, Row, RowSet, Rows, TotalRow};

/// The views of a store.
pub(crate) struct Views {
    database: Database,
    bills: Keyspace,
    accounts: Keyspace,
    totals: Keyspace,
    state: Keyspace,
}

/// The name of the mark in `state`.
const REACHED: &str = "reached";

/// One thread merges. Of more than one, fjall keeps the first for what this never does, and it spends its time
/// handing requests to merge back to the others. That one falls behind is prevented by [`keep_merged`].
const MERGING_THREADS: usize = 1;

/// How many unmerged tables a view may have before writing waits for merging: each is one more place to look for
/// every new bill number.
const UNMERGED_TABLES_MAX: usize = 12;

/// How long writing waits at most for merging, in steps of [`MERGE_POLL`]; a slow disk then gets slower look-ups
/// instead of none.
const MERGE_POLLS_MAX: u32 = 3000;
const MERGE_POLL: Duration = Duration::from_millis(10);

/// How many steps of merging are asked for after each bulk of rows: one for each level that it can overfill.
const MERGES_PER_BULK: usize = 3;

/// A row that cannot be read, or a storage engine that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    #[error("the storage engine failed")]
    Engine(#[from] fjall::Error),
    #[error("a row of {0} cannot be read")]
    Row(&'static str),
}

impl Views {
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let open = || {
            let database =
                Database::builder(folder).cache_size(cache_bytes).worker_threads(MERGING_THREADS).open()?;
            let view = |name| database.keyspace(name, KeyspaceCreateOptions::default);
            Ok(Self {
                bills: view(BillRow::VIEW)?,
                accounts: view(AccountRow::VIEW)?,
                totals: view(TotalRow::VIEW)?,
                state: view("state")?,
                database,
            })
        };
        open().map_err(|source| OpenError::Views { folder: folder.to_owned(), source })
    }

    fn keyspace<R: Row>(&self) -> &Keyspace {
        match R::VIEW {
            BillRow::VIEW => &self.bills,
            AccountRow::VIEW => &self.accounts,
            _ => &self.totals,
        }
    }

    /// The row with this key.
    pub(crate) fn get<R: Row>(&self, key: &[u8]) -> Result<Option<R>, ViewError> {
        match self.keyspace::<R>().get(key)? {
            None => Ok(None),
            Some(bytes) => R::read(&bytes).map(Some).ok_or(ViewError::Row(R::VIEW)),
        }
    }

    /// The rows whose keys begin with `prefix`, in the order of their keys.
    pub(crate) fn prefix<R: Row>(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(Vec<u8>, R), ViewError>> + use<R> {
        self.keyspace::<R>().prefix(prefix).map(|guard| {
            let (key, bytes) = guard.into_inner()?;
            let row = R::read(&bytes).ok_or(ViewError::Row(R::VIEW))?;
            Ok((key.to_vec(), row))
        })
    }

    /// How far into the journal the views reach.
    pub(crate) fn reached(&self) -> Result<Mark, ViewError> {
        let Some(bytes) = self.state.get(REACHED)? else {
            return Ok(Mark::START);
        };
        let mut reader = Reader::new(&bytes);
        let mut read = || {
            let position = Position(reader.varint()?);
            Some(Mark { position, orders: reader.varint()?, digest: reader.array()? })
        };
        read().ok_or(ViewError::Row("state"))
    }

    /// Writes `rows`, which bring the views up to `reached`; when this returns, both are durable.
    pub(crate) fn write(&self, rows: &RowSet, reached: &Mark) -> Result<(), ViewError> {
        self.write_rows(&rows.bills)?;
        self.write_rows(&rows.accounts)?;
        self.write_rows(&rows.totals)?;
        let mut bytes = Vec::new();
        put_varint(&mut bytes, reached.position.0);
        put_varint(&mut bytes, reached.orders);
        bytes.extend_from_slice(&reached.digest);
        self.state.insert(REACHED, bytes)?;
        self.database.persist(PersistMode::SyncAll)?;
        Ok(())
    }

    fn write_rows<R: Row>(&self, rows: &Rows<R>) -> Result<(), ViewError> {
        let keyspace = self.keyspace::<R>();
        let mut sorted: Vec<_> = rows.iter().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        let mut bulk = keyspace.start_ingestion()?;
        let mut bytes = Vec::new();
        for (key, row) in sorted {
            bytes.clear();
            row.put(&mut bytes);
            bulk.write(&**key, &*bytes)?;
        }
        bulk.finish()?;
        keep_merged(keyspace)
    }
}

/// Asks for merging, and waits while too many tables are unmerged.
///
/// fjall takes one step of merging each time that a bulk of rows is finished, which falls behind when a step
/// fills the next level in turn. An empty bulk writes nothing and asks for one step more.
fn keep_merged(keyspace: &Keyspace) -> Result<(), ViewError> {
    for _ in 0..MERGES_PER_BULK {
        keyspace.start_ingestion()?.finish()?;
    }
    for _ in 0..MERGE_POLLS_MAX {
        if keyspace.l0_table_count() <= UNMERGED_TABLES_MAX {
            break;
        }
        keyspace.start_ingestion()?.finish()?;
        std::thread::sleep(MERGE_POLL);
    }
    Ok(())
}

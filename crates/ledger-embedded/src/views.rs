//! The views on disk: an index of bill numbers, an index of accounts, and the sums per zone and day.
//!
//! They reach up to a [`Mark`] of the journal; the orders after it are in memory (`Tail`).
//! They are written in bulk: a run for each index, then the sums, and then the contents, which say what belongs to
//! the views (`views/contents`). A crash in between leaves files that nothing refers to, which opening removes, and
//! sums that are too new, which is harmless: the orders after the mark are filed again and change nothing.

mod contents;
mod totals;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use pactolus_ledger::TotalKey;
use pactolus_nouns::{AppId, Environment};

use self::contents::Contents;
use self::totals::TotalRows;
use crate::Settings;
use crate::fingerprint::{Fingerprint, Map, Seed};
use crate::index::{Index, IndexError, Record};
use crate::journal::{Mark, Position};
use crate::rows::TotalRow;
use crate::tail::Bulk;

/// The views of a store.
pub(crate) struct Views {
    pub(crate) seed: Seed,
    pub(crate) bills: Index,
    pub(crate) accounts: Index,
    totals: TotalRows,
    folder: PathBuf,
    next_run: AtomicU64,
    /// How far the views reach; held by whoever changes what belongs to them.
    reached: Mutex<Mark>,
}

/// Why a view cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the storage engine of the totals failed")]
    Totals(#[from] fjall::Error),
    #[error("a row of the totals cannot be read")]
    Total,
}

impl Views {
    pub(crate) fn open(folder: &Path, settings: &Settings) -> Result<Self, ViewError> {
        std::fs::create_dir_all(folder).map_err(IndexError::from)?;
        let contents = Contents::read(folder)?;
        let index = |name, runs: &[u64]| {
            Index::open(&folder.join(name), runs, settings.tail_orders, settings.filter_bytes / 2)
        };
        let views = Self {
            bills: index("bills", &contents.bills)?,
            accounts: index("accounts", &contents.accounts)?,
            totals: TotalRows::open(&folder.join("totals"))?,
            seed: contents.seed,
            folder: folder.to_owned(),
            next_run: AtomicU64::new(contents.next_run),
            reached: Mutex::new(contents.reached),
        };
        // The seed must be the same from now on.
        contents.save(folder)?;
        Ok(views)
    }

    /// How far into the journal the views reach.
    pub(crate) fn reached(&self) -> Mark {
        *self.hold()
    }

    /// The sums of one offer, zone and day.
    pub(crate) fn total(&self, key: &TotalKey) -> Result<Option<TotalRow>, ViewError> {
        self.totals.get(key)
    }

    /// The sums of an app's environment.
    pub(crate) fn totals(
        &self,
        app: AppId,
        environment: Environment,
    ) -> Result<Vec<(TotalKey, TotalRow)>, ViewError> {
        self.totals.of(app, environment)
    }

    /// Writes `bulk`, which brings the views up to `reached`; when this returns, both are durable.
    pub(crate) fn write(&self, bulk: &Bulk, reached: Mark) -> Result<(), ViewError> {
        let added = if bulk.shards.iter().all(|rows| rows.bills.is_empty()) {
            None
        } else {
            // Shards come in the order of what they hold, so that each is sorted by itself.
            let bills = bulk.shards.iter().flat_map(|rows| sorted(&rows.bills, |position| *position));
            let accounts = bulk.shards.iter().flat_map(|rows| sorted(&rows.accounts, |row| row.last));
            let bills = self.bills.write(self.next_run(), &bills.collect::<Vec<_>>())?;
            Some((bills, self.accounts.write(self.next_run(), &accounts.collect::<Vec<_>>())?))
        };
        self.totals.write(&bulk.totals)?;
        let mut held = self.hold();
        if let Some((bills, accounts)) = added {
            self.bills.set(self.bills.runs().with(bills));
            self.accounts.set(self.accounts.runs().with(accounts));
        }
        *held = reached;
        self.save(&held)
    }

    /// Merges what is due, until nothing is or it is told to give up.
    pub(crate) fn merge(&self, give_up: &AtomicBool) -> Result<(), ViewError> {
        for index in [&self.bills, &self.accounts] {
            while let Some(merge) = index.due() {
                let Some(made) = merge.write(index, self.next_run(), give_up)? else {
                    return Ok(());
                };
                let held = self.hold();
                index.set(index.runs().merged(&merge, made));
                self.save(&held)?;
                drop(held);
                merge.remove()?;
            }
        }
        Ok(())
    }

    fn hold(&self) -> MutexGuard<'_, Mark> {
        self.reached.lock().expect("nothing panics while it changes the views")
    }

    fn next_run(&self) -> u64 {
        self.next_run.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes durable of what the views consist, and that they reach up to `reached`.
    fn save(&self, reached: &Mark) -> Result<(), ViewError> {
        let contents = Contents {
            seed: self.seed,
            reached: *reached,
            next_run: self.next_run.load(Ordering::Relaxed),
            bills: self.bills.runs().numbers().collect(),
            accounts: self.accounts.runs().numbers().collect(),
        };
        Ok(contents.save(&self.folder)?)
    }
}

/// Records of rows, in the order of their fingerprints.
fn sorted<T>(rows: &Map<T>, position: impl Fn(&T) -> Position) -> Vec<Record> {
    let record = |(fingerprint, row): (&Fingerprint, &T)| Record {
        fingerprint: *fingerprint,
        position: position(row),
    };
    let mut records: Vec<_> = rows.iter().map(record).collect();
    records.sort_unstable_by_key(|record| record.fingerprint);
    records
}

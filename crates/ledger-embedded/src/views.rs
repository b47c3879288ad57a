//! The views on disk: an index of bill numbers, an index of accounts, and the sums per zone and day.
//!
//! They reach up to a [`Mark`] of the journal; the orders after it are in memory (`Tail`).
//! They are written in bulk: a run for each index, then the sums, and then the contents, which say what belongs to
//! the views (`views/contents`). A crash in between leaves files that nothing refers to, which opening removes, and
//! sums that are too new, which is harmless: the orders after the mark are filed again and change nothing.

mod manifest;
mod totals;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use pactolus_ledger::TotalKey;
use pactolus_types::{AppId, Environment};

use self::manifest::Contents;
use self::totals::TotalRows;
use crate::background::throttle::Pace;
use crate::disk::space::Room;
use crate::disk::sync_folder;
use crate::fingerprint::{Fingerprint, Map, Seed};
use crate::index::{Index, IndexError, Record, Run, Runs};
use crate::journal::{Mark, Position};
use crate::kv::ShelfError;
use crate::memtable::Bulk;
use crate::rows::TotalRow;
use crate::settings::Settings;

/// The views of a store.
pub(crate) struct Views {
    pub(crate) seed: Seed,
    pub(crate) bills: Index,
    pub(crate) accounts: Index,
    totals: TotalRows,
    folder: PathBuf,
    room: Arc<Room>,
    next_run: AtomicU64,
    /// How far the views reach; held by whoever changes what belongs to them.
    reached: Mutex<Mark>,
}

/// Why a view cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the sums per zone and day cannot be read or written")]
    Totals(#[from] ShelfError),
    #[error("a row of the totals cannot be read")]
    Total,
}

impl ViewError {
    /// Whether it only says that there is no room on the disk; what the views hold is then what they held before.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Index(error) => error.is_full(),
            Self::Totals(ShelfError::Full) => true,
            Self::Totals(_) | Self::Total => false,
        }
    }
}

impl Views {
    pub(crate) fn open(folder: &Path, settings: &Settings, room: Arc<Room>) -> Result<Self, ViewError> {
        std::fs::create_dir_all(folder).map_err(IndexError::from)?;
        let mut contents = Contents::read(folder)?;
        // Whoever saved them may have been killed before the folder was synced. What they do not name is removed now,
        // and those before them may name it.
        sync_folder(folder).map_err(IndexError::from)?;
        let totals = TotalRows::open(&folder.join("totals"), Arc::clone(&room))?;
        if !totals.reach(contents.reached.position)? {
            tracing::warn!(
                "the sums per zone and day lack orders that the other views hold; all are made again"
            );
            contents = contents.begun_again();
        }
        let index = |name, runs: &[u64]| {
            let disk = Arc::clone(room.disk());
            Index::open(disk, &folder.join(name), runs, settings.tail_orders, settings.filter_bytes / 2)
        };
        let views = Self {
            bills: index("bills", &contents.bills)?,
            accounts: index("accounts", &contents.accounts)?,
            totals,
            seed: contents.seed,
            folder: folder.to_owned(),
            next_run: AtomicU64::new(contents.next_run),
            reached: Mutex::new(contents.reached),
            room,
        };
        // The seed must be the same from now on.
        contents.save(folder, &**views.room.disk())?;
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
    ///
    /// Where there is no room, the views are as they were before, and this may be tried again.
    pub(crate) fn write(&self, bulk: &Bulk, reached: Mark, pace: &Pace<'_>) -> Result<(), ViewError> {
        let rows = || bulk.shards.iter();
        let count: usize = rows().map(|rows| rows.bills.len()).sum();
        let added = if count == 0 {
            None
        } else {
            // Shards come in the order of what they hold, so that each is sorted by itself, when its turn comes.
            let records = rows().flat_map(|rows| sorted(&rows.bills, |position| *position));
            let bills = self.bills.write(self.next_run(), count, records, pace)?;
            let count = rows().map(|rows| rows.accounts.len()).sum();
            let records = rows().flat_map(|rows| sorted(&rows.accounts, |row| row.last));
            match self.accounts.write(self.next_run(), count, records, pace) {
                Ok(accounts) => Some((bills, accounts)),
                Err(error) => {
                    bills.discard();
                    return Err(error.into());
                }
            }
        };
        if let Err(error) = self.totals.write(&bulk.totals, reached.position) {
            discard(added);
            return Err(error);
        }
        let mut held = self.hold();
        let (mut bills, mut accounts) = (self.bills.runs(), self.accounts.runs());
        if let Some((of_bills, of_accounts)) = &added {
            bills = bills.with(Arc::clone(of_bills));
            accounts = accounts.with(Arc::clone(of_accounts));
        }
        // Made durable before they are looked into, so that what finds no room has changed nothing.
        if let Err(error) = self.save(&reached, &bills, &accounts) {
            if error.is_full() {
                discard(added);
            }
            return Err(error);
        }
        self.bills.set(bills);
        self.accounts.set(accounts);
        *held = reached;
        Ok(())
    }

    /// Merges what is due, until nothing is or it is told to give up.
    ///
    /// For a while a merge needs room for all that it merges. Where there is not so much beside what is kept for
    /// orders, it is put off: there is more to look into then, and nothing else. It says whether all was merged.
    pub(crate) fn merge(&self, give_up: &AtomicBool, pace: &Pace<'_>) -> Result<bool, ViewError> {
        for (index, is_bills) in [(&self.bills, true), (&self.accounts, false)] {
            while let Some(merge) = index.due() {
                if !self.room.fits(merge.bytes()) {
                    return Ok(false);
                }
                let Some(made) = merge.write(index, self.next_run(), give_up, pace)? else {
                    return Ok(true);
                };
                let held = self.hold();
                let (mut bills, mut accounts) = (self.bills.runs(), self.accounts.runs());
                let changed = if is_bills { &mut bills } else { &mut accounts };
                *changed = changed.merged(&merge, Arc::clone(&made));
                let changed = changed.clone();
                if let Err(error) = self.save(&held, &bills, &accounts) {
                    if error.is_full() {
                        made.discard();
                    }
                    return Err(error);
                }
                index.set(changed);
                drop(held);
                merge.remove()?;
            }
        }
        Ok(true)
    }

    fn hold(&self) -> MutexGuard<'_, Mark> {
        self.reached.lock().expect("nothing panics while it changes the views")
    }

    fn next_run(&self) -> u64 {
        self.next_run.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes durable of what the views consist, and that they reach up to `reached`.
    fn save(&self, reached: &Mark, bills: &Runs, accounts: &Runs) -> Result<(), ViewError> {
        let contents = Contents {
            seed: self.seed,
            reached: *reached,
            next_run: self.next_run.load(Ordering::Relaxed),
            bills: bills.numbers().collect(),
            accounts: accounts.numbers().collect(),
        };
        Ok(contents.save(&self.folder, &**self.room.disk())?)
    }
}

/// Removes runs that nothing refers to.
fn discard(runs: Option<(Arc<Run>, Arc<Run>)>) {
    if let Some((bills, accounts)) = runs {
        bills.discard();
        accounts.discard();
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

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    //! What fuzzing promises of the views' own files.

    /// Contents and rows are what was written, or are refused.
    pub fn views(bytes: &[u8]) {
        super::manifest::fuzzing::manifest(bytes);
        super::totals::fuzzing::totals(bytes);
    }
}

//! The views on disk: an index of bill numbers, an index of accounts, and the sums per zone and day.
//!
//! They reach up to a [`Checkpoint`] of the journal; the orders after it are in memory (`Memtable`).
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

use self::manifest::Manifest;
use self::totals::TotalsTable;
use crate::background::throttle::Throttle;
use crate::disk::space::DiskSpace;
use crate::disk::sync_folder;
use crate::fingerprint::{Fingerprint, FingerprintMap, Seed};
use crate::index::{Index, IndexEntry, IndexError, Run, Runs};
use crate::journal::{Checkpoint, Position};
use crate::kv::TableError;
use crate::memtable::FrozenRows;
use crate::rows::TotalRow;
use crate::settings::EmbeddedSettings;

/// The views of a store.
pub(crate) struct Views {
    pub(crate) seed: Seed,
    pub(crate) bills: Index,
    pub(crate) accounts: Index,
    totals: TotalsTable,
    folder: PathBuf,
    space: Arc<DiskSpace>,
    next_run: AtomicU64,
    /// How far the views reach; held by whoever changes what belongs to them.
    reached: Mutex<Checkpoint>,
}

/// Why a view cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the sums per zone and day cannot be read or written")]
    Totals(#[from] TableError),
    #[error("a row of the totals cannot be read")]
    CorruptTotal,
}

impl ViewError {
    /// Whether it only says that there is no room on the disk; what the views hold is then what they held before.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Index(error) => error.is_full(),
            Self::Totals(TableError::DiskFull) => true,
            Self::Totals(_) | Self::CorruptTotal => false,
        }
    }
}

impl Views {
    pub(crate) fn open(
        folder: &Path,
        settings: &EmbeddedSettings,
        space: Arc<DiskSpace>,
    ) -> Result<Self, ViewError> {
        std::fs::create_dir_all(folder).map_err(IndexError::from)?;
        let mut contents = Manifest::read(folder)?;
        // Whoever saved them may have been killed before the folder was synced. What they do not name is removed now,
        // and those before them may name it.
        sync_folder(folder).map_err(IndexError::from)?;
        let totals = TotalsTable::open(&folder.join("totals"), Arc::clone(&space))?;
        if !totals.covers(contents.reached.position)? {
            tracing::warn!(
                "the sums per zone and day lack orders that the other views hold; all are made again"
            );
            contents = contents.reset();
        }
        let index = |name, runs: &[u64]| {
            let disk = Arc::clone(space.disk());
            Index::open(disk, &folder.join(name), runs, settings.memtable_orders, settings.filter_bytes / 2)
        };
        let views = Self {
            bills: index("bills", &contents.bills)?,
            accounts: index("accounts", &contents.accounts)?,
            totals,
            seed: contents.seed,
            folder: folder.to_owned(),
            next_run: AtomicU64::new(contents.next_run),
            reached: Mutex::new(contents.reached),
            space,
        };
        // The seed must be the same from now on.
        contents.save(folder, &**views.space.disk())?;
        Ok(views)
    }

    /// How far into the journal the views reach.
    pub(crate) fn reached(&self) -> Checkpoint {
        *self.lock_reached()
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
        self.totals.in_environment(app, environment)
    }

    /// Writes `bulk`, which brings the views up to `reached`; when this returns, both are durable.
    ///
    /// Where there is no room, the views are as they were before, and this may be tried again.
    pub(crate) fn write(
        &self,
        frozen: &FrozenRows,
        reached: Checkpoint,
        throttle: &Throttle<'_>,
    ) -> Result<(), ViewError> {
        let rows = || frozen.shards.iter();
        let count: usize = rows().map(|rows| rows.bills.len()).sum();
        let added = if count == 0 {
            None
        } else {
            // Shards come in the order of what they hold, so that each is sorted by itself, when its turn comes.
            let records = rows().flat_map(|rows| sorted_entries(&rows.bills, |position| *position));
            let bills = self.bills.write_run(self.next_run(), count, records, throttle)?;
            let count = rows().map(|rows| rows.accounts.len()).sum();
            let records = rows().flat_map(|rows| sorted_entries(&rows.accounts, |row| row.last));
            match self.accounts.write_run(self.next_run(), count, records, throttle) {
                Ok(accounts) => Some((bills, accounts)),
                Err(error) => {
                    bills.discard();
                    return Err(error.into());
                }
            }
        };
        if let Err(error) = self.totals.write(&frozen.totals, reached.position) {
            discard_runs(added);
            return Err(error);
        }
        let mut held = self.lock_reached();
        let (mut bills, mut accounts) = (self.bills.runs(), self.accounts.runs());
        if let Some((bill_run, account_run)) = &added {
            bills = bills.with_newest(Arc::clone(bill_run));
            accounts = accounts.with_newest(Arc::clone(account_run));
        }
        // Made durable before they are looked into, so that what finds no room has changed nothing.
        if let Err(error) = self.save_manifest(&reached, &bills, &accounts) {
            if error.is_full() {
                discard_runs(added);
            }
            return Err(error);
        }
        self.bills.replace_runs(bills);
        self.accounts.replace_runs(accounts);
        *held = reached;
        Ok(())
    }

    /// Merges what is due, until nothing is or it is told to give up.
    ///
    /// For a while a merge needs room for all that it merges. Where there is not so much beside what is kept for
    /// orders, it is put off: there is more to look into then, and nothing else. It says whether all was merged.
    pub(crate) fn merge(&self, cancel: &AtomicBool, throttle: &Throttle<'_>) -> Result<bool, ViewError> {
        for (index, is_bills) in [(&self.bills, true), (&self.accounts, false)] {
            while let Some(merge) = index.next_merge() {
                if !self.space.fits(merge.bytes_max()) {
                    return Ok(false);
                }
                let Some(made) = merge.write(index, self.next_run(), cancel, throttle)? else {
                    return Ok(true);
                };
                let held = self.lock_reached();
                let (mut bills, mut accounts) = (self.bills.runs(), self.accounts.runs());
                let changed = if is_bills { &mut bills } else { &mut accounts };
                *changed = changed.with_merged(&merge, Arc::clone(&made));
                let changed = changed.clone();
                if let Err(error) = self.save_manifest(&held, &bills, &accounts) {
                    if error.is_full() {
                        made.discard();
                    }
                    return Err(error);
                }
                index.replace_runs(changed);
                drop(held);
                merge.remove_files()?;
            }
        }
        Ok(true)
    }

    fn lock_reached(&self) -> MutexGuard<'_, Checkpoint> {
        self.reached.lock().expect("nothing panics while it changes the views")
    }

    fn next_run(&self) -> u64 {
        self.next_run.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes durable of what the views consist, and that they reach up to `reached`.
    fn save_manifest(&self, reached: &Checkpoint, bills: &Runs, accounts: &Runs) -> Result<(), ViewError> {
        let contents = Manifest {
            seed: self.seed,
            reached: *reached,
            next_run: self.next_run.load(Ordering::Relaxed),
            bills: bills.numbers().collect(),
            accounts: accounts.numbers().collect(),
        };
        Ok(contents.save(&self.folder, &**self.space.disk())?)
    }
}

/// Removes runs that nothing refers to.
fn discard_runs(runs: Option<(Arc<Run>, Arc<Run>)>) {
    if let Some((bills, accounts)) = runs {
        bills.discard();
        accounts.discard();
    }
}

/// Records of rows, in the order of their fingerprints.
fn sorted_entries<T>(rows: &FingerprintMap<T>, position: impl Fn(&T) -> Position) -> Vec<IndexEntry> {
    let record = |(fingerprint, row): (&Fingerprint, &T)| IndexEntry {
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

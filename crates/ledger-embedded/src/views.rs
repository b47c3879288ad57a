//! Views on disk: an index of bill numbers, an index of accounts, and totals per zone and day.
//!
//! They reach up to a [`Checkpoint`] of the journal; the rows of later orders are in the memtable.
//! A flush writes a run for each index, then the totals, and then the manifest, which lists the runs
//! (`views/manifest`). A crash in between leaves unlisted files, which opening removes, and totals that are too new.
//! Those are harmless: recovery adds the orders after the checkpoint again, idempotently.

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

/// Folder of the totals. Another layout of their rows is in another folder, so that no build misreads them.
const TOTALS_FOLDER: &str = "tallies";
const OLD_TOTALS_FOLDER: &str = "totals";

pub(crate) struct Views {
    pub(crate) seed: Seed,
    pub(crate) bills: Index,
    pub(crate) accounts: Index,
    totals: TotalsTable,
    folder: PathBuf,
    space: Arc<DiskSpace>,
    next_run: AtomicU64,
    /// End of the views; locked while the manifest changes.
    reached: Mutex<Checkpoint>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ViewError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the totals per zone and day cannot be read or written")]
    Totals(#[from] TableError),
    #[error("a row of the totals cannot be read")]
    CorruptTotal,
}

impl ViewError {
    /// Whether the disk was only full; the views are then unchanged.
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
        let mut manifest = Manifest::read(folder, settings.randomness)?;
        // The process that saved the manifest may have been killed before it synced the folder. Files that it does
        // not list are removed now, and the manifest before it may list them.
        sync_folder(folder).map_err(IndexError::from)?;
        let totals = TotalsTable::open(&folder.join(TOTALS_FOLDER), Arc::clone(&space))?;
        // Left by a build that kept them by day, or without debits. The table above is new then, and lacks all orders.
        match std::fs::remove_dir_all(folder.join(OLD_TOTALS_FOLDER)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(IndexError::from(error).into());
            }
            Ok(()) | Err(_) => {}
        }
        if !totals.covers(manifest.reached.position)? {
            tracing::warn!("the totals lack orders that the indexes hold; rebuilding the views");
            manifest = manifest.reset();
        }
        let index = |key, runs: &[u64]| {
            let disk = Arc::clone(space.disk());
            Index::open(disk, &folder.join(key), runs, settings.memtable_orders, settings.filter_bytes / 2)
        };
        let views = Self {
            bills: index("bills", &manifest.bills)?,
            accounts: index("accounts", &manifest.accounts)?,
            totals,
            seed: manifest.seed,
            folder: folder.to_owned(),
            next_run: AtomicU64::new(manifest.next_run),
            reached: Mutex::new(manifest.reached),
            space,
        };
        // The seed must be the same from now on.
        manifest.save(folder, &**views.space.disk())?;
        Ok(views)
    }

    pub(crate) fn reached(&self) -> Checkpoint {
        *self.lock_reached()
    }

    pub(crate) fn total(&self, key: &TotalKey) -> Result<Option<TotalRow>, ViewError> {
        self.totals.get(key)
    }

    pub(crate) fn totals(
        &self,
        app: AppId,
        environment: Environment,
    ) -> Result<Vec<(TotalKey, TotalRow)>, ViewError> {
        self.totals.in_environment(app, environment)
    }

    /// Writes `frozen`, which brings the views up to `reached`; both are durable on return.
    ///
    /// On a full disk the views are unchanged, and the call may be retried.
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
            // Shards are in fingerprint order, so each is sorted by itself when its turn comes.
            let entries = rows().flat_map(|rows| sorted_entries(&rows.bills, |position| *position));
            let bills = self.bills.write_run(self.next_run(), count, entries, throttle)?;
            let count = rows().map(|rows| rows.accounts.len()).sum();
            let entries = rows().flat_map(|rows| sorted_entries(&rows.accounts, |row| row.last));
            match self.accounts.write_run(self.next_run(), count, entries, throttle) {
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
        let mut reached_guard = self.lock_reached();
        let (mut bills, mut accounts) = (self.bills.runs(), self.accounts.runs());
        if let Some((bill_run, account_run)) = &added {
            bills = bills.with_newest(Arc::clone(bill_run));
            accounts = accounts.with_newest(Arc::clone(account_run));
        }
        // Durable before they are read, so that a full disk changes nothing.
        if let Err(error) = self.save_manifest(&reached, &bills, &accounts) {
            if error.is_full() {
                discard_runs(added);
            }
            return Err(error);
        }
        self.bills.replace_runs(bills);
        self.accounts.replace_runs(accounts);
        *reached_guard = reached;
        Ok(())
    }

    /// Merges runs until no merge is due or `cancel` is set. Returns whether none was deferred.
    ///
    /// A merge needs as much disk space as its input. While that is not free beside the reserve, the merge is
    /// deferred: look-ups then search more runs, and nothing else changes.
    pub(crate) fn merge(&self, cancel: &AtomicBool, throttle: &Throttle<'_>) -> Result<bool, ViewError> {
        for (index, is_bills) in [(&self.bills, true), (&self.accounts, false)] {
            while let Some(merge) = index.next_merge() {
                if !self.space.fits(merge.bytes_max()) {
                    return Ok(false);
                }
                let Some(merged) = merge.write(index, self.next_run(), cancel, throttle)? else {
                    return Ok(true);
                };
                let reached_guard = self.lock_reached();
                let (mut bills, mut accounts) = (self.bills.runs(), self.accounts.runs());
                let changed = if is_bills { &mut bills } else { &mut accounts };
                *changed = changed.with_merged(&merge, Arc::clone(&merged));
                let changed = changed.clone();
                if let Err(error) = self.save_manifest(&reached_guard, &bills, &accounts) {
                    if error.is_full() {
                        merged.discard();
                    }
                    return Err(error);
                }
                index.replace_runs(changed);
                drop(reached_guard);
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

    /// Makes the list of runs and the views' end durable.
    fn save_manifest(&self, reached: &Checkpoint, bills: &Runs, accounts: &Runs) -> Result<(), ViewError> {
        let manifest = Manifest {
            seed: self.seed,
            reached: *reached,
            next_run: self.next_run.load(Ordering::Relaxed),
            bills: bills.numbers().collect(),
            accounts: accounts.numbers().collect(),
        };
        Ok(manifest.save(&self.folder, &**self.space.disk())?)
    }
}

/// Removes unlisted runs.
fn discard_runs(runs: Option<(Arc<Run>, Arc<Run>)>) {
    if let Some((bills, accounts)) = runs {
        bills.discard();
        accounts.discard();
    }
}

/// Index entries of rows, sorted by fingerprint.
fn sorted_entries<T>(rows: &FingerprintMap<T>, position: impl Fn(&T) -> Position) -> Vec<IndexEntry> {
    let record = |(fingerprint, row): (&Fingerprint, &T)| IndexEntry {
        fingerprint: *fingerprint,
        position: position(row),
    };
    let mut entries: Vec<_> = rows.iter().map(record).collect();
    entries.sort_unstable_by_key(|record| record.fingerprint);
    entries
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    //! Fuzzed properties of the views' own files.

    /// A manifest or a row reads back as written, or is refused.
    pub fn views(bytes: &[u8]) {
        super::manifest::fuzzing::manifest(bytes);
        super::totals::fuzzing::totals(bytes);
    }
}

//! Views on disk: an index of bill numbers, an index of accounts, and totals per zone and quarter of an hour.
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

use self::manifest::Manifest;
pub(crate) use self::totals::TotalsScope;
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
use pactolus_ledger::TotalKey;

/// Folder of the totals. Another layout of their rows is in another folder, so that no build misreads them.
const TOTALS_FOLDER: &str = "tallies";
const OLD_TOTALS_FOLDER: &str = "totals";

pub(crate) struct Views {
    pub(crate) seed: Seed,
    pub(crate) bills: Index,
    pub(crate) accounts: Index,
    totals: TotalsTable,
    /// Whether a row of the totals could not be read. They are not written any more, so the next opening finds that
    /// they lack orders, and rebuilds them.
    totals_damaged: AtomicBool,
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
    #[error("the totals per zone cannot be read or written")]
    Totals(#[from] TableError),
    #[error("a row of the totals cannot be read")]
    CorruptTotal,
    #[error("the totals in views/totals are damaged; the next start counts them again")]
    TotalsDamaged,
}

impl ViewError {
    /// Whether the disk was only full; the views are then unchanged.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Index(error) => error.is_full(),
            Self::Totals(TableError::DiskFull) => true,
            Self::Totals(_) | Self::CorruptTotal | Self::TotalsDamaged => false,
        }
    }

    /// Whether a write may be retried: the views are unchanged.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Index(error) => error.is_transient(),
            Self::Totals(_) | Self::CorruptTotal | Self::TotalsDamaged => self.is_full(),
        }
    }

    /// Whether bytes that were once written have changed or cannot be read.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Index(error) => error.is_damage(),
            Self::Totals(error) => error.is_damage(),
            Self::CorruptTotal | Self::TotalsDamaged => true,
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
        let totals = open_totals(&folder.join(TOTALS_FOLDER), &space)?;
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
            totals_damaged: AtomicBool::new(false),
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
        self.check_totals()?;
        self.note_damage(self.totals.get(key))
    }

    fn check_totals(&self) -> Result<(), ViewError> {
        if self.totals_damaged.load(Ordering::Acquire) { Err(ViewError::TotalsDamaged) } else { Ok(()) }
    }

    /// Passes a read of the totals on, and notes if it failed.
    pub(crate) fn note_damage<T>(&self, read: Result<T, ViewError>) -> Result<T, ViewError> {
        read.inspect_err(|_| self.totals_damaged.store(true, Ordering::Release))
    }

    /// Visits the totals of `scope`, or all of them.
    pub(crate) fn visit_totals(
        &self,
        scope: Option<&TotalsScope>,
        visit: impl FnMut(TotalKey, TotalRow),
    ) -> Result<(), ViewError> {
        self.check_totals()?;
        self.note_damage(self.totals.visit(scope, visit))
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
        if let Err(error) = self.write_totals(frozen, reached) {
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
            if error.is_transient() {
                discard_runs(added);
            }
            return Err(error);
        }
        self.bills.replace_runs(bills);
        self.accounts.replace_runs(accounts);
        *reached_guard = reached;
        Ok(())
    }

    /// Writes the totals, unless they are damaged.
    fn write_totals(&self, frozen: &FrozenRows, reached: Checkpoint) -> Result<(), ViewError> {
        if self.check_totals().is_err() {
            return Ok(());
        }
        match self.totals.write(&frozen.totals, reached.position) {
            Err(error) if error.is_damage() => {
                tracing::error!(
                    "the totals are damaged and are not written any more; the next start counts them again"
                );
                self.totals_damaged.store(true, Ordering::Release);
                Ok(())
            }
            written => written,
        }
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
                    if error.is_transient() {
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

/// Opens the totals. Damaged ones are replaced by an empty table, and then counted again from the journal.
fn open_totals(folder: &Path, space: &Arc<DiskSpace>) -> Result<TotalsTable, ViewError> {
    match TotalsTable::open(folder, Arc::clone(space)) {
        Err(error) if error.is_damage() => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the totals are damaged; rebuilding the views"
            );
            std::fs::remove_dir_all(folder).map_err(IndexError::from)?;
            Ok(TotalsTable::open(folder, Arc::clone(space))?)
        }
        opened => Ok(opened?),
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

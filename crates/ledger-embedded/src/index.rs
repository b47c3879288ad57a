//! Index: maps a key's fingerprint to the journal position of the last order under that key.
//!
//! It is a list of sorted runs, newest first; of two entries of one fingerprint the newer counts. Each flush adds a
//! run at the front. Neighbours of about one size are merged (compaction), so there are few runs, and each entry is
//! rewritten only about once for each fourfold growth.

mod error;
mod filter;
mod merge;
mod run;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

pub(crate) use self::error::IndexError;
pub(crate) use self::merge::Merge;
pub(crate) use self::run::{IndexEntry, Run};

use self::run::RunWriter;
use crate::background::throttle::Throttle;
use crate::disk::Disk;
use crate::fingerprint::Fingerprint;
use crate::journal::Position;

/// Runs of about one size that are merged into one.
const MERGE_FAN_IN: u8 = 4;

#[derive(Debug)]
pub(crate) struct Index {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Newest first. A reader takes a snapshot.
    runs: RwLock<Arc<[Arc<Run>]>>,
    /// Entries of a run of the smallest size class: those of one flush.
    base_run_entries: u64,
    filter_bytes: u64,
}

impl Index {
    /// Opens the index in `folder` with the runs of these numbers, newest first, and removes the files of an
    /// interrupted write.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        numbers: &[u64],
        base_run_entries: usize,
        filter_bytes: u64,
    ) -> Result<Self, IndexError> {
        std::fs::create_dir_all(folder)?;
        let runs = numbers.iter().map(|number| Run::open(folder, *number).map(Arc::new));
        let runs: Arc<[_]> = runs.collect::<Result<_, _>>()?;
        for file in std::fs::read_dir(folder)? {
            let path = file?.path();
            if !runs.iter().any(|run| run.path == path) {
                std::fs::remove_file(path)?;
            }
        }
        let base_run_entries = u64::try_from(base_run_entries).unwrap_or(u64::MAX).max(1);
        Ok(Self { disk, folder: folder.to_owned(), runs: RwLock::new(runs), base_run_entries, filter_bytes })
    }

    pub(crate) fn runs(&self) -> Runs {
        Runs(Arc::clone(&self.runs.read().expect("nothing panics while it changes the runs")))
    }

    pub(crate) fn replace_runs(&self, runs: Runs) {
        let mut current = self.runs.write().expect("nothing panics while it changes the runs");
        let before = std::mem::replace(&mut *current, runs.0);
        drop(current);
        // Closing files and freeing filters takes a while, so no lock is held.
        drop(before);
    }

    /// Writes a run of `count` entries, sorted by fingerprint. It is not part of the index yet.
    pub(crate) fn write_run(
        &self,
        number: u64,
        count: usize,
        records: impl IntoIterator<Item = IndexEntry>,
        throttle: &Throttle<'_>,
    ) -> Result<Arc<Run>, IndexError> {
        let count = count as u64;
        let mut writer = self.run_writer(number, count, self.runs().entry_count() + count)?;
        for record in records {
            writer.add(record)?;
            throttle.step();
        }
        Ok(Arc::new(writer.finish()?))
    }

    /// A writer for `records` of the `all` entries of the index; filters share the memory by entries.
    fn run_writer(&self, number: u64, records: u64, all: u64) -> Result<RunWriter, IndexError> {
        let share = u128::from(self.filter_bytes) * u128::from(records) / u128::from(all.max(1));
        let share = u64::try_from(share).expect("a share is not more than the whole");
        RunWriter::create(Arc::clone(&self.disk), &self.folder, number, records, share)
    }

    /// Neighbours that are due to be merged: the newest ones of about one size. Damaged runs are never merged.
    pub(crate) fn next_merge(&self) -> Option<Merge> {
        let runs = self.runs().0;
        let size = |run: &Arc<Run>| (run.entries / self.base_run_entries).max(1).ilog(MERGE_FAN_IN.into());
        let neighbours = runs
            .chunk_by(|a, b| size(a) == size(b) && !a.is_damaged() && !b.is_damaged())
            .find(|neighbours| neighbours.len() >= MERGE_FAN_IN.into())?;
        Some(Merge::new(neighbours.to_vec()))
    }
}

/// A snapshot of the runs of an index, newest first.
#[derive(Clone, Debug)]
pub(crate) struct Runs(Arc<[Arc<Run>]>);

impl Runs {
    /// Position of the last order under a key.
    pub(crate) fn find(&self, fingerprint: Fingerprint) -> Result<Option<Position>, IndexError> {
        for run in self.0.iter().filter(|run| run.may_contain(fingerprint)) {
            if let Some(position) = run.find(fingerprint)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn entry_count(&self) -> u64 {
        self.0.iter().map(|run| run.entries).sum()
    }

    /// Run numbers, newest first.
    pub(crate) fn numbers(&self) -> impl ExactSizeIterator<Item = u64> {
        self.0.iter().map(|run| run.number)
    }

    pub(crate) fn with_newest(&self, newer: Arc<Run>) -> Self {
        Self(std::iter::once(newer).chain(self.0.iter().cloned()).collect())
    }

    /// These, with the result of a merge in the place of its input.
    pub(crate) fn with_merged(&self, merge: &Merge, merged: Arc<Run>) -> Self {
        let mut merged = Some(merged);
        let runs = self
            .0
            .iter()
            .filter_map(|run| if merge.contains(run) { merged.take() } else { Some(Arc::clone(run)) });
        Self(runs.collect())
    }

    /// All entries by fingerprint, the newest of each.
    pub(crate) fn merge_all(&self) -> Merge {
        Merge::new(self.0.to_vec())
    }
}

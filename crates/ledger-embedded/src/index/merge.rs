//! Merge of runs: one pass over all of them by fingerprint; the newest entry of each fingerprint stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Index;
use super::error::IndexError;
use super::run::{IndexEntry, Run, RunReader};
use crate::background::throttle::Throttle;

/// Runs to merge, newest first.
pub(crate) struct Merge(Vec<Arc<Run>>);

impl Merge {
    pub(super) fn new(runs: Vec<Arc<Run>>) -> Self {
        Self(runs)
    }

    pub(super) fn contains(&self, run: &Run) -> bool {
        self.0.iter().any(|merged| merged.number == run.number)
    }

    /// The most bytes of the merged file.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.0.iter().map(|run| run.bytes_max()).sum()
    }

    /// Writes the merged run; `None` if `cancel` is set meanwhile.
    pub(crate) fn write(
        &self,
        index: &Index,
        number: u64,
        cancel: &AtomicBool,
        throttle: &Throttle<'_>,
    ) -> Result<Option<Arc<Run>>, IndexError> {
        let entries = self.0.iter().map(|run| run.entries).sum();
        let mut writer = index.run_writer(number, entries, index.runs().entry_count())?;
        let mut entries = self.entries()?;
        while let Some(entry) = entries.next()? {
            writer.add(entry)?;
            throttle.step();
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
        Ok(Some(Arc::new(writer.finish()?)))
    }

    /// Removes the files of the merged runs, which are unlisted now; open readers can still read them.
    pub(crate) fn remove_files(&self) -> Result<(), IndexError> {
        for run in &self.0 {
            std::fs::remove_file(&run.path)?;
        }
        Ok(())
    }

    /// All entries by fingerprint.
    pub(crate) fn entries(&self) -> Result<MergeIter<'_>, IndexError> {
        let mut heads = Vec::with_capacity(self.0.len());
        for run in &self.0 {
            let mut reader = RunReader::new(run);
            if let Some(entry) = reader.next()? {
                heads.push(RunHead { entry, reader });
            }
        }
        Ok(MergeIter(heads))
    }
}

/// Iterator over the entries of runs. There are few runs, so a linear search finds the least next entry.
pub(crate) struct MergeIter<'a>(Vec<RunHead<'a>>);

/// The next entry of a run, and the reader behind it.
struct RunHead<'a> {
    entry: IndexEntry,
    reader: RunReader<'a>,
}

impl MergeIter<'_> {
    pub(crate) fn next(&mut self) -> Result<Option<IndexEntry>, IndexError> {
        // Of equal ones `min_by_key` takes the first, which is the newest.
        let Some(least) = self.0.iter().map(|head| head.entry).min_by_key(|entry| entry.fingerprint) else {
            return Ok(None);
        };
        let mut at = 0;
        while let Some(head) = self.0.get_mut(at) {
            if head.entry.fingerprint != least.fingerprint {
                at += 1;
            } else if let Some(record) = head.reader.next()? {
                head.entry = record;
                at += 1;
            } else {
                self.0.remove(at);
            }
        }
        Ok(Some(least))
    }
}

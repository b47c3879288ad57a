//! Merging runs: one walk over all of them, by fingerprint; of one fingerprint the newest record.

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

    /// How large the file of all is at most.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.0.iter().map(|run| run.bytes_max()).sum()
    }

    /// Writes one run of all, or nothing if it is told to give up meanwhile.
    pub(crate) fn write(
        &self,
        index: &Index,
        number: u64,
        cancel: &AtomicBool,
        throttle: &Throttle<'_>,
    ) -> Result<Option<Arc<Run>>, IndexError> {
        let records = self.0.iter().map(|run| run.entries).sum();
        let mut writer = index.run_writer(number, records, index.runs().entry_count())?;
        let mut records = self.entries()?;
        while let Some(record) = records.next()? {
            writer.add(record)?;
            throttle.step();
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
        Ok(Some(Arc::new(writer.finish()?)))
    }

    /// Removes the files of the runs, which nothing refers to any more; whoever has them open can still read them.
    pub(crate) fn remove_files(&self) -> Result<(), IndexError> {
        for run in &self.0 {
            std::fs::remove_file(&run.path)?;
        }
        Ok(())
    }

    /// All records, in the order of their fingerprints.
    pub(crate) fn entries(&self) -> Result<MergeIter<'_>, IndexError> {
        let mut heads = Vec::with_capacity(self.0.len());
        for run in &self.0 {
            let mut reader = RunReader::new(run);
            if let Some(record) = reader.next()? {
                heads.push(RunHead { entry: record, reader });
            }
        }
        Ok(MergeIter(heads))
    }
}

/// A walk over runs. There are few, so the least of their next records is found by looking at each.
pub(crate) struct MergeIter<'a>(Vec<RunHead<'a>>);

/// The next record of a run, and what comes after it.
struct RunHead<'a> {
    entry: IndexEntry,
    reader: RunReader<'a>,
}

impl MergeIter<'_> {
    /// The next record, or nothing after the last.
    pub(crate) fn next(&mut self) -> Result<Option<IndexEntry>, IndexError> {
        // Of equal ones `min_by_key` takes the first, which is the newest.
        let Some(least) = self.0.iter().map(|head| head.entry).min_by_key(|record| record.fingerprint) else {
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

//! Counters of writes to the records: logins and tokens.

use pactolus_ledger::metrics::Counter;
use pactolus_ledger::{PutOutcome, Unavailable};

/// Kinds of records that are counted: at most this many.
pub(crate) const KINDS: usize = 7;

const RESULTS: [&str; 3] = ["stored", "conflict", "failed"];

/// Writes by the place of their kind, and by their result.
#[derive(Default)]
pub(crate) struct RecordWrites([[Counter; RESULTS.len()]; KINDS]);

impl RecordWrites {
    /// Counts a write of records whose kinds have these places.
    pub(crate) fn count(&self, kinds: &[usize], outcome: Result<PutOutcome, Unavailable>) {
        let result = match outcome {
            Ok(PutOutcome::Stored) => 0,
            Ok(PutOutcome::Conflict) => 1,
            Err(_) => 2,
        };
        for row in kinds.iter().filter_map(|kind| self.0.get(*kind)) {
            row[result].increment();
        }
    }

    /// The counts of a kind, each with the name of its result.
    pub(crate) fn of_kind(&self, kind: usize) -> impl Iterator<Item = (&'static str, u64)> {
        self.0
            .get(kind)
            .into_iter()
            .flat_map(|row| RESULTS.into_iter().zip(row).map(|(result, counter)| (result, counter.get())))
    }
}

//! Record workload: puts one at a time, and which values a reopened store must or may have.

use std::sync::{Mutex, MutexGuard};

use anyhow::{Context as _, ensure};
use pactolus_ledger::{Precondition, PutOutcome, RecordChange, RecordKey, RecordValue, Records, Unavailable};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_types::UnixMillis;
use pollster::block_on;

const RECORD_NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// All puts and their answers. The lock serialises puts.
#[derive(Default)]
pub(crate) struct RecordsWorkload(Mutex<RecordsState>);

#[derive(Default)]
struct RecordsState {
    /// Number of each record's last acknowledged put.
    current: [Option<u64>; RECORD_NAMES.len()],
    /// Unanswered puts: the records, and the number put.
    unanswered: Vec<(Vec<usize>, u64)>,
    puts: u64,
}

impl RecordsWorkload {
    fn state(&self) -> MutexGuard<'_, RecordsState> {
        self.0.lock().expect("nothing panics while it holds the records")
    }

    /// Puts one or two records.
    pub(crate) fn put(&self, store: &EmbeddedStore, random: &mut fastrand::Rng) -> Result<(), Unavailable> {
        let mut state = self.state();
        let number = state.puts;
        state.puts += 1;
        let first = random.usize(..RECORD_NAMES.len());
        let which = if random.bool() { vec![first] } else { vec![first, (first + 1) % RECORD_NAMES.len()] };
        // After an unanswered put the current values are unknown.
        let is_known = state.unanswered.is_empty();
        let former = |at: usize| match state.current[at] {
            _ if !is_known => Precondition::Any,
            number => Precondition::from_read(number.map(|number| value(number).0)),
        };
        let change = |at: &usize| RecordChange {
            key: key(*at),
            value: value(number),
            expires_at: UnixMillis::new(u64::MAX),
            precondition: former(*at),
        };
        let changes = which.iter().map(change).collect();
        match block_on(store.put(changes)) {
            Ok(PutOutcome::Stored) => which.iter().for_each(|at| state.current[*at] = Some(number)),
            // Then an acknowledged value is missing, which the next check reports.
            Ok(PutOutcome::Conflict) => {}
            Err(error) => {
                state.unanswered.push((which, number));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Every record has its last acknowledged value or a later unanswered one. A put of two records is atomic.
    pub(super) fn check(&self, store: &EmbeddedStore) -> anyhow::Result<()> {
        let mut state = self.state();
        let mut found = [None; RECORD_NAMES.len()];
        for (at, found) in found.iter_mut().enumerate() {
            let is = block_on(store.get(key(at))).context("reading a record")?;
            let later = state.unanswered.iter().filter(|(which, _)| which.contains(&at));
            let later = later.map(|(_, number)| Some(*number)).filter(|number| *number > state.current[at]);
            let mut may = later.chain([state.current[at]]);
            let number = may.find(|number| is == number.map(|number| value(number).0));
            *found = number.with_context(|| {
                let is = is.map(|value| String::from_utf8_lossy(&value).into_owned());
                format!("the record {} was put {:?} and is {is:?}", RECORD_NAMES[at], state.current[at])
            })?;
        }
        for (which, number) in &state.unanswered {
            if which.iter().any(|at| found[*at] == Some(*number)) {
                ensure!(
                    which.iter().all(|at| found[*at] >= Some(*number)),
                    "of the records {which:?}, put together as {number}, one is missing: {found:?}"
                );
            }
        }
        state.current = found;
        state.unanswered.clear();
        Ok(())
    }

    /// Reads each record.
    pub(super) fn read_all(store: &EmbeddedStore) -> impl Iterator<Item = Result<String, Unavailable>> {
        (0..RECORD_NAMES.len()).map(|at| block_on(store.get(key(at))).map(|is| format!("{is:?}")))
    }

    pub(crate) fn puts(&self) -> u64 {
        self.state().puts
    }
}

fn key(at: usize) -> RecordKey {
    RecordKey::new("session", &["wx1234567", RECORD_NAMES[at]])
}

/// The bytes of put `number`; some are longer than a page.
fn value(number: u64) -> RecordValue {
    let length = if number % 16 == 15 { 900 } else { 1 + usize::try_from(number % 7).expect("it is small") };
    RecordValue(format!("{number} ").repeat(length).into_bytes())
}

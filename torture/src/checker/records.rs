//! The records that are kept, one after the other: which have to be there, and which may be.

use std::sync::{Mutex, MutexGuard};

use anyhow::{Context as _, ensure};
use pactolus_ledger::{Precondition, PutOutcome, RecordChange, RecordKey, RecordValue, Records, Unavailable};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_types::UnixMillis;
use pollster::block_on;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What was put, and what was answered. One puts at a time.
#[derive(Default)]
pub(crate) struct Drawer(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The number that each record was given last, as far as that was answered.
    now: [Option<u64>; NAMES.len()],
    /// What was put and not answered: these records, and the number that they were given.
    unanswered: Vec<(Vec<usize>, u64)>,
    puts: u64,
}

impl Drawer {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("nothing panics while it looks into the drawer")
    }

    /// Puts one or two records.
    pub(crate) fn put(&self, store: &EmbeddedStore, random: &mut fastrand::Rng) -> Result<(), Unavailable> {
        let mut kept = self.kept();
        let number = kept.puts;
        kept.puts += 1;
        let first = random.usize(..NAMES.len());
        let which = if random.bool() { vec![first] } else { vec![first, (first + 1) % NAMES.len()] };
        // After one that was not answered nobody knows what they are.
        let is_known = kept.unanswered.is_empty();
        let former = |at: usize| match kept.now[at] {
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
            Ok(PutOutcome::Stored) => which.iter().for_each(|at| kept.now[*at] = Some(number)),
            // Then they are not what was answered before, which the next check says of them.
            Ok(PutOutcome::Conflict) => {}
            Err(error) => {
                kept.unanswered.push((which, number));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Every record is as it was put last, or as it was put and not answered since; and of two that were put
    /// together there are both or none.
    pub(super) fn check(&self, store: &EmbeddedStore) -> anyhow::Result<()> {
        let mut kept = self.kept();
        let mut found = [None; NAMES.len()];
        for (at, found) in found.iter_mut().enumerate() {
            let is = block_on(store.get(key(at))).context("reading a record")?;
            let later = kept.unanswered.iter().filter(|(which, _)| which.contains(&at));
            let later = later.map(|(_, number)| Some(*number)).filter(|number| *number > kept.now[at]);
            let mut may = later.chain([kept.now[at]]);
            let number = may.find(|number| is == number.map(|number| value(number).0));
            *found = number.with_context(|| {
                let is = is.map(|value| String::from_utf8_lossy(&value).into_owned());
                format!("the record {} was put {:?} and is {is:?}", NAMES[at], kept.now[at])
            })?;
        }
        for (which, number) in &kept.unanswered {
            if which.iter().any(|at| found[*at] == Some(*number)) {
                ensure!(
                    which.iter().all(|at| found[*at] >= Some(*number)),
                    "of the records {which:?}, put together as {number}, one is missing: {found:?}"
                );
            }
        }
        kept.now = found;
        kept.unanswered.clear();
        Ok(())
    }

    /// What the store says of each record.
    pub(super) fn answers(store: &EmbeddedStore) -> impl Iterator<Item = Result<String, Unavailable>> {
        (0..NAMES.len()).map(|at| block_on(store.get(key(at))).map(|is| format!("{is:?}")))
    }

    /// How many puts there were.
    pub(crate) fn puts(&self) -> u64 {
        self.kept().puts
    }
}

fn key(at: usize) -> RecordKey {
    RecordKey::new("session", &["wx1234567", NAMES[at]])
}

/// The bytes of put `number`, some of them more than a page.
fn value(number: u64) -> RecordValue {
    let length = if number % 16 == 15 { 900 } else { 1 + usize::try_from(number % 7).expect("it is small") };
    RecordValue(format!("{number} ").repeat(length).into_bytes())
}

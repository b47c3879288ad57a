//! The records that are kept, one after the other: which have to be there, and which may be.

use std::sync::Mutex;

use anyhow::{Context as _, ensure};
use pactolus_ledger::{Former, Put, RecordChange, RecordKey, RecordValue, Records, Unavailable};
use pactolus_ledger_embedded::EmbeddedStore;
use pactolus_nouns::UnixMillis;
use pollster::block_on;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What was put, and what was answered. One puts at a time.
#[derive(Default)]
pub(crate) struct Drawer(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// The number that each record has.
    now: [Option<u64>; NAMES.len()],
    /// What was put and not answered: these records, and the number that they got.
    unanswered: Option<(Vec<usize>, u64)>,
    puts: u64,
}

impl Drawer {
    /// Puts one or two records.
    pub(crate) fn put(&self, store: &EmbeddedStore, random: &mut fastrand::Rng) -> Result<(), Unavailable> {
        let mut kept = self.0.lock().expect("nothing panics while it looks into the drawer");
        let number = kept.puts;
        kept.puts += 1;
        let first = random.usize(..NAMES.len());
        let which = if random.bool() { vec![first] } else { vec![first, (first + 1) % NAMES.len()] };
        let changes = which.iter().map(|at| RecordChange {
            key: key(*at),
            value: value(number),
            expires_at: UnixMillis::new(u64::MAX),
            former: Former::read(kept.now[*at].map(|number| value(number).0)),
        });
        let changes = changes.collect();
        kept.unanswered = Some((which.clone(), number));
        if block_on(store.put(changes))? == Put::Kept {
            for at in which {
                kept.now[at] = Some(number);
            }
        }
        kept.unanswered = None;
        Ok(())
    }

    /// Every record is as it was put last; those that were put and not answered are, or all of them are not.
    pub(super) fn check(&self, store: &EmbeddedStore) -> anyhow::Result<()> {
        let mut kept = self.0.lock().expect("nothing panics while it looks into the drawer");
        let read = |at: usize| block_on(store.get(key(at))).context("reading a record");
        if let Some((which, number)) = kept.unanswered.take()
            && read(which[0])? == Some(value(number).0)
        {
            for at in which {
                kept.now[at] = Some(number);
            }
        }
        for (at, number) in kept.now.iter().enumerate() {
            let is = read(at)?;
            ensure!(
                is == number.map(|number| value(number).0),
                "the record {} should be put {number:?} and is {:?}",
                NAMES[at],
                is.map(|value| String::from_utf8_lossy(&value).into_owned())
            );
        }
        Ok(())
    }

    /// How many puts there were.
    pub(crate) fn puts(&self) -> u64 {
        self.0.lock().expect("nothing panics while it looks into the drawer").puts
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

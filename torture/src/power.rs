//! Power cuts: a store on a disk that forgets what was not synced.
//!
//! A store gets orders and records from several threads, and after some operations of its disk the power is cut: while
//! it opens, works, or closes. It is opened on what survived, and the [`Witness`] looks for all that was answered;
//! again and again, and now and then with a new store. Instead of the power, sometimes only the program is cut off.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use pactolus_ledger::Ledger as _;
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number, to_f64};
use pollster::block_on;
use serde::Serialize;

use crate::checker::{Counts, Witness};
use crate::disk_model::{Blow, Disk, Image};
use crate::options::{NONE, Options, workspace};

/// How often the power is cut under one store: few times, so that many are new, or often, so that it grows.
const CUTS_PER_STORE: [u64; 4] = [2, 20, 40, 80];
/// How many orders a thread sends at most before the store is closed.
const ORDERS_PER_THREAD: usize = 150;

#[derive(Default, clap::Args)]
pub(crate) struct Arguments {
    /// How often the power is cut [default: 10000, short: 200]
    #[arg(long)]
    cuts: Option<u64>,
    /// The number of the first store, to repeat what came of it without those before
    #[arg(long, default_value_t = 0)]
    store: u64,
}

/// What the store was doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Doing {
    Opening,
    Working,
    Closing,
    Nothing,
}

/// What is kept of all cuts.
#[derive(Default, Serialize)]
struct Found {
    cuts: u64,
    /// Those of them that cut off the program only.
    kills: u64,
    stores: u64,
    doing: BTreeMap<Doing, u64>,
    /// By what was struck.
    blows: BTreeMap<String, u64>,
    counts: Counts,
    records: u64,
    operations: u64,
}

pub(crate) fn run(arguments: &Arguments, options: &Options) -> anyhow::Result<ReportSection> {
    let cuts = arguments.cuts.unwrap_or(options.pick(10_000, 200));
    let bound = options.bound(cuts);
    let mut found = Found::default();
    for number in arguments.store.. {
        if !bound.goes_on(found.cuts) {
            break;
        }
        let mut store = Victim::new(number, options)?;
        let (mut here, most) = (0, CUTS_PER_STORE[store.random.usize(..4)]);
        let outcome = loop {
            if here == most || !bound.goes_on(found.cuts) {
                break store.look().context("after the last cut");
            }
            here += 1;
            if let Err(error) = store.strike(&mut found) {
                break Err(error);
            }
        };
        if let Err(error) = outcome {
            let folder = workspace().join(format!("target/torture/power-{}-{number}", options.seed));
            store.survived.export(&folder)?;
            let what = format!(
                "store {number}, cut {here}: what survived is in {}; to repeat it: \
                 cargo xtask torture power --seed {} --store {number} --cuts {here}",
                folder.display(),
                options.seed
            );
            return Err(error.context(what));
        }
        found.finish(&store);
    }
    ReportSection::new("power", found.table(), &found)
}

/// A store whose power is cut.
struct Victim {
    random: fastrand::Rng,
    settings: EmbeddedSettings,
    threads: usize,
    witness: Witness,
    /// What the last cut has left.
    survived: Image,
    disk: Disk,
    _mounted: tempfile::TempDir,
}

impl Victim {
    fn new(number: u64, options: &Options) -> anyhow::Result<Self> {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let mut random = fastrand::Rng::with_seed(seed);
        let mounted = Options::temporary()?;
        let disk = Disk::mount(mounted.path(), seed)?;
        let mut pick = |of: &[usize]| of[random.usize(..of.len())];
        let settings = EmbeddedSettings {
            memtable_orders: pick(&[8, 40, 40]),
            segment_bytes: pick(&[1, 1500, 6000, 6000]) as u64,
            accounts_cached: pick(&[0, 128, 4096]),
            ..EmbeddedSettings::default()
        };
        let threads = pick(&[1, 2, 4, 4]);
        let survived = disk.image();
        Ok(Self { random, settings, threads, witness: Witness::new(seed), survived, disk, _mounted: mounted })
    }

    /// Opens the store, lets it work and cuts the power, at a moment that is drawn; then starts the disk again.
    fn strike(&mut self, found: &mut Found) -> anyhow::Result<()> {
        let doing = self.open_and_work()?;
        self.disk.cut_now();
        let blow = self.disk.cut().expect("it is cut now");
        if self.random.u8(..8) == 0 {
            found.kills += 1;
            self.disk.start_after_kill();
        } else {
            self.disk.start_after_power_cut(self.random.u64(..));
        }
        self.survived = self.disk.image();
        found.cuts += 1;
        *found.doing.entry(doing).or_default() += 1;
        *found.blows.entry(name(&blow)).or_default() += 1;
        Ok(())
    }

    fn open_and_work(&mut self) -> anyhow::Result<Doing> {
        if self.random.u8(..3) == 0 {
            self.disk.cut_after(self.random.u64(..60));
        }
        let opened = EmbeddedStore::open(&self.disk.folder(), &self.settings);
        if self.disk.cut().is_some() {
            return Ok(Doing::Opening);
        }
        self.disk.cut_never();
        let store = opened.context("the store cannot be opened")?;
        self.witness.check(&store)?;
        let most = [8, 40, 120, 400][self.random.usize(..4)];
        self.disk.cut_after(self.random.u64(..most));
        self.work(&store);
        if self.disk.cut().is_some() {
            return Ok(Doing::Working);
        }
        block_on(store.close());
        drop(store);
        Ok(if self.disk.cut().is_some() { Doing::Closing } else { Doing::Nothing })
    }

    /// Sends orders and records until they are not answered any more.
    fn work(&mut self, store: &EmbeddedStore) {
        let (witness, disk) = (&self.witness, &self.disk);
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                let mut random = self.random.fork();
                scope.spawn(move || {
                    for _ in 0..ORDERS_PER_THREAD {
                        let order = witness.orders.draw(&mut random);
                        if witness.post(store, &order, witness.orders.now()).is_err() {
                            break;
                        }
                    }
                });
            }
            // Without an end they would take most of what the disk does.
            let puts = [0, 0, 4, 40][self.random.usize(..4)];
            let mut random = self.random.fork();
            scope.spawn(move || {
                for _ in 0..puts {
                    if witness.drawer.put(store, &mut random).is_err() || disk.cut().is_some() {
                        break;
                    }
                }
            });
        });
    }

    /// Looks at the store once more, without cutting anything.
    fn look(&mut self) -> anyhow::Result<()> {
        let store = EmbeddedStore::open(&self.disk.folder(), &self.settings)?;
        self.witness.check(&store)
    }
}

/// What was struck, in words that many cuts share.
fn name(blow: &Blow) -> String {
    let path = blow.path.display().to_string();
    let what = match path.split('/').collect::<Vec<_>>().as_slice() {
        [""] => "the folder",
        ["journal", ..] => "journal",
        ["views", "totals", ..] => "views: totals",
        ["views", "bills" | "accounts", ..] => "views: runs",
        ["views", ..] => "views: contents",
        ["records", ..] => "records",
        _ => "format and lock",
    };
    format!("{what}, {:?}", blow.operation).to_lowercase()
}

impl Found {
    fn finish(&mut self, store: &Victim) {
        let counts = store.witness.counts();
        self.stores += 1;
        self.records += store.witness.drawer.puts();
        self.operations += store.disk.operations();
        self.counts = self.counts.plus(counts);
    }

    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["What", "How many"]);
        let mut row = |what: &str, count: u64| table.push_row(&[what, &format_number(to_f64(count), 0)]);
        row("Cuts", self.cuts);
        row("of them of the program only, with the power on", self.kills);
        for (doing, count) in &self.doing {
            let while_it = match doing {
                Doing::Opening => "while it opened",
                Doing::Working => "while it worked",
                Doing::Closing => "while it closed",
                Doing::Nothing => "after it had closed",
            };
            row(while_it, *count);
        }
        row("New stores", self.stores);
        row("Orders acknowledged", self.counts.acknowledged);
        row("Orders sent and not answered", self.counts.unanswered);
        row("of them there afterwards", self.counts.unanswered_there);
        row("Records put", self.records);
        row("Times that an acknowledged order was looked for", self.counts.looked_for);
        table.push_row(&["Of all these lost, changed or applied twice", NONE]);
        let mut text = table.to_string();
        let mut blows = MarkdownTable::new(&["Struck at", "How often"]);
        for (what, count) in &self.blows {
            blows.push_row(&[what, &format_number(to_f64(*count), 0)]);
        }
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{blows}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends orders and records until one is not answered; whether all were.
    fn work(store: &EmbeddedStore, witness: &Witness, random: &mut fastrand::Rng, count: usize) -> bool {
        (0..count).all(|_| {
            let order = witness.orders.draw(random);
            witness.post(store, &order, witness.orders.now()).is_ok()
                && witness.drawer.put(store, random).is_ok()
        })
    }

    /// The program was killed when a new file of the journal, or the one of the records, had its name, and before its
    /// folder was synced. It was opened again and went on with that file; then a power cut took the file's name, and
    /// with it all that had been answered since. Opening now syncs the folders.
    #[test]
    fn what_is_answered_after_a_kill_outlasts_a_power_cut() {
        let mounted = Options::temporary().unwrap();
        let disk = Disk::mount(mounted.path(), 1).unwrap();
        let nothing = disk.image();
        // First a new file for each batch; afterwards the last one goes on.
        let settings = EmbeddedSettings { segment_bytes: 1, ..EmbeddedSettings::default() };
        let open_again = || EmbeddedStore::open(&disk.folder(), &EmbeddedSettings::default()).unwrap();
        let mut was_killed = true;
        for operation in 0.. {
            if !was_killed {
                return;
            }
            disk.start_from(&nothing);
            let (witness, mut random) = (Witness::new(operation), fastrand::Rng::with_seed(operation));
            disk.cut_after(operation);
            if let Ok(store) = EmbeddedStore::open(&disk.folder(), &settings) {
                work(&store, &witness, &mut random, 8);
            }
            was_killed = disk.cut().is_some();
            disk.cut_now();
            let killed_at = format!("killed at operation {operation}, {:?}", disk.cut());
            disk.start_after_kill();
            let store = open_again();
            witness.check(&store).context(killed_at.clone()).unwrap();
            assert!(work(&store, &witness, &mut random, 4), "{killed_at}");
            disk.cut_now();
            drop(store);
            disk.start_after_power_cut(operation);
            witness.check(&open_again()).context(killed_at).unwrap();
        }
    }
}

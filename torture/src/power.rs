//! Power cuts: an embedded store on a disk that loses unsynced writes.
//!
//! Several threads post orders and put records. After some disk operations the power is cut, while the store opens,
//! works, or closes. The store is reopened on the surviving state, and the [`Checker`] looks for everything that was
//! acknowledged. This repeats, sometimes with a new store. About one cut in eight kills the process only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use pactolus_ledger::Ledger as _;
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number, to_f64};
use pollster::block_on;
use serde::Serialize;

use crate::checker::{Checker, CheckerStats};
use crate::disk_model::{FuseDisk, Image, Injection};
use crate::options::{NONE_FOUND, Options, workspace};

/// Power cuts of one store: few, so that many stores are new, or many, so that the store grows.
const CUTS_PER_STORE: [u64; 4] = [2, 20, 40, 80];
/// Upper bound of a thread's orders before the store is closed.
const ORDERS_PER_THREAD: usize = 150;

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Power cuts [default: 10000; 200 with --short]
    #[arg(long)]
    cuts: Option<u64>,
    /// Number of the first store, to repeat a finding without the stores before it
    #[arg(long, default_value_t = 0)]
    store: u64,
}

/// Activity of the store at a power cut.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Opening,
    Working,
    Closing,
    Nothing,
}

/// Counts over all cuts.
#[derive(Default, Serialize)]
struct PowerStats {
    cuts: u64,
    /// Cuts that killed the process only.
    kills: u64,
    stores: u64,
    doing: BTreeMap<Phase, u64>,
    /// By the interrupted operation.
    blows: BTreeMap<String, u64>,
    counts: CheckerStats,
    records: u64,
    operations: u64,
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    let cuts = arguments.cuts.unwrap_or(options.pick(10_000, 200));
    let bound = options.budget(cuts);
    let mut found = PowerStats::default();
    for number in arguments.store.. {
        if !bound.should_continue(found.cuts) {
            break;
        }
        let mut store = StoreUnderTest::new(number, options)?;
        let (mut cut, cuts_max) = (0, CUTS_PER_STORE[store.random.usize(..4)]);
        let outcome = loop {
            if cut == cuts_max || !bound.should_continue(found.cuts) {
                break store.check().context("after the last cut");
            }
            cut += 1;
            if let Err(error) = store.cut_power(&mut found) {
                break Err(error);
            }
        };
        if let Err(error) = outcome {
            let folder = workspace().join(format!("target/torture/power-{}-{number}", options.seed));
            store.image.export(&folder)?;
            let what = format!(
                "store {number}, cut {cut}: the surviving files are in {}; to repeat it: \
                 cargo xtask torture power --seed {} --store {number} --cuts {cut}",
                folder.display(),
                options.seed
            );
            return Err(error.context(what));
        }
        found.add_store(&store);
    }
    ReportSection::new("power", found.table(), &found)
}

/// A store and its disk.
struct StoreUnderTest {
    random: fastrand::Rng,
    settings: EmbeddedSettings,
    threads: usize,
    checker: Checker,
    /// The state that survived the last cut.
    image: Image,
    disk: FuseDisk,
    _mount_dir: tempfile::TempDir,
}

impl StoreUnderTest {
    fn new(number: u64, options: &Options) -> anyhow::Result<Self> {
        let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(number);
        let mut random = fastrand::Rng::with_seed(seed);
        let mount_dir = Options::temp_dir()?;
        let disk = FuseDisk::mount(mount_dir.path(), seed)?;
        let mut pick = |of: &[usize]| of[random.usize(..of.len())];
        let settings = EmbeddedSettings {
            memtable_orders: pick(&[8, 40, 40]),
            segment_bytes: pick(&[1, 1500, 6000, 6000]) as u64,
            accounts_cached: pick(&[0, 128, 4096]),
            ..EmbeddedSettings::default()
        };
        let threads = pick(&[1, 2, 4, 4]);
        let image = disk.image();
        Ok(Self {
            random,
            settings,
            threads,
            checker: Checker::new(seed),
            image,
            disk,
            _mount_dir: mount_dir,
        })
    }

    /// Opens the store, runs the workload, cuts the power at a random moment, and restarts the disk.
    fn cut_power(&mut self, found: &mut PowerStats) -> anyhow::Result<()> {
        let phase = self.open_and_run()?;
        self.disk.cut_power();
        let injection = self.disk.power_cut().expect("it is cut now");
        if self.random.u8(..8) == 0 {
            found.kills += 1;
            self.disk.restart_after_kill();
        } else {
            self.disk.restart_after_power_cut(self.random.u64(..));
        }
        self.image = self.disk.image();
        found.cuts += 1;
        *found.doing.entry(phase).or_default() += 1;
        *found.blows.entry(injection_label(&injection)).or_default() += 1;
        Ok(())
    }

    fn open_and_run(&mut self) -> anyhow::Result<Phase> {
        if self.random.u8(..3) == 0 {
            self.disk.cut_power_after(self.random.u64(..60));
        }
        let opened = EmbeddedStore::open(&self.disk.folder(), &self.settings);
        if self.disk.power_cut().is_some() {
            return Ok(Phase::Opening);
        }
        self.disk.cancel_power_cut();
        let store = opened.context("the store cannot be opened")?;
        self.checker.check(&store)?;
        let cuts_max = [8, 40, 120, 400][self.random.usize(..4)];
        self.disk.cut_power_after(self.random.u64(..cuts_max));
        self.run_workload(&store);
        if self.disk.power_cut().is_some() {
            return Ok(Phase::Working);
        }
        block_on(store.close());
        drop(store);
        Ok(if self.disk.power_cut().is_some() { Phase::Closing } else { Phase::Nothing })
    }

    /// Posts orders and puts records until one is unanswered.
    fn run_workload(&mut self, store: &EmbeddedStore) {
        let (checker, disk) = (&self.checker, &self.disk);
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                let mut random = self.random.fork();
                scope.spawn(move || {
                    for _ in 0..ORDERS_PER_THREAD {
                        let order = checker.orders.next_order(&mut random);
                        if checker.post(store, &order, checker.orders.now()).is_err() {
                            break;
                        }
                    }
                });
            }
            // Unlimited, puts would make most of the disk operations.
            let puts = [0, 0, 4, 40][self.random.usize(..4)];
            let mut random = self.random.fork();
            scope.spawn(move || {
                for _ in 0..puts {
                    if checker.records.put(store, &mut random).is_err() || disk.power_cut().is_some() {
                        break;
                    }
                }
            });
        });
    }

    /// Checks the store once more, without a cut.
    fn check(&mut self) -> anyhow::Result<()> {
        let store = EmbeddedStore::open(&self.disk.folder(), &self.settings)?;
        self.checker.check(&store)
    }
}

/// Label of the interrupted operation, coarse enough to group many cuts.
fn injection_label(injection: &Injection) -> String {
    let path = injection.path.display().to_string();
    let what = match path.split('/').collect::<Vec<_>>().as_slice() {
        [""] => "the folder",
        ["journal", ..] => "journal",
        ["views", "totals", ..] => "views: totals",
        ["views", "bills" | "accounts", ..] => "views: runs",
        ["views", ..] => "views: contents",
        ["records", ..] => "records",
        _ => "format and lock",
    };
    format!("{what}, {:?}", injection.operation).to_lowercase()
}

impl PowerStats {
    fn add_store(&mut self, store: &StoreUnderTest) {
        let counts = store.checker.stats();
        self.stores += 1;
        self.records += store.checker.records.puts();
        self.operations += store.disk.operations();
        self.counts = self.counts.plus(counts);
    }

    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["What", "Count"]);
        let mut row = |what: &str, count: u64| table.push_row(&[what, &format_number(to_f64(count), 0)]);
        row("Cuts", self.cuts);
        row("of them kills of the process only", self.kills);
        for (phase, count) in &self.doing {
            let while_it = match phase {
                Phase::Opening => "while it opened",
                Phase::Working => "while it worked",
                Phase::Closing => "while it closed",
                Phase::Nothing => "after it had closed",
            };
            row(while_it, *count);
        }
        row("New stores", self.stores);
        row("Orders acknowledged", self.counts.acknowledged);
        row("Orders sent and not answered", self.counts.unanswered);
        row("of them applied", self.counts.unanswered_there);
        row("Records put", self.records);
        row("Look-ups of acknowledged orders", self.counts.looked_for);
        table.push_row(&["Lost, changed or applied twice", NONE_FOUND]);
        let mut text = table.to_string();
        let mut blows = MarkdownTable::new(&["Interrupted operation", "Count"]);
        for (what, count) in &self.blows {
            blows.push_row(&[what, &format_number(to_f64(*count), 0)]);
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{blows}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Posts orders and puts records until one is unanswered. Returns whether all were answered.
    fn run_workload(
        store: &EmbeddedStore,
        witness: &Checker,
        random: &mut fastrand::Rng,
        count: usize,
    ) -> bool {
        (0..count).all(|_| {
            let order = witness.orders.next_order(random);
            witness.post(store, &order, witness.orders.now()).is_ok()
                && witness.records.put(store, random).is_ok()
        })
    }

    /// Bug: a kill came after a new journal segment, or the records file, had its name and before its folder was
    /// synced. The reopened store appended to that file, and a power cut then removed its name. Loss: every order
    /// acknowledged since the reopen. Fix: opening a store syncs its folders.
    #[test]
    fn acknowledged_after_kill_survives_power_cut() {
        let mount_dir = Options::temp_dir().unwrap();
        let disk = FuseDisk::mount(mount_dir.path(), 1).unwrap();
        let nothing = disk.image();
        // A new segment for each batch at first; after the reopen the last one is continued.
        let settings = EmbeddedSettings { segment_bytes: 1, ..EmbeddedSettings::default() };
        let open_again = || EmbeddedStore::open(&disk.folder(), &EmbeddedSettings::default()).unwrap();
        let mut was_killed = true;
        for operation in 0.. {
            if !was_killed {
                return;
            }
            disk.restart_from_image(&nothing);
            let (checker, mut random) = (Checker::new(operation), fastrand::Rng::with_seed(operation));
            disk.cut_power_after(operation);
            if let Ok(store) = EmbeddedStore::open(&disk.folder(), &settings) {
                run_workload(&store, &checker, &mut random, 8);
            }
            was_killed = disk.power_cut().is_some();
            disk.cut_power();
            let killed_at = format!("killed at operation {operation}, {:?}", disk.power_cut());
            disk.restart_after_kill();
            let store = open_again();
            checker.check(&store).context(killed_at.clone()).unwrap();
            assert!(run_workload(&store, &checker, &mut random, 4), "{killed_at}");
            disk.cut_power();
            drop(store);
            disk.restart_after_power_cut(operation);
            checker.check(&open_again()).context(killed_at).unwrap();
        }
    }
}

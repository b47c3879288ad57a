//! A faulty disk: errors on writing and syncing, writes that take less than they were given, flipped bits, no room.
//!
//! What each has to come to is said where it is made. In all of them nothing that was acknowledged may be lost, and
//! no answer may be wrong.

mod flips;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use pactolus_ledger::{Ledger as _, PostError, Unavailable};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number, to_f64};
use pollster::block_on;
use serde::Serialize;

use self::flips::Flips;
use crate::checker::{Orders, Witness};
use crate::disk_model::{Disk, Fault};
use crate::options::Options;

const ORDERS: usize = 120;
/// How much a disk still takes before it is full, at most.
const LAST_BYTES: u64 = 96 * 1024;
/// How soon a store has to take orders again when there is room again.
const SOON: Duration = Duration::from_secs(20);

#[derive(Default, clap::Args)]
pub(crate) struct Arguments {
    /// Only one kind of fault
    #[arg(long)]
    only: Option<Kind>,
    /// How often each kind strikes [default: 1000, short: 40]
    #[arg(long)]
    strikes: Option<u64>,
    /// Only opens this store and reads it, for the one who flips bits
    #[arg(long, hide = true)]
    probe: Option<PathBuf>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// A write fails
    Write,
    /// A sync fails
    Sync,
    /// Writes take fewer bytes than they were given
    Short,
    /// Bits flip while the store is closed
    Flips,
    /// There is no room, for a while
    Full,
}

#[derive(Default, Serialize)]
struct Found {
    write_errors: u64,
    sync_errors: u64,
    short_writes: u64,
    full: u64,
    /// Orders that were refused while there was no room.
    refused_for_room: u64,
    /// The longest time that passed between room and an order that was taken.
    again_ms_max: u64,
    acknowledged: u64,
    flips: Flips,
}

pub(crate) fn run(arguments: &Arguments, options: &Options) -> anyhow::Result<ReportSection> {
    if let Some(folder) = &arguments.probe {
        flips::probe(folder);
        std::process::exit(0);
    }
    let strikes = arguments.strikes.unwrap_or(options.pick(1000, 40));
    let kinds = match arguments.only {
        Some(kind) => vec![kind],
        None => vec![Kind::Write, Kind::Sync, Kind::Short, Kind::Flips, Kind::Full],
    };
    let mut found = Found::default();
    let shares = kinds.len();
    for kind in kinds {
        let bound = options.share(shares).bound(strikes);
        let mut struck = 0;
        while bound.goes_on(struck) {
            let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(struck);
            let outcome = match kind {
                Kind::Write => error(Fault::Write, seed, &mut found),
                Kind::Sync => error(Fault::Sync, seed, &mut found),
                Kind::Short => short(seed, &mut found),
                Kind::Flips => flips::strike(seed, &mut found.flips),
                Kind::Full => full(seed, &mut found),
            };
            let name = format!("{kind:?}").to_lowercase();
            outcome.with_context(|| {
                format!(
                    "strike {struck} of {name}; to repeat it: cargo xtask torture disk --seed {} --only {name} \
                     --strikes {}",
                    options.seed,
                    struck + 1
                )
            })?;
            struck += 1;
        }
    }
    ReportSection::new("disk", found.table(), &found)
}

/// A store on a disk of its own.
struct Patient {
    random: fastrand::Rng,
    witness: Witness,
    disk: Disk,
    _mounted: tempfile::TempDir,
}

fn settings() -> EmbeddedSettings {
    EmbeddedSettings {
        memtable_orders: 24,
        segment_bytes: 4000,
        accounts_cached: 128,
        ..EmbeddedSettings::default()
    }
}

impl Patient {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let mounted = Options::temporary()?;
        let disk = Disk::mount(mounted.path(), seed)?;
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { random, witness: Witness::new(seed), disk, _mounted: mounted })
    }

    fn open(&self) -> anyhow::Result<EmbeddedStore> {
        EmbeddedStore::open(&self.disk.folder(), &settings()).context("the store cannot be opened")
    }

    /// Sends orders, and records among them, until some are not answered or there were enough.
    fn work(&mut self, store: &EmbeddedStore) -> Result<(), Unavailable> {
        for number in 0..ORDERS {
            let order = self.witness.orders.draw(&mut self.random);
            match self.witness.post(store, &order, self.witness.orders.now()) {
                Ok(()) | Err(PostError::Refused(_)) => {}
                Err(PostError::Unavailable(unavailable)) => return Err(unavailable),
            }
            if number % 8 == 0 {
                self.witness.drawer.put(store, &mut self.random)?;
            }
        }
        Ok(())
    }
}

/// An error of a write or a sync. From then on the part of the store that met it takes nothing more, whatever the disk
/// does; what was acknowledged is there after it was opened again, with the power on all the time or not.
fn error(fault: Fault, seed: u64, found: &mut Found) -> anyhow::Result<()> {
    let mut patient = Patient::new(seed)?;
    let store = patient.open()?;
    let _ = patient.work(&store);
    let most = if fault == Fault::Write { 60 } else { 40 };
    patient.disk.fail(fault, patient.random.u64(..most), false);
    let _ = patient.work(&store);
    let blows = patient.disk.mend();
    for blow in &blows {
        *(if fault == Fault::Write { &mut found.write_errors } else { &mut found.sync_errors }) += 1;
        if blow.path.starts_with("records") {
            // Another one may be refused; one that is acknowledged has to stay.
            for _ in 0..4 {
                let _ = patient.witness.drawer.put(&store, &mut patient.random);
            }
        } else {
            let refused = wait(|| patient.work(&store) == Err(Unavailable::Failed));
            ensure!(refused, "after an error at {} orders are still taken", blow.path.display());
            ensure!(block_on(store.ready()) == Err(Unavailable::Failed), "it says that it is ready");
        }
    }
    drop(store);
    if patient.random.bool() {
        patient.disk.start_after_power_cut(patient.random.u64(..));
    } else {
        patient.disk.start_after_kill();
    }
    let store = patient.open()?;
    patient.witness.check(&store)?;
    drop(store);
    // What was read and acknowledged since may rest on bytes that only the kernel has.
    patient.disk.start_after_power_cut(patient.random.u64(..));
    patient.witness.check(&patient.open()?).context("after the power was cut")?;
    found.acknowledged += patient.witness.counts().acknowledged;
    Ok(())
}

/// Writes that take less than they were given: whoever writes has to go on with the rest, and all goes well.
fn short(seed: u64, found: &mut Found) -> anyhow::Result<()> {
    let mut patient = Patient::new(seed)?;
    patient.disk.fail(Fault::Short, patient.random.u64(..40), true);
    let store = patient.open()?;
    patient.work(&store).context("a short write is no error")?;
    patient.witness.check(&store)?;
    drop(store);
    found.short_writes += patient.disk.mend().len() as u64;
    patient.disk.start_after_power_cut(patient.random.u64(..));
    patient.witness.check(&patient.open()?)?;
    found.acknowledged += patient.witness.counts().acknowledged;
    Ok(())
}

/// A disk that is full for a while: orders are not taken, everything can be read, and when there is room again, the
/// store goes on by itself.
fn full(seed: u64, found: &mut Found) -> anyhow::Result<()> {
    let mut patient = Patient::new(seed)?;
    let store = patient.open()?;
    patient.disk.set_room(Some(patient.random.u64(..LAST_BYTES)));
    let refused = wait(|| patient.work(&store).is_err());
    ensure!(refused, "orders are taken on a disk without room");
    for _ in 0..3 {
        let order = patient.witness.orders.draw(&mut patient.random);
        if patient.witness.post(&store, &order, patient.witness.orders.now()).is_err() {
            found.refused_for_room += 1;
        }
        for account in Orders::accounts() {
            block_on(store.account(account)).context("an account cannot be read on a full disk")?;
        }
    }
    patient.disk.set_room(None);
    let room = Instant::now();
    let again = wait(|| {
        let order = patient.witness.orders.draw(&mut patient.random);
        let now = patient.witness.orders.now();
        let posted = patient.witness.post(&store, &order, now);
        posted.is_ok() && patient.witness.drawer.put(&store, &mut patient.random).is_ok()
    });
    ensure!(again, "there is room for {} s, and orders are not taken", SOON.as_secs());
    let took = u64::try_from(room.elapsed().as_millis()).unwrap_or(u64::MAX);
    found.again_ms_max = found.again_ms_max.max(took);
    if let Err(error) = patient.work(&store) {
        bail!("there is room, and orders are not taken again: {error}");
    }
    patient.witness.check(&store)?;
    drop(store);
    patient.disk.start_after_power_cut(patient.random.u64(..));
    patient.witness.check(&patient.open()?)?;
    found.full += 1;
    found.acknowledged += patient.witness.counts().acknowledged;
    Ok(())
}

/// Tries until it is so; not for ever.
fn wait(mut is_so: impl FnMut() -> bool) -> bool {
    let ends = Instant::now() + SOON;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() > ends {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Found {
    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["What", "How often", "What came of it"]);
        let mut row = |what: &str, count: u64, came: &str| {
            table.push_row(&[what, &format_number(to_f64(count), 0), came])
        };
        row("Errors of a write", self.write_errors, "no more orders until it was opened again");
        row("Errors of a sync", self.sync_errors, "the same, with the power cut afterwards too");
        row("Short writes", self.short_writes, "nothing");
        row(
            "Disks without room",
            self.full,
            &format!("orders were not taken, and then again within {} ms", self.again_ms_max),
        );
        row(
            "Orders acknowledged meanwhile",
            self.acknowledged,
            "none of them lost or applied twice, or the run would have failed",
        );
        format!("{table}\n{}", self.flips.table())
    }
}

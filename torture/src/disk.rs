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

use self::flips::FlipStats;
use crate::checker::{Checker, OrdersWorkload};
use crate::disk_model::{Fault, FuseDisk};
use crate::options::Options;

const ORDERS_PER_RUN: usize = 120;
/// How much a disk still takes before it is full, at most.
const FREE_BYTES_MAX: u64 = 96 * 1024;
/// How soon a store has to take orders again when there is room again.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Only one kind of fault
    #[arg(long)]
    only: Option<FaultKind>,
    /// How often each kind strikes [default: 1000, short: 40]
    #[arg(long)]
    strikes: Option<u64>,
    /// Only opens this store and reads it, for the one who flips bits
    #[arg(long, hide = true)]
    probe: Option<PathBuf>,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FaultKind {
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
struct DiskStats {
    write_errors: u64,
    sync_errors: u64,
    short_writes: u64,
    full: u64,
    /// Orders that were refused while there was no room.
    refused_for_room: u64,
    /// The longest time that passed between room and an order that was taken.
    again_ms_max: u64,
    acknowledged: u64,
    flips: FlipStats,
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    if let Some(folder) = &arguments.probe {
        flips::probe(folder);
        std::process::exit(0);
    }
    let injector = arguments.strikes.unwrap_or(options.pick(1000, 40));
    let kinds = match arguments.only {
        Some(kind) => vec![kind],
        None => vec![FaultKind::Write, FaultKind::Sync, FaultKind::Short, FaultKind::Flips, FaultKind::Full],
    };
    let mut found = DiskStats::default();
    let shares = kinds.len();
    for kind in kinds {
        let bound = options.share(shares).budget(injector);
        let mut struck = 0;
        while bound.should_continue(struck) {
            let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(struck);
            let outcome = match kind {
                FaultKind::Write => inject_error(Fault::Write, seed, &mut found),
                FaultKind::Sync => inject_error(Fault::Sync, seed, &mut found),
                FaultKind::Short => inject_short_writes(seed, &mut found),
                FaultKind::Flips => flips::inject(seed, &mut found.flips),
                FaultKind::Full => fill_disk(seed, &mut found),
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
struct Fixture {
    random: fastrand::Rng,
    checker: Checker,
    disk: FuseDisk,
    _mount_dir: tempfile::TempDir,
}

fn settings() -> EmbeddedSettings {
    EmbeddedSettings {
        memtable_orders: 24,
        segment_bytes: 4000,
        accounts_cached: 128,
        ..EmbeddedSettings::default()
    }
}

impl Fixture {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let mount_dir = Options::temp_dir()?;
        let disk = FuseDisk::mount(mount_dir.path(), seed)?;
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { random, checker: Checker::new(seed), disk, _mount_dir: mount_dir })
    }

    fn open(&self) -> anyhow::Result<EmbeddedStore> {
        EmbeddedStore::open(&self.disk.folder(), &settings()).context("the store cannot be opened")
    }

    /// Sends orders, and records among them, until some are not answered or there were enough.
    fn run_workload(&mut self, store: &EmbeddedStore) -> Result<(), Unavailable> {
        for number in 0..ORDERS_PER_RUN {
            let order = self.checker.orders.next_order(&mut self.random);
            match self.checker.post(store, &order, self.checker.orders.now()) {
                Ok(()) | Err(PostError::Refused(_)) => {}
                Err(PostError::Unavailable(unavailable)) => return Err(unavailable),
            }
            if number % 8 == 0 {
                self.checker.records.put(store, &mut self.random)?;
            }
        }
        Ok(())
    }
}

/// An error of a write or a sync. From then on the part of the store that met it takes nothing more, whatever the disk
/// does; what was acknowledged is there after it was opened again, with the power on all the time or not.
fn inject_error(fault: Fault, seed: u64, found: &mut DiskStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    let store = fixture.open()?;
    let _ = fixture.run_workload(&store);
    let most = if fault == Fault::Write { 60 } else { 40 };
    fixture.disk.inject_fault(fault, fixture.random.u64(..most), false);
    let _ = fixture.run_workload(&store);
    let injections = fixture.disk.clear_faults();
    for injection in &injections {
        *(if fault == Fault::Write { &mut found.write_errors } else { &mut found.sync_errors }) += 1;
        if injection.path.starts_with("records") {
            // Another one may be refused; one that is acknowledged has to stay.
            for _ in 0..4 {
                let _ = fixture.checker.records.put(&store, &mut fixture.random);
            }
        } else {
            let refused = wait_until(|| fixture.run_workload(&store) == Err(Unavailable::Failed));
            ensure!(refused, "after an error at {} orders are still taken", injection.path.display());
            ensure!(block_on(store.ready()) == Err(Unavailable::Failed), "it says that it is ready");
        }
    }
    drop(store);
    if fixture.random.bool() {
        fixture.disk.restart_after_power_cut(fixture.random.u64(..));
    } else {
        fixture.disk.restart_after_kill();
    }
    let store = fixture.open()?;
    fixture.checker.check(&store)?;
    drop(store);
    // What was read and acknowledged since may rest on bytes that only the kernel has.
    fixture.disk.restart_after_power_cut(fixture.random.u64(..));
    fixture.checker.check(&fixture.open()?).context("after the power was cut")?;
    found.acknowledged += fixture.checker.stats().acknowledged;
    Ok(())
}

/// Writes that take less than they were given: whoever writes has to go on with the rest, and all goes well.
fn inject_short_writes(seed: u64, found: &mut DiskStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    fixture.disk.inject_fault(Fault::ShortWrite, fixture.random.u64(..40), true);
    let store = fixture.open()?;
    fixture.run_workload(&store).context("a short write is no error")?;
    fixture.checker.check(&store)?;
    drop(store);
    found.short_writes += fixture.disk.clear_faults().len() as u64;
    fixture.disk.restart_after_power_cut(fixture.random.u64(..));
    fixture.checker.check(&fixture.open()?)?;
    found.acknowledged += fixture.checker.stats().acknowledged;
    Ok(())
}

/// A disk that is full for a while: orders are not taken, everything can be read, and when there is room again, the
/// store goes on by itself.
fn fill_disk(seed: u64, found: &mut DiskStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    let store = fixture.open()?;
    fixture.disk.set_free_bytes(Some(fixture.random.u64(..FREE_BYTES_MAX)));
    let refused = wait_until(|| fixture.run_workload(&store).is_err());
    ensure!(refused, "orders are taken on a disk without room");
    for _ in 0..3 {
        let order = fixture.checker.orders.next_order(&mut fixture.random);
        if fixture.checker.post(&store, &order, fixture.checker.orders.now()).is_err() {
            found.refused_for_room += 1;
        }
        for account in OrdersWorkload::accounts() {
            block_on(store.account(account)).context("an account cannot be read on a full disk")?;
        }
    }
    fixture.disk.set_free_bytes(None);
    let room = Instant::now();
    let again = wait_until(|| {
        let order = fixture.checker.orders.next_order(&mut fixture.random);
        let now = fixture.checker.orders.now();
        let posted = fixture.checker.post(&store, &order, now);
        posted.is_ok() && fixture.checker.records.put(&store, &mut fixture.random).is_ok()
    });
    ensure!(again, "there is room for {} s, and orders are not taken", RECOVERY_TIMEOUT.as_secs());
    let took = u64::try_from(room.elapsed().as_millis()).unwrap_or(u64::MAX);
    found.again_ms_max = found.again_ms_max.max(took);
    if let Err(error) = fixture.run_workload(&store) {
        bail!("there is room, and orders are not taken again: {error}");
    }
    fixture.checker.check(&store)?;
    drop(store);
    fixture.disk.restart_after_power_cut(fixture.random.u64(..));
    fixture.checker.check(&fixture.open()?)?;
    found.full += 1;
    found.acknowledged += fixture.checker.stats().acknowledged;
    Ok(())
}

/// Tries until it is so; not for ever.
fn wait_until(mut is_so: impl FnMut() -> bool) -> bool {
    let ends = Instant::now() + RECOVERY_TIMEOUT;
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

impl DiskStats {
    fn table(&self) -> String {
        let mut table = MarkdownTable::new(&["What", "How often", "What came of it"]);
        let mut row = |what: &str, count: u64, came: &str| {
            table.push_row(&[what, &format_number(to_f64(count), 0), came]);
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

//! Faulty disks: write and sync errors, short writes, flipped bits, disk full.
//!
//! Each function below states the outcome that its fault must have. Under every fault no acknowledged order is lost,
//! and no answer is wrong.

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
/// Upper bound of the free space that a disk starts with before it is full.
const FREE_BYTES_MAX: u64 = 96 * 1024;
/// Longest time until a store accepts orders again after space was freed.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Only this kind of fault
    #[arg(long)]
    only: Option<FaultKind>,
    /// Faults of each kind [default: 1000; 40 with --short]
    #[arg(long)]
    strikes: Option<u64>,
    /// Opens and reads this store, then exits; used by the bit-flip attack
    #[arg(long, hide = true)]
    probe: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FaultKind {
    /// A write fails
    Write,
    /// A sync fails
    Sync,
    /// Short writes: fewer bytes are written than were given
    Short,
    /// Bits flip while the store is closed
    Flips,
    /// The disk is full for a while
    Full,
}

#[derive(Default, Serialize)]
struct DiskStats {
    write_errors: u64,
    sync_errors: u64,
    short_writes: u64,
    full: u64,
    /// Orders refused while the disk was full.
    refused_for_room: u64,
    /// Longest time from freed space to the next accepted order.
    again_ms_max: u64,
    acknowledged: u64,
    flips: FlipStats,
}

pub(crate) fn run(arguments: &Args, options: &Options) -> anyhow::Result<ReportSection> {
    if let Some(folder) = &arguments.probe {
        flips::probe(folder);
        std::process::exit(0);
    }
    let fault_count = arguments.strikes.unwrap_or(options.pick(1000, 40));
    let kinds = match arguments.only {
        Some(kind) => vec![kind],
        None => vec![FaultKind::Write, FaultKind::Sync, FaultKind::Short, FaultKind::Flips, FaultKind::Full],
    };
    let mut stats = DiskStats::default();
    let shares = kinds.len();
    for kind in kinds {
        let bound = options.share(shares).budget(fault_count);
        let mut injected = 0;
        while bound.should_continue(injected) {
            let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(injected);
            let outcome = match kind {
                FaultKind::Write => inject_error(Fault::Write, seed, &mut stats),
                FaultKind::Sync => inject_error(Fault::Sync, seed, &mut stats),
                FaultKind::Short => inject_short_writes(seed, &mut stats),
                FaultKind::Flips => flips::inject(seed, &mut stats.flips),
                FaultKind::Full => fill_disk(seed, &mut stats),
            };
            let name = format!("{kind:?}").to_lowercase();
            outcome.with_context(|| {
                format!(
                    "fault {injected} of {name}; to repeat it: cargo xtask torture disk --seed {} --only {name} \
                     --strikes {}",
                    options.seed,
                    injected + 1
                )
            })?;
            injected += 1;
        }
    }
    ReportSection::new("disk", stats.table(), &stats)
}

/// A store on its own disk.
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

    /// Posts orders and some records, until one is unanswered or enough were sent.
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

/// A write or sync error. The part of the store that saw it accepts nothing more until the store is reopened. Every
/// acknowledged order is there after the reopen, with or without a power cut in between.
fn inject_error(fault: Fault, seed: u64, stats: &mut DiskStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    let store = fixture.open()?;
    let _ = fixture.run_workload(&store);
    let most = if fault == Fault::Write { 60 } else { 40 };
    fixture.disk.inject_fault(fault, fixture.random.u64(..most), false);
    let _ = fixture.run_workload(&store);
    let injections = fixture.disk.clear_faults();
    for injection in &injections {
        *(if fault == Fault::Write { &mut stats.write_errors } else { &mut stats.sync_errors }) += 1;
        if injection.path.starts_with("records") {
            // A later put may be refused; an acknowledged one must survive.
            for _ in 0..4 {
                let _ = fixture.checker.records.put(&store, &mut fixture.random);
            }
            ensure!(
                block_on(store.ready()).is_err(),
                "a store whose records failed reports that it is ready"
            );
        } else {
            let refused = wait_until(|| fixture.run_workload(&store) == Err(Unavailable::Failed));
            ensure!(refused, "after an error at {} orders are still accepted", injection.path.display());
            ensure!(
                block_on(store.ready()) == Err(Unavailable::Failed),
                "a failed store reports that it is ready"
            );
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
    // Reads and acknowledgements since then must not rest on bytes that are only in the page cache.
    fixture.disk.restart_after_power_cut(fixture.random.u64(..));
    fixture.checker.check(&fixture.open()?).context("after the power was cut")?;
    stats.acknowledged += fixture.checker.stats().acknowledged;
    Ok(())
}

/// Short writes: the writer continues with the rest of the bytes, and no call fails.
fn inject_short_writes(seed: u64, stats: &mut DiskStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    fixture.disk.inject_fault(Fault::ShortWrite, fixture.random.u64(..40), true);
    let store = fixture.open()?;
    fixture.run_workload(&store).context("a short write must not be an error")?;
    fixture.checker.check(&store)?;
    drop(store);
    stats.short_writes += fixture.disk.clear_faults().len() as u64;
    fixture.disk.restart_after_power_cut(fixture.random.u64(..));
    fixture.checker.check(&fixture.open()?)?;
    stats.acknowledged += fixture.checker.stats().acknowledged;
    Ok(())
}

/// A disk that is full for a while. Orders are refused, every read succeeds, and the store recovers by itself once
/// space is free.
fn fill_disk(seed: u64, stats: &mut DiskStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    let store = fixture.open()?;
    fixture.disk.set_free_bytes(Some(fixture.random.u64(..FREE_BYTES_MAX)));
    let refused = wait_until(|| fixture.run_workload(&store).is_err());
    ensure!(refused, "orders are accepted on a full disk");
    for _ in 0..3 {
        let order = fixture.checker.orders.next_order(&mut fixture.random);
        if fixture.checker.post(&store, &order, fixture.checker.orders.now()).is_err() {
            stats.refused_for_room += 1;
        }
        for account in OrdersWorkload::accounts() {
            block_on(store.account(account)).context("an account cannot be read on a full disk")?;
        }
    }
    fixture.disk.set_free_bytes(None);
    let freed_at = Instant::now();
    let recovered = wait_until(|| {
        let order = fixture.checker.orders.next_order(&mut fixture.random);
        let now = fixture.checker.orders.now();
        let posted = fixture.checker.post(&store, &order, now);
        posted.is_ok() && fixture.checker.records.put(&store, &mut fixture.random).is_ok()
    });
    ensure!(recovered, "no order is accepted {} s after space was freed", RECOVERY_TIMEOUT.as_secs());
    let took = u64::try_from(freed_at.elapsed().as_millis()).unwrap_or(u64::MAX);
    stats.again_ms_max = stats.again_ms_max.max(took);
    if let Err(error) = fixture.run_workload(&store) {
        bail!("orders are refused after space was freed: {error}");
    }
    fixture.checker.check(&store)?;
    drop(store);
    fixture.disk.restart_after_power_cut(fixture.random.u64(..));
    fixture.checker.check(&fixture.open()?)?;
    stats.full += 1;
    stats.acknowledged += fixture.checker.stats().acknowledged;
    Ok(())
}

/// Polls the condition until it holds, for [`RECOVERY_TIMEOUT`] at most.
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
        let mut table = MarkdownTable::new(&["Fault", "Count", "Result"]);
        let mut row = |what: &str, count: u64, came: &str| {
            table.push_row(&[what, &format_number(to_f64(count), 0), came]);
        };
        row("Write errors", self.write_errors, "no more orders until the store was reopened");
        row("Sync errors", self.sync_errors, "the same, also with a power cut afterwards");
        row("Short writes", self.short_writes, "no effect");
        row(
            "Full disks",
            self.full,
            &format!("orders were refused, and accepted again within {} ms", self.again_ms_max),
        );
        row(
            "Orders acknowledged meanwhile",
            self.acknowledged,
            "none of them lost or applied twice, or the run would have failed",
        );
        format!("{table}\n{}", self.flips.table())
    }
}

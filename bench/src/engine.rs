//! The embedded engine alone, at several sizes. Each size has a store and processes of its own.
//!
//! The first process posts orders and is killed. The second opens the store, flushes and merges it, and shuts down
//! gracefully. The third opens it again.

pub(crate) mod open;
pub(crate) mod post;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde::Serialize;

use self::open::{FlushReport, OpenReport};
use self::post::PostReport;
use crate::suite::SuiteOptions;
use crate::worker::WorkerProcess;
use pactolus_reports::machine::disk::folder_bytes;
use pactolus_reports::machine::process::wait_until_idle;
use pactolus_reports::report::ReportSection;
use pactolus_reports::table::{MarkdownTable, format_number, mebibytes, to_f64};

#[derive(clap::Args, Default)]
pub(crate) struct Args {
    /// Orders to post, one size after the other [default: 1, 10 and 50 million; 200,000 with --quick]
    #[arg(long, value_delimiter = ',')]
    orders: Vec<u64>,
    /// Players that the orders are spread over [default: 1,000,000; 100,000 with --quick]
    #[arg(long)]
    players: Option<u64>,
    /// Orders in flight at once [default: 4096]
    #[arg(long)]
    waiting: Option<u64>,
    /// Audits the books at the end, which holds all accounts in memory
    #[arg(long)]
    audit: bool,
}

/// The figures of one size. The fields are the JSON names in `docs/performance.json`.
#[derive(Serialize)]
struct EngineReport {
    orders: u64,
    players: u64,
    waiting: u64,
    orders_per_second: f64,
    /// Throughput in each fifth of the orders.
    orders_per_second_by_fifths: [f64; 5],
    posted: PostReport,
    opened_after_a_kill_s: f64,
    opened_after_an_end_s: f64,
    /// Peak memory of the process that opened the store after the kill and merged its views.
    peak_memory_of_opening_bytes: u64,
    disk_bytes_per_order: f64,
    /// By folder of the store.
    disk_bytes: BTreeMap<String, u64>,
    audit_findings: Option<usize>,
}

/// Keeps each fifth of the orders several times larger than the orders in flight.
const ORDERS_MIN: u64 = 100_000;

/// Limit for the merges after the last order. Then the benchmark continues and notes that the store is not idle.
const MERGE_TIMEOUT: Duration = Duration::from_secs(900);

pub(crate) fn run(arguments: &Args, options: &SuiteOptions) -> anyhow::Result<ReportSection> {
    let players = arguments.players.unwrap_or(options.pick(1_000_000, 100_000));
    let waiting = arguments.waiting.unwrap_or(4096);
    let sizes = match &*arguments.orders {
        [] => options.pick(vec![1_000_000, 10_000_000, 50_000_000], vec![200_000]),
        sizes => sizes.to_vec(),
    };
    let mut measured = Vec::new();
    for orders in sizes {
        ensure!(orders >= ORDERS_MIN, "--orders must be at least {ORDERS_MIN}");
        eprintln!("engine: {orders} orders, {players} players");
        let folder = options.temp_dir()?;
        measured.push(measure(folder.path(), &post::Args::new(orders, players, waiting), arguments.audit)?);
    }
    ReportSection::new("engine", table(&measured), &serde_json::json!({ "sizes": measured }))
}

fn measure(folder: &Path, post_args: &post::Args, audit: bool) -> anyhow::Result<EngineReport> {
    let store = folder.join("store");
    let mut process = post_args.spawn(&store)?;
    let posted: PostReport = process.receive()?;
    drop(process);

    let mut opener = spawn_opener(&store, false)?;
    let opened_after_kill: OpenReport = opener.receive()?;
    let flushed: FlushReport = opener.receive()?;
    if !wait_until_idle(opener.pid(), MERGE_TIMEOUT)? {
        eprintln!("  the store is still merging; bytes on disk are those of now");
    }
    opener.shutdown()?;
    let disk_bytes = bytes_by_folder(&store)?;

    let mut opener = spawn_opener(&store, audit)?;
    let opened_after_shutdown: OpenReport = opener.receive()?;
    let audited: FlushReport = opener.receive()?;
    opener.shutdown()?;

    let orders = to_f64(post_args.orders);
    Ok(EngineReport {
        orders: post_args.orders,
        players: post_args.players,
        waiting: post_args.waiting,
        orders_per_second: orders / posted.fifths_s[4],
        orders_per_second_by_fifths: posted.fifth_durations_s().map(|seconds| orders / 5.0 / seconds),
        opened_after_a_kill_s: opened_after_kill.took_s,
        opened_after_an_end_s: opened_after_shutdown.took_s,
        peak_memory_of_opening_bytes: flushed.peak_memory_bytes,
        disk_bytes_per_order: to_f64(disk_bytes.values().sum()) / orders,
        disk_bytes,
        audit_findings: audited.audit_findings,
        posted,
    })
}

fn spawn_opener(store: &Path, audit: bool) -> anyhow::Result<WorkerProcess> {
    let audit = audit.then(|| "--audit".as_ref());
    WorkerProcess::start(["open".as_ref(), store.as_os_str()].into_iter().chain(audit))
}

fn bytes_by_folder(store: &Path) -> std::io::Result<BTreeMap<String, u64>> {
    let mut bytes = BTreeMap::new();
    for entry in std::fs::read_dir(store)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            bytes.insert(entry.file_name().to_string_lossy().into_owned(), folder_bytes(&entry.path())?);
        }
    }
    Ok(bytes)
}

/// One column for each size.
fn table(sizes: &[EngineReport]) -> String {
    let mut headings = vec![String::new()];
    headings.extend(sizes.iter().map(|size| format!("{} orders", format_number(to_f64(size.orders), 0))));
    headings.push("Goal".to_owned());
    let mut table = MarkdownTable::new(&headings);
    let mut row = |what: &str, goal: &str, cell: &dyn Fn(&EngineReport) -> String| {
        let cells = sizes.iter().map(cell);
        let row: Vec<_> =
            std::iter::once(what.to_owned()).chain(cells).chain(std::iter::once(goal.to_owned())).collect();
        table.push_row(&row);
    };
    row("Orders per second, overall", "≥ 300,000 at 10 million", &|size| {
        format_number(size.orders_per_second, 0)
    });
    row("in the last fifth", "", &|size| format_number(size.orders_per_second_by_fifths[4], 0));
    let base = sizes.iter().find(|size| size.orders == 10_000_000);
    row("overall, relative to 10 million", "≥ 0.70 at 50 million", &|size| match base {
        Some(base) => format_number(size.orders_per_second / base.orders_per_second, 2),
        None => "–".to_owned(),
    });
    row("Longest wait of 256 orders, ms", "", &|size| format_number(size.posted.waits.longest_ms, 0));
    row("waits above 100 ms", "", &|size| size.posted.waits.stalls.to_string());
    row("Peak memory, MiB", "≤ 1,024 at 50 million", &|size| {
        format_number(mebibytes(size.posted.peak_memory_bytes), 0)
    });
    row("Time to open after `kill -9`, s", "≤ 2 at 50 million", &|size| {
        format_number(size.opened_after_a_kill_s, 3)
    });
    row("Time to open after a graceful shutdown, s", "≤ 2 at 50 million", &|size| {
        format_number(size.opened_after_an_end_s, 3)
    });
    row("Disk bytes per order, fully merged", "≤ 160", &|size| format_number(size.disk_bytes_per_order, 0));
    if sizes.iter().any(|size| size.audit_findings.is_some()) {
        row("Audit findings", "0", &|size| size.audit_findings.unwrap_or_default().to_string());
    }
    table.to_string()
}

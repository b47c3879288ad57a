//! The embedded engine by itself: orders posted as the server posts them, many waiting at once.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::future::join_all;
use pactolus_ledger::{AccountKey, Ledger, Memo, Order, OrderKind, Posted};
use pactolus_ledger_embedded::{EmbeddedStore, Settings};
use pactolus_nouns::{Amount, Environment, UnixMillis};

use crate::machine::{folder_bytes, peak_memory};

/// How to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many orders to post
    #[arg(long, default_value_t = 10_000_000)]
    orders: u64,
    /// How many players they are spread over
    #[arg(long, default_value_t = 1_000_000)]
    players: u64,
    /// How many orders wait at once
    #[arg(long, default_value_t = 4096)]
    waiting: u64,
    /// Where the store is made; a temporary folder, if not given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Audit the books at the end
    #[arg(long)]
    audit: bool,
}

/// Orders posted together by one task; there are `waiting / CHUNK` such tasks.
const CHUNK: u64 = 256;

/// How many orders make one line of the table.
const LINE: u64 = 1_000_000;

/// What posting came to, told by the process that posted.
#[derive(serde::Serialize, serde::Deserialize)]
struct PostedAll {
    took_s: f64,
    longest_stall_s: f64,
    peak_memory_bytes: Option<u64>,
}

/// Posts all orders in a process of its own, kills it, and opens what it leaves: once as after a crash, and once as
/// after an orderly end.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    let posted = post_in_a_process_to_kill(arguments, folder)?;
    let (after_a_crash, store) = open(folder)?;
    drop(store);
    let (after_an_end, store) = open(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let audit = if arguments.audit { Some(runtime.block_on(store.audit())?) } else { None };
    drop(store);

    let summary = serde_json::json!({
        "orders": arguments.orders,
        "players": arguments.players,
        "orders_per_second": per_second(arguments.orders, posted.took_s).round(),
        "longest_wait_ms": (posted.longest_stall_s * 1e3).round(),
        "peak_memory_mib": posted.peak_memory_bytes.map(|bytes| bytes / (1024 * 1024)),
        "opened_after_a_crash_ms": after_a_crash.as_millis(),
        "opened_after_an_orderly_end_ms": after_an_end.as_millis(),
        "disk_bytes_per_order": folder_bytes(folder)? / arguments.orders.max(1),
        "audit_findings": audit.map(|audit| audit.findings.len()),
    });
    println!("{}", serde_json::to_string_pretty(&summary)?);
    Ok(())
}

fn open(folder: &Path) -> anyhow::Result<(Duration, EmbeddedStore)> {
    let begun = Instant::now();
    let store = EmbeddedStore::open(folder, &Settings::default())?;
    Ok((begun.elapsed(), store))
}

fn post_in_a_process_to_kill(arguments: &Arguments, folder: &Path) -> anyhow::Result<PostedAll> {
    let (orders, players) = (arguments.orders.to_string(), arguments.players.to_string());
    let mut child = Command::new(std::env::current_exe()?)
        .args(["post-and-wait", "--orders", &orders, "--players", &players])
        .args(["--waiting", &arguments.waiting.to_string(), "--folder"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut told = String::new();
    let out = child.stdout.take().context("the process has an output")?;
    BufReader::new(out).read_line(&mut told)?;
    child.kill()?;
    child.wait()?;
    serde_json::from_str(&told).context("the process that posts ended by itself")
}

/// Posts all orders, tells what came of it in a line, and waits to be killed.
pub(crate) fn post_and_wait(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = arguments.folder.as_deref().context("--folder is needed")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let (store, posted) = runtime.block_on(post_all(arguments, folder))?;
    println!("{}", serde_json::to_string(&posted)?);
    std::io::stdin().read_line(&mut String::new())?;
    drop(store);
    Ok(())
}

async fn post_all(arguments: &Arguments, folder: &Path) -> anyhow::Result<(Arc<EmbeddedStore>, PostedAll)> {
    let store = Arc::new(EmbeddedStore::open(folder, &Settings::default())?);
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let (orders, players) = (arguments.orders, arguments.players.max(1));
    let tasks: Vec<_> = (0..arguments.waiting.div_ceil(CHUNK))
        .map(|_| {
            let (store, next) = (Arc::clone(&store), Arc::clone(&next));
            tokio::spawn(async move { post_chunks(&store, &next, orders, players, begun).await })
        })
        .collect();
    let mut longest_stall = Duration::ZERO;
    for task in tasks {
        longest_stall = longest_stall.max(task.await.context("a task panicked")??);
    }
    let posted = PostedAll {
        took_s: begun.elapsed().as_secs_f64(),
        longest_stall_s: longest_stall.as_secs_f64(),
        peak_memory_bytes: peak_memory(),
    };
    Ok((store, posted))
}

/// Posts chunk after chunk until all orders are; says how long one chunk took at most.
async fn post_chunks(
    store: &EmbeddedStore,
    next: &AtomicU64,
    orders: u64,
    players: u64,
    begun: Instant,
) -> anyhow::Result<Duration> {
    let mut longest = Duration::ZERO;
    loop {
        let first = next.fetch_add(CHUNK, Ordering::Relaxed);
        if first >= orders {
            return Ok(longest);
        }
        let asked = Instant::now();
        let last = (first + CHUNK).min(orders);
        let posts = (first..last).map(|number| store.post(present(number, players), UnixMillis::new(number)));
        for answer in join_all(posts).await {
            let Posted::Applied(_) = answer? else { bail!("a bill number came twice") };
        }
        longest = longest.max(asked.elapsed());
        if first / LINE != last / LINE {
            tell(last, begun.elapsed(), longest);
        }
    }
}

fn tell(posted: u64, since: Duration, longest: Duration) {
    let memory = peak_memory().unwrap_or_default() / (1024 * 1024);
    eprintln!(
        "{:>4} million orders  {:>9.0}/s since the beginning  longest wait {:>6.0} ms  peak memory {memory:>5} MiB",
        posted / LINE,
        per_second(posted, since.as_secs_f64()),
        longest.as_secs_f64() * 1e3,
    );
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told to a few digits")]
fn per_second(orders: u64, took_s: f64) -> f64 {
    orders as f64 / took_s
}

/// A present whose bill number and player seem drawn at random.
fn present(number: u64, players: u64) -> Order {
    let mixed = mix(number);
    let account = AccountKey {
        app: "wx1234567".parse().expect("a valid name"),
        environment: Environment::Live,
        offer: "12345678".parse().expect("a valid name"),
        player: format!("odkx20ENSNa2w5y3g_{:010}", mix(mixed) % players).parse().expect("a valid name"),
        zone: "1".parse().expect("a valid name"),
    };
    Order {
        account,
        bill_no: format!("{mixed:016x}{:08x}", number & 0xffff_ffff).parse().expect("a valid name"),
        kind: OrderKind::Present(Amount::new(1 + number % 1000).expect("in bounds").into()),
        memo: Memo::default(),
    }
}

/// SplitMix64: a bijection, so no bill number comes twice.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

//! Worker process that posts orders as the server does, many in flight, and then waits to be killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use anyhow::{Context as _, bail};
use pactolus_ledger::{self as ledger, BoxFuture, Ledger, PostError};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_types::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::worker::{WorkerProcess, send_message, wait_for_shutdown};
use crate::workload::PresentWorkload;
use pactolus_reports::latency::{Latency, LatencySamples};
use pactolus_reports::machine::process::peak_memory;
use pactolus_reports::table::{mebibytes, to_f64};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Orders to post
    #[arg(long)]
    pub(super) orders: u64,
    /// Players that the orders are spread over
    #[arg(long)]
    pub(super) players: u64,
    /// Orders in flight at once
    #[arg(long)]
    pub(super) waiting: u64,
    /// The store's folder
    store: Option<PathBuf>,
}

/// Orders that one task posts together. There are `waiting / CHUNK_ORDERS` such tasks.
const CHUNK_ORDERS: u64 = 256;

/// Orders between two lines of progress.
const PROGRESS_INTERVAL: u64 = 1_000_000;

/// Throughput and latency of posting.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct PostReport {
    /// Completion time of each fifth of the orders, in seconds since the first was posted.
    pub(super) fifths_s: [f64; 5],
    /// Latency of chunks of [`CHUNK_ORDERS`] orders that were posted together.
    pub(super) waits: Latency,
    pub(super) peak_memory_bytes: u64,
}

impl PostReport {
    /// Duration of each fifth, in seconds.
    pub(super) fn fifth_durations_s(&self) -> [f64; 5] {
        let mut before = 0.0;
        self.fifths_s.map(|at| at - std::mem::replace(&mut before, at))
    }
}

impl Args {
    /// Without a store's folder, which [`Args::spawn`] passes to the process.
    pub(crate) fn new(orders: u64, players: u64, waiting: u64) -> Self {
        Self { orders, players, waiting, store: None }
    }

    /// Starts a process that posts the orders to a new store.
    pub(super) fn spawn(&self, store: &Path) -> anyhow::Result<WorkerProcess> {
        let (orders, players, waiting) =
            (self.orders.to_string(), self.players.to_string(), self.waiting.to_string());
        let words = ["post", "--orders", &orders, "--players", &players, "--waiting", &waiting];
        WorkerProcess::start(words.iter().map(AsRef::as_ref).chain([store.as_os_str()]))
    }
}

/// Posts all orders, reports the result, and waits for the kill.
pub(crate) fn run(arguments: &Args) -> anyhow::Result<()> {
    let folder = arguments.store.as_deref().context("post needs the store's folder")?;
    let (store, report) = post_all(arguments, folder)?;
    send_message(&report)?;
    wait_for_shutdown()?;
    drop(store);
    Ok(())
}

pub(crate) fn post_all(arguments: &Args, folder: &Path) -> anyhow::Result<(Arc<EmbeddedStore>, PostReport)> {
    let store = Arc::new(EmbeddedStore::open(folder, &EmbeddedSettings::default())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let workload = PresentWorkload::for_players(arguments.players);
    let progress = Arc::new(PostProgress::start(arguments.orders));
    let tasks: Vec<_> = (0..arguments.waiting.div_ceil(CHUNK_ORDERS))
        .map(|_| {
            let (store, gifts, progress) = (Arc::clone(&store), workload.clone(), Arc::clone(&progress));
            runtime.spawn(async move { post_chunks(&*store, &gifts, &progress).await })
        })
        .collect();
    let mut latencies = LatencySamples::default();
    for task in tasks {
        latencies.append(runtime.block_on(task).context("a task panicked")??);
    }
    let fifths_s = progress.fifths_us.each_ref().map(|at| to_f64(at.load(Ordering::Relaxed)) / 1e6);
    let report = PostReport { fifths_s, waits: latencies.summarize(), peak_memory_bytes: peak_memory()? };
    Ok((store, report))
}

/// Posts chunk after chunk until no order is left. Returns the latency of each chunk.
async fn post_chunks(
    store: &dyn Ledger,
    workload: &PresentWorkload,
    progress: &PostProgress,
) -> anyhow::Result<LatencySamples> {
    let mut latencies = LatencySamples::default();
    while let Some((first, last)) = progress.next_chunk() {
        let orders: Vec<_> = (first..last).map(|number| (workload.order(number), number)).collect();
        let submitted_at = Instant::now();
        let posts = orders.into_iter().map(|(order, number)| store.post(order, UnixMillis::new(number)));
        wait_until_applied(posts.map(Some).collect()).await?;
        latencies.push(submitted_at.elapsed());
        progress.record_completed(last - first);
    }
    Ok(latencies)
}

type PostFuture<'a> = BoxFuture<'a, Result<ledger::Posted, PostError>>;

/// Waits until all of these orders are applied.
///
/// Each future is polled once, so that all orders queue up. After that only the first pending one is polled: replies
/// come in order, and each wakes the task. Polling all of them each time, or giving each its own waker, costs more
/// than the engine takes. Tokio's cooperative budget would delay some orders on the first poll, so it is off.
async fn wait_until_applied(mut posts: Vec<Option<PostFuture<'_>>>) -> anyhow::Result<()> {
    let (mut queued, mut first) = (false, 0);
    let all = std::future::poll_fn(move |context| {
        if !queued {
            queued = true;
            for post in &mut posts {
                let _ = poll_applied(post, context)?;
            }
        }
        while let Some(post) = posts.get_mut(first) {
            if poll_applied(post, context)?.is_pending() {
                return Poll::Pending;
            }
            first += 1;
        }
        Poll::Ready(Ok(()))
    });
    tokio::task::unconstrained(all).await
}

/// Ready when the order is applied. The future is dropped then.
fn poll_applied(post: &mut Option<PostFuture<'_>>, context: &mut Context<'_>) -> anyhow::Result<Poll<()>> {
    let Some(future) = post else { return Ok(Poll::Ready(())) };
    match future.as_mut().poll(context) {
        Poll::Pending => Ok(Poll::Pending),
        Poll::Ready(Ok(ledger::Posted::Applied(_))) => {
            *post = None;
            Ok(Poll::Ready(()))
        }
        Poll::Ready(Ok(ledger::Posted::Replayed { .. })) => bail!("a bill number was used twice"),
        Poll::Ready(Err(error)) => Err(error.into()),
    }
}

/// Progress shared by all tasks.
struct PostProgress {
    started: Instant,
    orders: u64,
    /// The first order that no task has claimed.
    next_order: AtomicU64,
    completed: AtomicU64,
    fifths_us: [AtomicU64; 5],
}

impl PostProgress {
    fn start(orders: u64) -> Self {
        Self {
            started: Instant::now(),
            orders,
            next_order: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            fifths_us: Default::default(),
        }
    }

    fn next_chunk(&self) -> Option<(u64, u64)> {
        let first = self.next_order.fetch_add(CHUNK_ORDERS, Ordering::Relaxed);
        (first < self.orders).then(|| (first, (first + CHUNK_ORDERS).min(self.orders)))
    }

    fn record_completed(&self, orders: u64) {
        let before = self.completed.fetch_add(orders, Ordering::Relaxed);
        let after = before + orders;
        let since = self.started.elapsed();
        for (at, fifth) in self.fifths_us.iter().zip(1..) {
            let end = self.orders * fifth / 5;
            if before < end && end <= after {
                at.store(u64::try_from(since.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        }
        if before / PROGRESS_INTERVAL != after / PROGRESS_INTERVAL {
            eprintln!(
                "  {:>3} million orders, {:>7.0} a second so far, peak memory {:>5.0} MiB",
                after / PROGRESS_INTERVAL,
                to_f64(after) / since.as_secs_f64(),
                mebibytes(peak_memory().unwrap_or_default()),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_posted_once_and_timed() {
        let folder = tempfile::tempdir().unwrap();
        let (store, posted) = post_all(&Args::new(1000, 10, 512), folder.path()).unwrap();
        let audit = tokio::runtime::Runtime::new().unwrap().block_on(store.audit()).unwrap();
        assert_eq!((audit.orders, audit.findings.len()), (1000, 0));
        assert!(posted.fifths_s.is_sorted() && posted.fifths_s[0] > 0.0, "{:?}", posted.fifths_s);
        let sum: f64 = posted.fifth_durations_s().iter().sum();
        assert!((sum - posted.fifths_s[4]).abs() < 1e-9, "{sum}");
    }
}

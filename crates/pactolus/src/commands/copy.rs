//! `pactolus copy`: copies a whole bank from one store to another.
//!
//! The copy imports every order at its original time, and each has to have its original effect. Orders that are
//! already there are compared and skipped, so an interrupted copy resumes by running again. Records (tokens, sessions)
//! follow the orders, still encrypted: the copy needs the same master keys. At the end the copy audits both stores
//! and compares their numbers of orders and accounts.

mod existing;
mod progress;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use pactolus_ledger::{Audit, ImportError, Portable, PutOutcome, Receipt, RecordChange, Unavailable};
use tokio::runtime::Runtime;

use self::progress::CopyProgress;
use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, localize, tr};
use crate::cli::output;
use crate::config::StoreUrl;
use crate::store::StoreArg;
use crate::{runtime, store};

/// Copy a whole bank to another store, and audit both
///
/// Stop the bank first: neither store may be served meanwhile. The target must be empty, or hold an interrupted copy
/// of the same bank, which then resumes. Migrate a target on PostgreSQL first, with pactolus migrate. Logins and
/// tokens stay encrypted, so the copy needs the same master keys.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Store to copy, such as embedded:./data, or env:NAME, file:FILE, - for standard input
    #[arg(long, value_name = "URL")]
    from: StoreArg,
    /// Target store, such as postgres://host/database, or env:NAME, file:FILE, - for standard input
    #[arg(long, value_name = "URL")]
    to: StoreArg,
}

/// Records per chunk. One chunk is being imported, and two more are buffered.
pub(crate) const CHUNK_RECORDS: usize = 1000;

/// How often a chunk is tried while the target is unreachable, one second apart.
const ATTEMPTS_MAX: u32 = 30;

/// Copies the store, audits both, and prints the counts.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let (from_url, to_url) = (args.from.url(lang)?, args.to.url(lang)?);
    if store::is_empty(&from_url) {
        return Err(CliError::StoreNotFound(from_url));
    }
    let runtime = runtime::start()?;
    let from = runtime.block_on(store::open_for_copy(&from_url))?;
    let to = runtime.block_on(store::open_for_copy(&to_url))?;

    let orders = runtime.block_on(from.order_count()).context("the orders cannot be counted")?;
    copy_orders(&runtime, &from, &*to, CopyProgress::start(orders, lang))?;
    for_each_chunk(
        &from,
        CHUNK_RECORDS,
        |from, visit| from.for_each_record(visit),
        |chunk| put_records(&runtime, &*to, &chunk),
    )?;

    let audits = std::thread::scope(|scope| {
        let audits = [(&from_url, &from), (&to_url, &to)]
            .map(|(url, store)| scope.spawn(|| audit_store(&runtime, url, &**store, lang)));
        audits.map(|audit| audit.join().unwrap_or_else(|_| Err(anyhow!("the audit panicked").into())))
    });
    for store in [&from, &to] {
        runtime.block_on(store.close());
    }
    let [from, to] = audits;
    let (from, to) = (from?, to?);
    if from.orders != to.orders || from.accounts != to.accounts {
        return Err(anyhow!(
            "{from_url} has {} orders of {} accounts, and {to_url} has {} of {}",
            from.orders,
            from.accounts,
            to.orders,
            to.accounts
        )
        .into());
    }
    let copied = tr!(
        lang,
        "{from_url} copied to {to_url}, and both audits passed; orders: {}, accounts: {}",
        "{from_url} 已复制到 {to_url}，双方账目无误；订单数：{}，账户数：{}",
        to.orders,
        to.accounts
    );
    output::print_lines([copied])
}

/// Imports all orders, but those that an interrupted copy has imported.
fn copy_orders(
    runtime: &Runtime,
    from: &Arc<dyn Portable>,
    to: &dyn Portable,
    mut progress: CopyProgress,
) -> Result<(), CliError> {
    std::thread::scope(|scope| {
        let mut existing = existing::read(scope, to);
        for_each_chunk(
            from,
            to.import_orders_max(),
            |from, visit| from.for_each_order(visit),
            |chunk| {
                let copied = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                let missing = existing.skip(chunk);
                if !missing.is_empty() {
                    import_with_retry(runtime, to, missing)?;
                }
                progress.add(copied);
                Ok(())
            },
        )
    })?;
    progress.finish();
    Ok(())
}

/// Visits all items of one kind in a store.
pub(crate) type VisitFn<T> =
    fn(&dyn Portable, &mut dyn FnMut(T) -> ControlFlow<()>) -> Result<(), Unavailable>;

/// Reads items on a separate thread and passes them to `take` in chunks of `items`. An error of `take` stops the
/// reader.
pub(crate) fn for_each_chunk<T: Send>(
    from: &Arc<dyn Portable>,
    items: usize,
    read: VisitFn<T>,
    mut take: impl FnMut(Vec<T>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    std::thread::scope(|scope| {
        let (to, chunks) = sync_channel::<Vec<T>>(1);
        let reading = scope.spawn(move || send_chunks(&**from, items, read, &to));
        // An error drops the receiver, so the reader's next send fails and the reader stops.
        let imported = chunks.into_iter().try_for_each(&mut take);
        let done = reading.join().map_err(|_| anyhow!("the reader thread panicked"))?;
        imported?;
        done.context("the source store cannot be read")?;
        Ok(())
    })
}

fn send_chunks<T>(
    from: &dyn Portable,
    items: usize,
    read: VisitFn<T>,
    to: &SyncSender<Vec<T>>,
) -> Result<(), Unavailable> {
    let mut chunk = Vec::with_capacity(items);
    read(from, &mut |item| {
        chunk.push(item);
        if chunk.len() < items {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut chunk, Vec::with_capacity(items));
        if to.send(full).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    // The receiver is gone if `take` failed.
    let _ = to.send(chunk);
    Ok(())
}

/// Imports orders, with retries while the target is unreachable or busy.
fn import_with_retry(runtime: &Runtime, to: &dyn Portable, receipts: Vec<Receipt>) -> Result<(), CliError> {
    for _ in 1..ATTEMPTS_MAX {
        match runtime.block_on(to.import(receipts.clone())) {
            Ok(()) => return Ok(()),
            Err(ImportError::Unavailable(Unavailable::Unreachable | Unavailable::Busy)) => {
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(runtime.block_on(to.import(receipts))?)
}

/// Writes records unconditionally.
fn put_records(runtime: &Runtime, to: &dyn Portable, records: &[RecordChange]) -> Result<(), CliError> {
    match runtime.block_on(to.put(records.to_vec())).context("the records cannot be copied")? {
        PutOutcome::Stored => Ok(()),
        PutOutcome::Conflict => Err(anyhow!("an unconditional write of a record conflicted").into()),
    }
}

/// Audits a store, and prints its findings on stderr.
fn audit_store(
    runtime: &Runtime,
    url: &StoreUrl,
    store: &dyn Portable,
    lang: Lang,
) -> Result<Audit, CliError> {
    let audit = runtime.block_on(store.audit());
    let audit = audit.with_context(|| tr!(lang, "{url} cannot be audited", "无法核对 {url}"))?;
    for finding in &audit.findings {
        output::eprintln(format_args!("{url}: {}", localize(&finding.to_string(), lang)));
    }
    if audit.is_clean() { Ok(audit) } else { Err(CliError::AuditFailed) }
}

//! `pactolus copy`: a whole bank, from one store to another.
//!
//! Every order is posted again at its time, and has to do what it did; so a copy that was broken off is begun again,
//! and what is there is found and not written twice. Tokens, sessions and the like come after the orders, sealed as
//! they are: the copy opens with the same master keys. In the end
//! the books of both are proved, and have to hold the same number of orders.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use pactolus_ledger::{Audit, ImportError, Portable, PutOutcome, Receipt, RecordChange, Unavailable};
use tokio::runtime::Runtime;

use crate::cli::exit::Failure;
use crate::cli::i18n::{Lang, words};
use crate::config::StoreUrl;
use crate::store::StoreArgument;
use crate::{runtime, store};

/// Copy a whole bank from one store to another, and prove both
///
/// Neither store may be served meanwhile. What is copied to has to be empty, or what an earlier copy of the same bank
/// left when it was broken off: then it goes on. A bank on PostgreSQL is migrated before.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The store to copy, such as embedded:./data
    #[arg(long, value_name = "URL")]
    from: StoreArgument,
    /// The store to copy it to, such as postgres://host/database
    #[arg(long, value_name = "URL")]
    to: StoreArgument,
}

/// How many orders or records are on their way at once, and two times as many wait.
const CHUNK: usize = 1000;

/// How often a chunk is tried while the store that is copied to is away, each time a second later.
const TRIES: u32 = 30;

/// Copies, proves both, and says how much it was.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), Failure> {
    let (from_url, to_url) = (args.from.url()?, args.to.url()?);
    if store::is_nothing(&from_url) {
        return Err(Failure::NoStore(from_url));
    }
    let runtime = runtime::start()?;
    let from = runtime.block_on(store::open_whole(&from_url))?;
    let to = runtime.block_on(store::open_whole(&to_url))?;

    let orders = runtime.block_on(from.order_count()).context("the orders cannot be counted")?;
    let bar = bar(orders, lang);
    chunks(
        &from,
        |from, visit| from.for_each_order(visit),
        |chunk| {
            let copied = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            import(&runtime, &*to, &chunk)?;
            bar.inc(copied);
            Ok(())
        },
    )?;
    bar.finish();
    chunks(&from, |from, visit| from.for_each_record(visit), |chunk| keep(&runtime, &*to, &chunk))?;

    let proved = [(&from_url, &from), (&to_url, &to)].map(|(url, store)| prove(&runtime, url, &**store));
    for store in [&from, &to] {
        runtime.block_on(store.close());
    }
    let [from, to] = proved;
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
    let copied = words!(
        lang,
        "{from_url} is copied to {to_url}, and the books of both are right; orders: {}, accounts: {}",
        "{from_url} 已复制到 {to_url}，双方账目无误；订单数：{}，账户数：{}",
        to.orders,
        to.accounts
    );
    writeln!(io::stdout(), "{copied}").context("stdout cannot be written to")?;
    Ok(())
}

/// A bar on stderr, if that is a terminal.
fn bar(count: u64, lang: Lang) -> ProgressBar {
    let template = match lang {
        Lang::En => "orders {wide_bar} {human_pos} of {human_len}, {eta} left",
        Lang::Zh => "订单 {wide_bar} {human_pos}/{human_len}，剩余 {eta}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count).with_style(style)
}

/// What visits everything of one kind in a bank.
pub(crate) type Reads<T> = fn(&dyn Portable, &mut dyn FnMut(T) -> ControlFlow<()>) -> Result<(), Unavailable>;

/// Reads in a thread of its own, in chunks, and hands them to `take`, which says when to stop by failing.
pub(crate) fn chunks<T: Send>(
    from: &Arc<dyn Portable>,
    read: Reads<T>,
    mut take: impl FnMut(Vec<T>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        let (to, chunks) = sync_channel::<Vec<T>>(1);
        let reading = scope.spawn(move || read_in_chunks(&**from, read, &to));
        // Where taking fails, the receiver goes, and with it whoever reads.
        let taken = chunks.into_iter().try_for_each(&mut take);
        let done = reading.join().map_err(|_| anyhow!("the thread that reads panicked"))?;
        taken?;
        done.context("the store that is copied cannot be read")?;
        Ok(())
    })
}

fn read_in_chunks<T>(
    from: &dyn Portable,
    read: Reads<T>,
    to: &SyncSender<Vec<T>>,
) -> Result<(), Unavailable> {
    let mut chunk = Vec::with_capacity(CHUNK);
    read(from, &mut |item| {
        chunk.push(item);
        if chunk.len() < CHUNK {
            return ControlFlow::Continue(());
        }
        let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
        if to.send(full).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    // Who takes may have stopped.
    let _ = to.send(chunk);
    Ok(())
}

/// Posts orders again; while the store is away, again and again.
fn import(runtime: &Runtime, to: &dyn Portable, receipts: &[Receipt]) -> Result<(), Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match runtime.block_on(to.import(receipts.to_vec())) {
            Ok(()) => return Ok(()),
            Err(ImportError::Unavailable(Unavailable::Unreachable | Unavailable::Busy)) if tries < TRIES => {
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Keeps records as they were.
fn keep(runtime: &Runtime, to: &dyn Portable, records: &[RecordChange]) -> Result<(), Failure> {
    match runtime.block_on(to.put(records.to_vec())).context("the records cannot be copied")? {
        PutOutcome::Stored => Ok(()),
        PutOutcome::Conflict => Err(anyhow!("a record that may be anything came too late").into()),
    }
}

/// Audits a store.
fn prove(runtime: &Runtime, url: &StoreUrl, store: &dyn Portable) -> Result<Audit, Failure> {
    let audit = runtime.block_on(store.audit()).with_context(|| format!("{url} cannot be audited"))?;
    for finding in &audit.findings {
        tracing::error!("{url}: {finding}");
    }
    if audit.is_clean() { Ok(audit) } else { Err(Failure::BooksWrong) }
}

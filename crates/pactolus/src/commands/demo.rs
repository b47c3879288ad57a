//! `pactolus demo`: the whole job in one command.
//!
//! A real bank on a fresh store, called over real HTTP; the keys are those of the samples that everybody has, so
//! what is shown can be compared with the vendor's page.
//! Read next: [`script`], what is called; [`sample`], with which values; [`show`], how it looks.

mod printer;
mod sample;
mod script;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use pactolus_server::{AppState, OsRandomness, SystemClock};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::cli::exit::Failure;
use crate::cli::i18n::Lang;
use crate::config::{DEFAULT_LISTEN, StoreUrl};
use crate::http::Http;
use crate::{runtime, store};
use printer::Show;
use sample::Sample;

/// See a bank at work: gifts live and in the sandbox, a repeat, a forgery
///
/// Starts a real bank with sample values, calls it over HTTP, shows what was sent and what came back, and leaves it
/// running for calls of your own until Ctrl-C. Everybody knows its keys: it is nothing to keep coins in.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Take connections here, 127.0.0.1:8790 or else a free port if it is not given
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Keep the folder of the bank's orders at the end
    #[arg(long)]
    keep: bool,
    /// End once everything is shown
    #[arg(long)]
    exit: bool,
}

/// Plays the demo.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), Failure> {
    let mut folder = tempfile::Builder::new()
        .prefix("pactolus-demo-")
        .tempdir()
        .context("no folder for the bank's orders can be made")?;
    folder.disable_cleanup(args.keep);
    runtime::start()?.block_on(demo(args, &folder, lang))
}

async fn demo(args: &Args, folder: &TempDir, lang: Lang) -> Result<(), Failure> {
    let told_to_stop = runtime::told_to_stop()?;
    let url = StoreUrl::Embedded(folder.path().to_owned());
    let store = store::open(&url, &store::Bounds::default()).await?;
    let (listener, address) = listen(args.listen)?;
    let sample = Sample::new();
    let bank = AppState::new(sample.settings(), store, Arc::new(SystemClock), Arc::new(OsRandomness));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(pactolus_server::serve(bank, listener, async {
        // Dropping the sender stops the bank as well.
        let _ = stopped.await;
    }));

    let mut show = Show::new(lang);
    show.opening(address, folder.path(), args)?;
    script::play(&sample, &Http::new(address), &mut show).await?;
    if !args.exit {
        show.invitation(address, &sample)?;
        told_to_stop.await;
    }
    drop(stop);
    serving.await.map_err(|_| anyhow!("the bank's task panicked"))?.context("the server broke off")?;
    show.end(&url, args)?;
    Ok(())
}

/// Takes connections where it was asked for, else at the usual address, else on a free port.
fn listen(asked_for: Option<SocketAddr>) -> Result<(TcpListener, SocketAddr), Failure> {
    match runtime::listen(asked_for.unwrap_or(DEFAULT_LISTEN)) {
        Err(Failure::Listen { source, .. })
            if asked_for.is_none() && source.kind() == io::ErrorKind::AddrInUse =>
        {
            let free_port = SocketAddr::new(DEFAULT_LISTEN.ip(), 0);
            runtime::listen(free_port)
        }
        listening => listening,
    }
}

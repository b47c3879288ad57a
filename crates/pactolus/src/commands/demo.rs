//! `pactolus demo`: the whole job in one command.
//!
//! A real bank on a fresh store, called over real HTTP; the keys are those of the samples that everybody has, so
//! what is shown can be compared with the vendor's page.
//! Read next: [`script`], what is called; [`sample`], with which values; [`printer`], how it looks.

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

use crate::cli::exit::CliError;
use crate::cli::i18n::Lang;
use crate::config::{DEFAULT_LISTEN, StoreUrl};
use crate::http::HttpClient;
use crate::{runtime, store};
use printer::Printer;
use sample::SampleApp;

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
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let mut folder = tempfile::Builder::new()
        .prefix("pactolus-demo-")
        .tempdir()
        .context("no folder for the bank's orders can be made")?;
    folder.disable_cleanup(args.keep);
    runtime::start()?.block_on(run_demo(args, &folder, lang))
}

async fn run_demo(args: &Args, folder: &TempDir, lang: Lang) -> Result<(), CliError> {
    let shutdown = runtime::shutdown_signal()?;
    let url = StoreUrl::Embedded(folder.path().to_owned());
    let store = store::open(&url, &store::EngineSettings::default()).await?;
    let (listener, address) = listen(args.listen)?;
    let sample = SampleApp::new();
    let bank = AppState::new(sample.settings(), store, Arc::new(SystemClock), Arc::new(OsRandomness));
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(pactolus_server::serve(bank, listener, async {
        // Dropping the sender stops the bank as well.
        let _ = stopped.await;
    }));

    let mut printer = Printer::new(lang);
    printer.opening(address, folder.path(), args)?;
    script::run_script(&sample, &HttpClient::new(address), &mut printer).await?;
    if !args.exit {
        printer.invitation(address, &sample)?;
        shutdown.await;
    }
    drop(stop);
    serving.await.map_err(|_| anyhow!("the bank's task panicked"))?.context("the server broke off")?;
    printer.end(&url, args)?;
    Ok(())
}

/// Takes connections where it was asked for, else at the usual address, else on a free port.
fn listen(requested: Option<SocketAddr>) -> Result<(TcpListener, SocketAddr), CliError> {
    match runtime::listen(requested.unwrap_or(DEFAULT_LISTEN)) {
        Err(CliError::Listen { source, .. })
            if requested.is_none() && source.kind() == io::ErrorKind::AddrInUse =>
        {
            let free_port = SocketAddr::new(DEFAULT_LISTEN.ip(), 0);
            runtime::listen(free_port)
        }
        listening => listening,
    }
}

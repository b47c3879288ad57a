//! `pactolus demo`: a bank and its callers in one command.
//!
//! A real bank on a fresh store, called over real HTTP. The keys are the vendor's published samples, so the output
//! can be compared with the vendor's page.
//! Read next: [`script`], the calls; [`sample`], the values; [`printer`], the output.

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

/// Run a sample bank: live and sandbox gifts, a replay, a forgery
///
/// Starts a real bank with sample values, calls it over HTTP, and shows each request and reply. The bank keeps
/// running for your own calls until Ctrl-C. Its keys are public samples: never keep real coins in it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Listen address; default: 127.0.0.1:8790, or a free port if that is taken
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Keep the folder with the orders at the end
    #[arg(long)]
    keep: bool,
    /// Exit after the last step
    #[arg(long)]
    exit: bool,
}

/// Runs the demo.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let mut folder = tempfile::Builder::new()
        .prefix("pactolus-demo-")
        .tempdir()
        .context("cannot create a folder for the bank's orders")?;
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
    serving.await.map_err(|_| anyhow!("the bank's task panicked"))?.context("the server failed")?;
    printer.end(&url, args)?;
    Ok(())
}

/// Listens on the requested address, else on the default address, else on a free port.
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

//! `pactolus serve`: the bank, until it is told to stop.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use pactolus_server::{
    AppSettings, AppState, Clock as _, LoginMode, ManualClock, OsRandomness, Shutdown, SystemClock,
};

use crate::cli::args::ConfigPath;
use crate::cli::exit::CliError;
use crate::commands::migrate;
use crate::config::{Config, EnvSnapshot};
use crate::runtime;
use crate::store::{self, EngineSettings, StoreArg};

/// Serve the bank that the configuration describes
///
/// Prints `listening on http://ADDRESS` once it takes orders. On SIGTERM or Ctrl-C it takes no new connections,
/// answers every request that it has begun to read, and ends with exit code 0.
#[derive(clap::Args)]
#[command(after_help = ENVIRONMENT_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigPath,
    /// Take connections here instead of where the configuration says; with port 0, on any free port
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Keep orders here instead of where the configuration says, such as embedded:./data
    #[arg(long, value_name = "URL")]
    store: Option<StoreArg>,
    /// First make the tables of a bank on PostgreSQL, or bring them up to date
    #[arg(long)]
    migrate: bool,
    /// What time it is for the bank; manual is for development, and needs login = "open" for every app
    #[arg(long, value_name = "CLOCK", default_value = "system")]
    clock: ClockKind,
}

/// Which clock the bank goes by.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ClockKind {
    /// The machine's
    System,
    /// One that starts now, stands still, and is turned by POST /api/v1/clock
    Manual,
}

const ENVIRONMENT_HELP: &str = "\
Environment variables go before the file, and flags before both:
  PACTOLUS_LISTEN, PACTOLUS_STORE, PACTOLUS_OPERATOR_TOKEN
  PACTOLUS_APPS_0_APPID, PACTOLUS_APPS_0_MIDAS_KEY and so on: a key of the first
  [[apps]] in capital letters; those of a list have commas between them.
A secret in the file may also be { env = \"NAME\" } or { file = \"PATH\" }.
Unknown keys, and unknown variables that begin with PACTOLUS_, are refused.";

/// Serves until the process is told to stop.
pub(crate) fn run(args: &Args) -> Result<(), CliError> {
    let mut config = Config::read(&args.config.config, &EnvSnapshot::capture()).map_err(CliError::Config)?;
    config.listen = args.listen.unwrap_or(config.listen);
    if let Some(store) = &args.store {
        config.store = store.url()?;
    }
    if args.clock == ClockKind::Manual {
        require_development_apps(&config.server.apps)?;
    }
    runtime::start()?.block_on(async {
        if args.migrate {
            migrate::migrate(&config.store, None).await?;
        }
        serve(config, args.clock).await
    })
}

/// A clock that can be turned can turn the end of a session or of a cancel window away, so no app in earnest has one.
fn require_development_apps(apps: &[AppSettings]) -> Result<(), CliError> {
    match apps.iter().find(|app| app.login != LoginMode::Open) {
        None => Ok(()),
        Some(app) => Err(CliError::ManualClock(app.appid)),
    }
}

async fn serve(mut config: Config, clock: ClockKind) -> Result<(), CliError> {
    let stop = runtime::shutdown_signal()?;
    let bounds = EngineSettings { embedded: config.embedded, postgres: config.postgres };
    let store = store::open(&config.store, &bounds).await?;
    if let Err(source) = config.server.keys.check_keys(&*store.records).await {
        store.ledger.close().await;
        return Err(CliError::MissingMasterKey { store: config.store, source });
    }
    config.server.limits.connections_max = runtime::connection_limit(config.server.limits.connections_max);
    let (listener, address) = runtime::listen(config.listen)?;
    for app in config.server.apps.iter().filter(|app| !app.static_access_tokens.is_empty()) {
        tracing::warn!(appid = %app.appid, "this app has access tokens that never expire; they are for development");
    }
    for app in config.server.apps.iter().filter(|app| app.login == LoginMode::Open) {
        tracing::warn!(appid = %app.appid, "this app logs in whoever shows any code; that is for development");
    }
    if config.server.keys.primary().is_none() {
        tracing::warn!(
            "players' session keys are kept in the store as they are, because there is no master key; pactolus doctor \
             says how to mend it"
        );
    }
    tracing::info!(%address, store = %config.store, apps = config.server.apps.len(), "serving");
    let random = Arc::new(OsRandomness);
    let bank = match clock {
        ClockKind::System => AppState::new(config.server, store, Arc::new(SystemClock), random),
        ClockKind::Manual => {
            tracing::warn!("the clock stands still until it is turned; that is for development");
            let clock = Arc::new(ManualClock::starting_at(SystemClock.now()));
            AppState::with_manual_clock(config.server, store, clock, random)
        }
    };
    writeln!(io::stdout(), "listening on http://{address}").context("stdout cannot be written to")?;
    match pactolus_server::serve(bank, listener, stop).await.context("the server broke off")? {
        Shutdown::Clean => Ok(()),
        Shutdown::TimedOut => Err(CliError::ShutdownTimeout),
    }
}

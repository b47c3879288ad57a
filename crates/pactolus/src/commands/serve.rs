//! `pactolus serve`: runs the bank until a shutdown signal.

mod reload;
mod wait;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pactolus_server::{
    AppSettings, AppState, Backend, Clock as _, Listener, LoginMode, ManualClock, OsRandomness, ProcessInfo,
    Shutdown, SystemClock,
};

use self::reload::{FixedSettings, Reloader};
use crate::cli::args::ConfigPath;
use crate::cli::exit::CliError;
use crate::cli::i18n::{Lang, localize, tr};
use crate::commands::migrate;
use crate::config::{Config, EnvSnapshot, StoreUrl, parse_listen_address};
use crate::logging;
use crate::runtime;
use crate::runtime::notify::{ServiceState, notify, watchdog_interval};
use crate::runtime::signals::{self, Hangups};
use crate::store::{self, EngineSettings, StoreArg};

/// Serve the bank that the configuration describes
///
/// Prints `listening on http://ADDRESS` once it accepts requests, after `operator API on http://ADDRESS` if
/// operator_listen is set. On SIGTERM or Ctrl-C it shuts down gracefully: it
/// accepts no new connections, answers the requests in flight, closes the store, and exits with 0. It exits with 6 if
/// that takes longer than shutdown_timeout_s. A second signal ends it at once, with 143 or 130; answered orders are
/// safe. SIGHUP reloads apps, keys, limits and the log filter from the configuration. Under systemd, Type=notify works.
#[derive(clap::Args)]
#[command(after_help = ENVIRONMENT_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigPath,
    /// Listen address; overrides the configuration; port 0 is any free port
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_listen_address)]
    listen: Option<SocketAddr>,
    /// Store, such as embedded:./data, or env:NAME, file:FILE, - for standard input; overrides the configuration
    #[arg(long, value_name = "URL")]
    store: Option<StoreArg>,
    /// First create or upgrade the tables of a store on PostgreSQL
    #[arg(long)]
    migrate: bool,
    /// Wait this long for a database that is not up yet; needs a store on PostgreSQL
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    wait: u32,
    /// Clock of the bank; manual is for development, and needs login = "open" for every app
    #[arg(long, value_name = "CLOCK", default_value = "system")]
    clock: ServeClock,
}

/// Clock of the bank.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ServeClock {
    /// The system clock
    System,
    /// A clock that starts now, stands still, and moves by POST /api/v1/clock
    Manual,
}

const ENVIRONMENT_HELP: &str = "\
Environment variables override the file, and options override both:
  PACTOLUS_LISTEN, PACTOLUS_STORE, PACTOLUS_OPERATOR_TOKEN
  PACTOLUS_LIMITS_REQUEST_TIMEOUT_S and so on: section and key, in capitals
  PACTOLUS_APPS_0_APPID, PACTOLUS_APPS_0_MIDAS_KEY and so on: the keys of the
  first [[apps]]; lists are comma-separated
A secret in the file may also be { env = \"NAME\" } or { file = \"PATH\" }.
Unknown keys, and unknown variables with the prefix PACTOLUS_, are refused.

Examples:
  pactolus serve
  pactolus serve --config /etc/pactolus.toml --listen 127.0.0.1:9000
  pactolus serve --migrate --store postgres://host/database";

/// Serves until a shutdown signal.
pub(crate) fn run(args: &Args, lang: Lang) -> Result<(), CliError> {
    let mut config = Config::read(&args.config.config, &EnvSnapshot::capture()).map_err(CliError::Config)?;
    logging::set_filter(&config.log);
    config.listen = args.listen.unwrap_or(config.listen);
    if let Some(store) = &args.store {
        config.store = store.url(lang)?;
    }
    if args.clock == ServeClock::Manual {
        require_development_apps(&config.server.apps)?;
    }
    let runtime = runtime::start()?;
    let served = runtime.block_on(async {
        let (stop, hangups) = signals::server_signals(lang)?;
        let mut stop = Box::pin(stop);
        let store = tokio::select! {
            opened = open_store(&config, args, lang) => opened?,
            () = &mut stop => return Ok(()),
        };
        serve(config, args, store, stop, hangups, lang).await
    });
    // After a timeout a thread may be stuck, and the process must not wait for it.
    runtime.shutdown_background();
    served
}

/// Commit that a package is built from.
const REVISION: Option<&str> = option_env!("PACTOLUS_REVISION");

fn process_info(store: &StoreUrl) -> ProcessInfo {
    let engine = if store::embedded_folder(store).is_ok() { "embedded" } else { "postgres" };
    ProcessInfo {
        version: env!("CARGO_PKG_VERSION"),
        revision: REVISION.unwrap_or("unknown"),
        engine,
        log_lines_dropped: logging::dropped_lines,
    }
}

/// A manual clock could extend sessions and cancel windows, so it is refused for apps in production.
fn require_development_apps(apps: &[AppSettings]) -> Result<(), CliError> {
    match apps.iter().find(|app| app.login != LoginMode::Open) {
        None => Ok(()),
        Some(app) => Err(CliError::ManualClock(app.appid)),
    }
}

/// Opens the store, after the migration if it is asked for. A store on PostgreSQL may need some time to come up.
async fn open_store(config: &Config, args: &Args, lang: Lang) -> Result<Backend, CliError> {
    let bounds = EngineSettings { embedded: config.embedded.clone(), postgres: config.postgres.clone() };
    let is_database = store::embedded_folder(&config.store).is_err();
    let wait = if is_database { Duration::from_secs(args.wait.into()) } else { Duration::ZERO };
    wait::until_open(wait, lang, async || {
        if args.migrate {
            migrate::migrate(&config.store, None).await?;
        }
        store::open(&config.store, &bounds).await
    })
    .await
}

/// Tells the service manager that the runtime still runs tasks.
async fn feed_watchdog(lang: Lang) {
    let Some(interval) = watchdog_interval() else { return };
    let mut ticks = tokio::time::interval(interval);
    loop {
        ticks.tick().await;
        notify(ServiceState::Alive, lang);
    }
}

/// Reloads the configuration on each SIGHUP. Reading files blocks, so it has a thread.
async fn reload_on_hangup(reloader: Reloader, mut hangups: Hangups) {
    let reloader = Arc::new(reloader);
    while hangups.recv().await.is_some() {
        let reloader = Arc::clone(&reloader);
        if let Err(error) = tokio::task::spawn_blocking(move || reloader.reload()).await {
            tracing::error!(%error, "the reload ended halfway");
        }
    }
}

/// Warns of settings that are not for production.
fn warn_of_development_settings(apps: &[AppSettings], lang: Lang) {
    for app in apps.iter().filter(|app| !app.static_access_tokens.is_empty()) {
        let warning = tr!(
            lang,
            "this app has access tokens that never expire; use them for development only",
            "此应用有永不过期的 access_token；仅供开发使用"
        );
        tracing::warn!(appid = %app.appid, "{warning}");
    }
    for app in apps.iter().filter(|app| app.login == LoginMode::Open) {
        let warning = tr!(
            lang,
            "this app accepts any login code, in live too; use this for development only",
            "此应用接受任意登录码，包括正式环境；仅供开发使用"
        );
        tracing::warn!(appid = %app.appid, "{warning}");
    }
}

async fn serve(
    mut config: Config,
    args: &Args,
    store: Backend,
    stop: impl Future<Output = ()> + Send + 'static,
    hangups: Hangups,
    lang: Lang,
) -> Result<(), CliError> {
    if let Err(source) = config.server.keys.check_keys(&*store.records).await {
        store.ledger.close().await;
        return Err(CliError::MissingMasterKey { store: config.store, source });
    }
    config.server.limits.connections_max =
        runtime::connection_limit(config.server.limits.connections_max, lang);
    let (socket, address) = runtime::listen(config.listen)?;
    let operator = config.operator_listen.map(runtime::listen).transpose()?;
    warn_of_development_settings(&config.server.apps, lang);
    if config.server.keys.primary().is_none() {
        let warning = tr!(
            lang,
            "players' session keys are plaintext in the store, because there is no master key; pactolus doctor shows \
             the fix",
            "没有主密钥，玩家的 session_key 以明文保存在存储中；处理方法见 pactolus doctor"
        );
        tracing::warn!("{warning}");
    }
    let serving = tr!(lang, "serving", "开始提供服务");
    tracing::info!(%address, store = %config.store, apps = config.server.apps.len(), "{serving}");
    config.server.process = process_info(&config.store);
    let fixed = FixedSettings::of(&config);
    let tls = config.tls.clone();
    let store_option = args.store.as_ref().map(|_| config.store.clone());
    let random = Arc::new(OsRandomness);
    let bank = match args.clock {
        ServeClock::System => AppState::new(config.server, store, Arc::new(SystemClock), random),
        ServeClock::Manual => {
            let warning = tr!(
                lang,
                "the manual clock moves only by POST /api/v1/clock; use it for development only",
                "手动时钟只能通过 POST /api/v1/clock 前进；仅供开发使用"
            );
            tracing::warn!("{warning}");
            let clock = Arc::new(ManualClock::starting_at(SystemClock.now()));
            AppState::with_manual_clock(config.server, store, clock, random)
        }
    };
    let operator_line = operator.as_ref().map(|(_, address)| format!("operator API on http://{address}\n"));
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let lines = format!("{}listening on {scheme}://{address}\n", operator_line.unwrap_or_default());
    if let Err(error) = io::stdout().write_all(lines.as_bytes()) {
        // A closed stdout or a full disk is no reason to refuse orders.
        let warning = tr!(lang, "cannot write the address to stdout", "无法将地址写入标准输出");
        tracing::warn!(error = localize(&error.to_string(), lang), "{warning}");
    }
    let listeners = match operator {
        None => vec![Listener::shared(socket).with_tls(tls.clone())],
        Some((operator, _)) => {
            vec![Listener::game(socket).with_tls(tls.clone()), Listener::operator(operator)]
        }
    };
    let reloader = Reloader {
        path: args.config.config.clone(),
        bank: Arc::clone(&bank),
        tls: tls.clone(),
        clock: args.clock,
        listen: args.listen,
        store: store_option,
        fixed,
        lang,
    };
    let reloading = tokio::spawn(reload_on_hangup(reloader, hangups));
    let watchdog = tokio::spawn(feed_watchdog(lang));
    notify(ServiceState::Ready, lang);
    let stop = async move {
        stop.await;
        reloading.abort();
        // A drain ends at its own timeout.
        watchdog.abort();
        notify(ServiceState::Stopping, lang);
    };
    match pactolus_server::serve_listeners(bank, listeners, stop).await.context("the server failed")? {
        Shutdown::Clean => Ok(()),
        Shutdown::TimedOut => Err(CliError::ShutdownTimeout),
    }
}

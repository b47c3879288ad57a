//! Opens the store that a URL names.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
#[cfg(feature = "postgres")]
use std::time::Duration;

use pactolus_ledger::{Audit, HistoryDigest, Ledger as _, Portable, Unavailable};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
#[cfg(feature = "postgres")]
use pactolus_ledger_postgres::PostgresStore;
use pactolus_server::{AppSettings, Backend};
use zeroize::Zeroizing;

use crate::cli::args::{DEFAULT_CONFIG, config_variable};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::cli::secret::{read_line, warn_of_ps};
use crate::config::{Config, EnvSnapshot, PostgresSettings, StoreUrl};
use crate::runtime;

/// Store argument of commands that open a store without serving it.
#[derive(clap::Args)]
pub(crate) struct StoreArgs {
    /// Configuration file; default: the variable PACTOLUS_CONFIG, else pactolus.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Store, such as embedded:./data, or env:NAME, file:FILE, - for standard input; default: the configuration's
    #[arg(long, value_name = "URL")]
    store: Option<StoreArg>,
}

impl StoreArgs {
    /// The store on the command line, else the configuration's.
    pub(crate) fn resolve(&self, lang: Lang) -> Result<StoreUrl, CliError> {
        match (&self.store, &self.config) {
            (Some(_), Some(_)) => Err(CliError::message(
                ExitCode::Usage,
                tr!(
                    lang,
                    "--store names the store, so --config would have no effect; omit one of them",
                    "--store 已指定存储，--config 不起作用；请去掉其中一个"
                ),
            )),
            (Some(named), None) => named.url(lang),
            (None, _) => Ok(self.config()?.store),
        }
    }

    /// The same, with the apps of the configuration; with a store on the command line there are none.
    pub(crate) fn resolve_with_apps(&self, lang: Lang) -> Result<(StoreUrl, Vec<AppSettings>), CliError> {
        if self.store.is_some() {
            return Ok((self.resolve(lang)?, Vec::new()));
        }
        let config = self.config()?;
        Ok((config.store, config.server.apps))
    }

    /// The same, for a command that needs the configuration in any case.
    pub(crate) fn resolve_with_config(&self, lang: Lang) -> Result<(StoreUrl, Config), CliError> {
        let config = self.config()?;
        let url = self.store.as_ref().map_or(Ok(config.store.clone()), |named| named.url(lang))?;
        Ok((url, config))
    }

    fn config(&self) -> Result<Config, CliError> {
        let named = self.config.clone().or_else(config_variable);
        let path = named.unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
        Config::read(&path, &EnvSnapshot::capture()).map_err(CliError::Config)
    }
}

/// A store URL as given: the URL itself, or `env:NAME`, `file:FILE`, `-` for a line of standard input.
///
/// It is parsed after the command line, because an error of clap would print it, and it may hold a password.
#[derive(Clone)]
pub(crate) struct StoreArg(Zeroizing<String>);

impl FromStr for StoreArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl StoreArg {
    /// Parses the URL. A relative folder is taken from the working directory.
    pub(crate) fn url(&self, lang: Lang) -> Result<StoreUrl, CliError> {
        let given = self.0.as_str();
        let text = if given == "-" {
            read_line(Path::new("-"), lang)?
        } else if let Some(file) = given.strip_prefix("file:") {
            read_line(Path::new(file), lang)?
        } else if let Some(name) = given.strip_prefix("env:") {
            variable(name, lang)?
        } else {
            if holds_password(given) {
                warn_of_ps("postgres://…", "env:NAME, file:FILE, -", lang);
            }
            self.0.clone()
        };
        text.parse().map_err(CliError::StoreUrl)
    }
}

fn variable(name: &str, lang: Lang) -> Result<Zeroizing<String>, CliError> {
    let value = std::env::var_os(name).and_then(|value| value.into_string().ok()).map(Zeroizing::new);
    value.ok_or_else(|| {
        let message =
            tr!(lang, "the environment variable {name} is not set to a text", "环境变量 {name} 未设置为文本");
        CliError::message(ExitCode::Usage, message)
    })
}

/// Whether the URL of a database holds a password, before its host or as a parameter.
fn holds_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = location.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let is_password = |pair: &str| pair.strip_prefix("password=").is_some_and(|value| !value.is_empty());
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
        || query.split('&').any(is_password)
}

/// Settings of every engine.
#[derive(Default)]
pub(crate) struct EngineSettings {
    pub(crate) embedded: EmbeddedSettings,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "there is no engine to give them to"))]
    pub(crate) postgres: PostgresSettings,
}

/// Opens the store. An embedded store is created if it is missing; a database must be migrated first.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "a folder is opened at once"))]
pub(crate) async fn open(url: &StoreUrl, bounds: &EngineSettings) -> Result<Backend, CliError> {
    match url {
        StoreUrl::Embedded(folder) => EmbeddedStore::open(folder, &bounds.embedded)
            .map(|store| Backend::from_engine(Arc::new(store)))
            .map_err(|source| open_error(url, source)),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(database) => {
            let PostgresSettings { write_connections, queue_orders_max } = bounds.postgres;
            let settings = pactolus_ledger_postgres::PostgresSettings {
                write_connections,
                queue_orders_max,
                ..pactolus_ledger_postgres::PostgresSettings::default()
            };
            let store = PostgresStore::open(database, &settings).await;
            store.map(|store| Backend::from_engine(Arc::new(store))).map_err(|source| open_error(url, source))
        }
    }
}

/// Opens an existing store. A typo in the URL must not pass the audit of a new, empty bank.
pub(crate) async fn open_existing(url: &StoreUrl) -> Result<Backend, CliError> {
    if is_empty(url) {
        Err(CliError::StoreNotFound(url.clone()))
    } else {
        open(url, &EngineSettings::default()).await
    }
}

/// Opens an existing store, audits it, and closes it. Only an embedded store can verify its history `since` a digest.
pub(crate) fn audit(
    url: &StoreUrl,
    since: Option<HistoryDigest>,
) -> Result<Result<Audit, Unavailable>, CliError> {
    runtime::start()?.block_on(async {
        let Some(since) = since else {
            let store = open_existing(url).await?;
            let audit = store.ledger.audit().await;
            store.ledger.close().await;
            return Ok(audit);
        };
        let folder = embedded_folder(url)?;
        if is_empty_folder(folder) {
            return Err(CliError::StoreNotFound(url.clone()));
        }
        let store = EmbeddedStore::open(folder, &EmbeddedSettings::default())
            .map_err(|source| open_error(url, source))?;
        let audit = store.audit_since(Some(since)).await;
        store.close().await;
        Ok(audit)
    })
}

/// Opens the store as a whole, for copying and key rotation.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unused_async, reason = "a folder is opened at once"))]
pub(crate) async fn open_for_copy(url: &StoreUrl) -> Result<Arc<dyn Portable>, CliError> {
    match url {
        StoreUrl::Embedded(folder) => {
            let store = EmbeddedStore::open(folder, &EmbeddedSettings::default());
            Ok(Arc::new(store.map_err(|source| open_error(url, source))?))
        }
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(database) => {
            // An import of a thousand orders takes longer than a caller of one order should wait.
            let settings = pactolus_ledger_postgres::PostgresSettings {
                request_timeout: Duration::from_secs(30),
                ..pactolus_ledger_postgres::PostgresSettings::default()
            };
            let store = PostgresStore::open(database, &settings).await;
            Ok(Arc::new(store.map_err(|source| open_error(url, source))?))
        }
    }
}

/// Whether the store does not exist. A database reports that itself when it is opened.
pub(crate) fn is_empty(url: &StoreUrl) -> bool {
    match url {
        StoreUrl::Embedded(folder) => is_empty_folder(folder),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(_) => false,
    }
}

/// Adds the URL to an engine's error.
pub(crate) fn open_error(url: &StoreUrl, source: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::StoreOpen { store: url.clone(), source: Box::new(source) }
}

/// The folder of an embedded store; an error for any other engine.
#[cfg_attr(not(feature = "postgres"), expect(clippy::unnecessary_wraps, reason = "every store is embedded"))]
pub(crate) fn embedded_folder(url: &StoreUrl) -> Result<&Path, CliError> {
    match url {
        StoreUrl::Embedded(folder) => Ok(folder),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(_) => Err(CliError::NotEmbedded(url.clone())),
    }
}

/// Whether the folder is empty or missing. An unreadable folder is left to the engine, which reports the reason.
fn is_empty_folder(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

//! Reload of the configuration on SIGHUP: apps, keys, limits, zones and the log filter.
//!
//! All or nothing: a file with a problem, or with a setting that takes effect at a restart only, changes nothing. The
//! log has each problem with its line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use pactolus_server::{AppState, RestartNeeded, TlsIdentity};

use crate::cli::i18n::{Lang, tr};
use crate::commands::serve::{ServeClock, require_development_apps, warn_of_development_settings};
use crate::config::{Config, EnvSnapshot, StoreUrl};
use crate::{logging, runtime};

/// What a reload compares the configuration with.
pub(super) struct Reloader {
    pub(super) path: PathBuf,
    pub(super) bank: Arc<AppState>,
    pub(super) tls: Option<TlsIdentity>,
    pub(super) clock: ServeClock,
    /// Options of the command line, which override the file.
    pub(super) listen: Option<SocketAddr>,
    pub(super) store: Option<StoreUrl>,
    /// Settings that take effect at a restart only.
    pub(super) fixed: FixedSettings,
    /// Language of log lines.
    pub(super) lang: Lang,
}

/// Settings that are used once, at the start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FixedSettings {
    listen: SocketAddr,
    operator_listen: Option<SocketAddr>,
    store: StoreUrl,
    /// Settings of the engines, as their debug text: they have no other comparison.
    embedded: String,
    postgres: String,
}

impl FixedSettings {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            listen: config.listen,
            operator_listen: config.operator_listen,
            store: config.store.clone(),
            embedded: format!("{:?}", config.embedded),
            postgres: format!("{:?}", config.postgres),
        }
    }

    /// The first setting that differs.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let settings = [
            ("listen", self.listen == other.listen),
            ("operator_listen", self.operator_listen == other.operator_listen),
            ("store", self.store == other.store),
            ("[embedded]", self.embedded == other.embedded),
            ("[postgres]", self.postgres == other.postgres),
        ];
        settings.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
    }
}

impl Reloader {
    /// Reads the configuration again and applies it, or logs why not.
    pub(super) fn reload(&self) {
        match self.try_reload() {
            Ok(apps) => {
                let notice = tr!(self.lang, "the configuration was reloaded", "已重新加载配置");
                tracing::info!(apps, "{notice}");
            }
            Err(problems) => {
                let refused = tr!(
                    self.lang,
                    "the configuration is refused; nothing was changed",
                    "配置有误，未作任何更改"
                );
                for problem in problems.lines() {
                    tracing::error!(problem, "{refused}");
                }
            }
        }
    }

    /// Returns the number of apps, or the problems, one a line.
    fn try_reload(&self) -> Result<usize, String> {
        let mut config =
            Config::read(&self.path, &EnvSnapshot::capture()).map_err(|problems| problems.to_string())?;
        config.listen = self.listen.unwrap_or(config.listen);
        if let Some(store) = &self.store {
            config.store = store.clone();
        }
        if let Some(name) = self.fixed.difference(&FixedSettings::of(&config)) {
            return Err(RestartNeeded(name).to_string());
        }
        if self.clock == ServeClock::Manual {
            require_development_apps(&config.server.apps).map_err(|error| error.to_string())?;
        }
        if config.tls.is_some() != self.tls.is_some() {
            return Err(RestartNeeded("[tls]").to_string());
        }
        let limits = &mut config.server.limits;
        limits.connections_max = runtime::connection_limit(limits.connections_max, self.lang);
        warn_of_development_settings(&config.server.apps, self.lang);
        let apps = config.server.apps.len();
        self.bank.reload(config.server).map_err(|error| error.to_string())?;
        logging::set_filter(&config.log);
        if let (Some(tls), Some(new)) = (&self.tls, &config.tls) {
            tls.replace(new);
        }
        Ok(apps)
    }
}

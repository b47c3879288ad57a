//! Target of a call: the bank, the app and the environment. Shared by every command that calls a bank.
//!
//! The target comes from a profile, or from the configuration of a bank on this machine.
//! Read next: `source`, which of them; `bank`, the operator API; `connection`, the app and its keys.

mod bank;
mod connection;
mod source;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pactolus_client::{App, BaseUrl, TokenSource};
use pactolus_protocol::MidasKey;
use pactolus_server::AppSettings;
use pactolus_types::{AppId, Environment};

use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::config::{Config, Profile};
pub(crate) use bank::{Bank, CALL_TIMEOUT};
pub(crate) use connection::Connection;
use connection::{AppWithToken, MissingKey};
pub(crate) use source::SourceArgs;
use source::TargetFile;

/// The bank, the app and its keys: for every command that uses the keys.
#[derive(clap::Args)]
#[command(next_help_heading = "Target bank")]
pub(crate) struct TargetArgs {
    /// Environment: live (players' real coins) or sandbox (test coins); required unless the profile sets it
    #[arg(long, value_name = "live|sandbox", value_parser = environment_parser(), hide_possible_values = true)]
    env: Option<Environment>,
    #[command(flatten)]
    app: AppArgs,
}

/// The bank and the app, in both environments.
#[derive(clap::Args)]
#[command(next_help_heading = "Target bank")]
struct AppArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// App to call for; required if the configuration has several
    #[arg(long, value_name = "APPID", conflicts_with = "profile")]
    app: Option<AppId>,
}

/// Address and timeout, which override the files.
#[derive(clap::Args)]
#[command(next_help_heading = "Target bank")]
struct CallArgs {
    /// Address of the bank; overrides the profile and the configuration
    #[arg(long, value_name = "URL")]
    url: Option<BaseUrl>,
    /// Timeout of a call with its retries, in seconds; default: 10, in a campaign 60
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: Option<u16>,
}

/// Target of a call about a player: for every command that calls a bank in one environment.
#[derive(clap::Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// Target of a call about an app, in both environments.
#[derive(clap::Args)]
pub(crate) struct AppConnectArgs {
    #[command(flatten)]
    app: AppArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// Target of a call about a bank.
#[derive(clap::Args)]
pub(crate) struct BankArgs {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    call: CallArgs,
}

/// Parser of `--env`.
pub(crate) fn environment_parser() -> impl TypedValueParser<Value = Environment> {
    PossibleValuesParser::new(Environment::ALL.map(Environment::as_str))
        .try_map(|name| name.parse::<Environment>())
}

impl ConnectArgs {
    /// Resolves the target from the arguments, the environment and the files.
    pub(crate) fn resolve(&self, lang: Lang) -> Result<Connection, CliError> {
        self.target.resolve_with(&self.call, lang)
    }
}

impl TargetArgs {
    /// Resolves the target, with the address that the files name.
    pub(crate) fn resolve(&self, lang: Lang) -> Result<Connection, CliError> {
        self.resolve_with(&CallArgs { url: None, timeout: None }, lang)
    }

    fn resolve_with(&self, call: &CallArgs, lang: Lang) -> Result<Connection, CliError> {
        match self.app.source.read(self.app.app, lang)? {
            TargetFile::Profile(profile) => {
                let environment = require_environment(self.env.or(profile.env), lang)?;
                Ok(connection_from_profile(*profile, environment, call, lang))
            }
            TargetFile::Config(config) => {
                let environment = require_environment(self.env, lang)?;
                connection_from_config(&config, self.app.app, environment, call, lang)
            }
        }
    }
}

impl AppConnectArgs {
    /// The bank and the app. Only calls about an app may be made with them.
    pub(crate) fn resolve(&self, lang: Lang) -> Result<(Bank, AppId), CliError> {
        match self.app.source.read(self.app.app, lang)? {
            TargetFile::Profile(profile) => {
                let appid = profile.appid;
                Ok((bank_of_profile(*profile, &self.call, lang), appid))
            }
            TargetFile::Config(config) => {
                let appid = select_app(&config.server.apps, self.app.app, lang)?.appid;
                Ok((bank_of_config(&config, &self.call, lang), appid))
            }
        }
    }
}

impl BankArgs {
    /// Whether the command line names the bank's address.
    pub(crate) const fn has_url(&self) -> bool {
        self.call.url.is_some()
    }

    /// The configuration that the command line names, for a command that calls no bank.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        self.source.config.clone()
    }

    /// The bank. Only calls about the bank may be made with it.
    pub(crate) fn resolve(&self, lang: Lang) -> Result<Bank, CliError> {
        Ok(match self.source.read(None, lang)? {
            TargetFile::Profile(profile) => bank_of_profile(*profile, &self.call, lang),
            TargetFile::Config(config) => bank_of_config(&config, &self.call, lang),
        })
    }
}

fn bank_of_profile(profile: Profile, call: &CallArgs, lang: Lang) -> Bank {
    Bank {
        url: call.url.clone().unwrap_or(profile.url),
        operator_url: None,
        operator_token: profile.operator_token,
        ca_file: profile.ca_file,
        timeout: call.timeout(),
        lang,
    }
}

fn bank_of_config(config: &Config, call: &CallArgs, lang: Lang) -> Bank {
    let own_url = |scheme: &str, address: SocketAddr| {
        BaseUrl::new(&format!("{scheme}://{}:{}", url_host(address.ip()), address.port()))
            .expect("an address is a host")
    };
    // A URL of the command line is that of another bank, perhaps.
    let operator_listen = config.operator_listen.filter(|_| call.url.is_none());
    Bank {
        url: call.url.clone().unwrap_or_else(|| {
            own_url(if config.tls.is_some() { "https" } else { "http" }, config.game_address())
        }),
        operator_url: operator_listen.map(|_| own_url("http", config.operator_address())),
        operator_token: Some(config.server.operator_token.clone()),
        ca_file: None,
        timeout: call.timeout(),
        lang,
    }
}

impl CallArgs {
    fn timeout(&self) -> Option<Duration> {
        self.timeout.map(|seconds| Duration::from_secs(seconds.into()))
    }
}

fn connection_from_profile(
    profile: Profile,
    environment: Environment,
    call: &CallArgs,
    lang: Lang,
) -> Connection {
    Connection {
        appid: profile.appid,
        environment,
        pf: profile.pf,
        keys: keys_of_profile(&profile, environment),
        zones: Vec::new(),
        bank: bank_of_profile(profile, call, lang),
        lang,
    }
}

fn keys_of_profile(profile: &Profile, environment: Environment) -> Result<AppWithToken, MissingKey> {
    let (key, name) = match environment {
        Environment::Live => (&profile.midas_key, "midas_key"),
        Environment::Sandbox => (&profile.sandbox_midas_key, "sandbox_midas_key"),
    };
    let key = key.clone().ok_or(MissingKey(name))?;
    let offer_id = profile.offer_id.ok_or(MissingKey("offer_id"))?;
    let secret = profile.app_secret.clone().ok_or(MissingKey("app_secret"))?;
    let app = app_constructor(environment)(profile.appid, offer_id, secret, key);
    let token = profile.access_token.clone().map_or(TokenSource::Stable, TokenSource::Fixed);
    Ok(AppWithToken { app, token })
}

fn connection_from_config(
    config: &Config,
    app: Option<AppId>,
    environment: Environment,
    call: &CallArgs,
    lang: Lang,
) -> Result<Connection, CliError> {
    let bank = bank_of_config(config, call, lang);
    let settings = select_app(&config.server.apps, app, lang)?;
    let key = match environment {
        Environment::Live => &settings.midas_key,
        Environment::Sandbox => &settings.sandbox_midas_key,
    };
    let secret = settings.app_secret.clone();
    let app = app_constructor(environment)(settings.appid, settings.offer_id, secret, key.clone());
    Ok(Connection {
        bank,
        appid: settings.appid,
        environment,
        pf: settings.pf.first().copied().expect("a configuration without a platform is refused"),
        keys: Ok(AppWithToken { app, token: TokenSource::Stable }),
        zones: settings.zones.clone(),
        lang,
    })
}

/// The app that the command line names, or the only one.
fn select_app(apps: &[AppSettings], named: Option<AppId>, lang: Lang) -> Result<&AppSettings, CliError> {
    let chosen = match (named, apps) {
        (Some(appid), _) => apps.iter().find(|app| app.appid == appid),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    chosen.ok_or_else(|| {
        let known: Vec<_> = apps.iter().map(|app| app.appid.to_string()).collect();
        let known = known.join(", ");
        let message = tr!(
            lang,
            "name the app with --app; the configuration has {known}",
            "请用 --app 指定应用；配置中有 {known}"
        );
        CliError::message(ExitCode::Config, message)
    })
}

fn require_environment(environment: Option<Environment>, lang: Lang) -> Result<Environment, CliError> {
    environment.ok_or_else(|| {
        let message = tr!(
            lang,
            "name the environment: --env live or --env sandbox",
            "请指明环境：--env live（正式）或 --env sandbox（沙箱）"
        );
        CliError::message(ExitCode::Config, message)
    })
}

fn url_host(address: std::net::IpAddr) -> String {
    if address.is_ipv6() { format!("[{address}]") } else { address.to_string() }
}

type AppConstructor = fn(AppId, pactolus_types::OfferId, pactolus_protocol::AppSecret, MidasKey) -> App;

fn app_constructor(environment: Environment) -> AppConstructor {
    match environment {
        Environment::Live => App::live,
        Environment::Sandbox => App::sandbox,
    }
}

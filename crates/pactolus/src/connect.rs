//! Target of a call: the bank, the app and the environment. Shared by every command that calls a bank.
//!
//! The target comes from a profile, or from the configuration of a bank on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pactolus_client::{App, BaseUrl, Client, ClientBuilder, RetryPolicy, TokenSource};
use pactolus_protocol::{MidasKey, OperatorToken, Pf};
use pactolus_types::{AppId, Environment};

use crate::cli::args::{CONFIG_VARIABLE, DEFAULT_CONFIG};
use crate::cli::exit::{CliError, ExitCode, error_chain};
use crate::cli::i18n::{Lang, tr};
use crate::cli::output;
use crate::config::{Config, EnvSnapshot, Profile};
use crate::operator::{self, OperatorClient};

/// The bank, the app and its keys: for every command that uses the keys.
#[derive(clap::Args)]
#[command(next_help_heading = "Target bank")]
pub(crate) struct TargetArgs {
    /// Environment: live (players' real coins) or sandbox (test coins); required unless the profile sets it
    #[arg(long, value_name = "live|sandbox", value_parser = environment_parser(), hide_possible_values = true)]
    env: Option<Environment>,
    /// Profile with the bank's address, the app and its keys: NAME.toml in ~/.config/pactolus (or
    /// $XDG_CONFIG_HOME/pactolus); default: the variable PACTOLUS_PROFILE, else the profile `default` if it exists,
    /// else the configuration of a bank on this machine
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// App to call for; required if the configuration has several
    #[arg(long, value_name = "APPID", conflicts_with = "profile")]
    app: Option<AppId>,
    /// Configuration of a bank on this machine, instead of a profile; default: the variable PACTOLUS_CONFIG, else
    /// pactolus.toml
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    config: Option<PathBuf>,
}

/// Target of a call: for every command that calls a bank.
#[derive(clap::Args)]
#[command(next_help_heading = "Target bank")]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Address of the bank; overrides the profile and the configuration
    #[arg(long, value_name = "URL")]
    url: Option<BaseUrl>,
    /// Timeout of a call with its retries, in seconds; default: 10, in a campaign 60
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    timeout: Option<u16>,
}

fn environment_parser() -> impl TypedValueParser<Value = Environment> {
    PossibleValuesParser::new(Environment::ALL.map(Environment::as_str))
        .try_map(|name| name.parse::<Environment>())
}

/// A bank, with the keys to call it for one app.
pub(crate) struct Connection {
    pub(crate) url: BaseUrl,
    pub(crate) app: App,
    pub(crate) pf: Pf,
    pub(crate) operator_token: Option<OperatorToken>,
    timeout: Option<Duration>,
    /// With the certificates to trust.
    builder: ClientBuilder,
    /// Language of messages.
    pub(crate) lang: Lang,
}

const PROFILE_VARIABLE: &str = "PACTOLUS_PROFILE";

/// Profile used when none is named.
const DEFAULT_PROFILE: &str = "default";

/// Default timeout of an interactive call.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

impl Connection {
    /// A client for one interactive call.
    pub(crate) fn client(&self) -> Client {
        self.client_with_timeout(CALL_TIMEOUT)
    }

    /// A client with this call timeout, unless `--timeout` overrides it.
    pub(crate) fn client_with_timeout(&self, timeout: Duration) -> Client {
        let deadline = self.timeout.unwrap_or(timeout);
        if self.url.is_remote_plaintext() {
            let url = &self.url;
            output::eprintln(tr!(
                self.lang,
                "warning: {url} is not encrypted: the secret and the tokens cross the network in plaintext; use https",
                "警告：{url} 未加密，密钥和 access_token 将以明文在网络上传输；请使用 https"
            ));
        }
        self.builder
            .clone()
            .retry_policy(RetryPolicy { call_timeout: deadline, ..RetryPolicy::default() })
            .build()
    }

    /// A client of the operator API, which only a Pactolus bank has.
    pub(crate) fn operator(&self, lang: Lang) -> Result<OperatorClient, CliError> {
        let token = self.operator_token.clone().ok_or_else(|| {
            let message = tr!(
                lang,
                "the profile has no operator_token, which the operator API of a Pactolus bank needs",
                "配置档缺少 operator_token，无法访问 Pactolus 的运维接口"
            );
            CliError::message(ExitCode::Config, message)
        })?;
        let bank = operator::resolve_address(self.url.as_str(), lang)?;
        Ok(OperatorClient::new(bank, token, self.timeout.unwrap_or(CALL_TIMEOUT)))
    }

    /// Label of the bank in results files: environment, app, address.
    pub(crate) fn label(&self) -> String {
        format!("{}:{}@{}", self.app.environment(), self.app.appid(), self.url)
    }
}

impl ConnectArgs {
    /// Resolves the target from the arguments, the environment and the files.
    pub(crate) fn resolve(&self, lang: Lang) -> Result<Connection, CliError> {
        let mut connection = self.target.resolve_at(self.url.as_ref(), lang)?;
        connection.timeout = self.timeout.map(|seconds| Duration::from_secs(seconds.into()));
        Ok(connection)
    }
}

/// Where the keys of a target are.
#[derive(Debug, PartialEq, Eq)]
enum TargetSource {
    Profile(String),
    Config(PathBuf),
    /// Neither is named.
    Default,
}

impl TargetArgs {
    /// Resolves the target from the arguments, the environment and the files, with the address that they name.
    pub(crate) fn resolve(&self, lang: Lang) -> Result<Connection, CliError> {
        self.resolve_at(None, lang)
    }

    /// Resolves the target, at `url` if it is given.
    fn resolve_at(&self, url: Option<&BaseUrl>, lang: Lang) -> Result<Connection, CliError> {
        let variables = EnvSnapshot::capture();
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let profile = match self.source(set, lang)? {
            TargetSource::Profile(name) => Some(profile_path(&name, lang)?),
            TargetSource::Config(path) => return self.resolve_config(&path, url, &variables, lang),
            // `--app` selects an app of a configuration, so it rules out the default profile.
            TargetSource::Default if self.app.is_some() => None,
            TargetSource::Default => profile_path(DEFAULT_PROFILE, lang).ok().filter(|path| path.exists()),
        };
        let Some(path) = profile else {
            return self.resolve_config(Path::new(DEFAULT_CONFIG), url, &variables, lang);
        };
        let profile = Profile::read(&path, &variables).map_err(CliError::Config)?;
        self.connection_from_profile(profile, url, lang)
    }

    /// The command line overrides the environment. Two variables that name two targets are refused.
    fn source(
        &self,
        set: impl Fn(&'static str) -> Option<OsString>,
        lang: Lang,
    ) -> Result<TargetSource, CliError> {
        if let Some(name) = &self.profile {
            return Ok(TargetSource::Profile(name.clone()));
        }
        if let Some(path) = &self.config {
            return Ok(TargetSource::Config(path.clone()));
        }
        let usage = |text| CliError::message(ExitCode::Usage, text);
        match (set(PROFILE_VARIABLE), set(CONFIG_VARIABLE)) {
            (Some(_), Some(_)) => Err(usage(tr!(
                lang,
                "the variables {PROFILE_VARIABLE} and {CONFIG_VARIABLE} name two banks; choose one with --profile or \
                 --config",
                "环境变量 {PROFILE_VARIABLE} 和 {CONFIG_VARIABLE} 指向两个服务；请用 --profile 或 --config 选定一个"
            ))),
            (Some(_), None) if self.app.is_some() => Err(usage(tr!(
                lang,
                "--app selects an app of a configuration, and the variable {PROFILE_VARIABLE} names a profile; name \
                 the configuration with --config",
                "--app 用于选择配置中的应用，而环境变量 {PROFILE_VARIABLE} 指定了配置档；请用 --config 指定配置"
            ))),
            (Some(name), None) => Ok(TargetSource::Profile(name.to_string_lossy().into_owned())),
            (None, Some(path)) => Ok(TargetSource::Config(path.into())),
            (None, None) => Ok(TargetSource::Default),
        }
    }

    fn resolve_config(
        &self,
        path: &Path,
        url: Option<&BaseUrl>,
        variables: &EnvSnapshot,
        lang: Lang,
    ) -> Result<Connection, CliError> {
        self.connection_from_config(Config::read(path, variables).map_err(CliError::Config)?, url, lang)
    }

    fn connection_from_profile(
        &self,
        profile: Profile,
        url: Option<&BaseUrl>,
        lang: Lang,
    ) -> Result<Connection, CliError> {
        let environment = self.environment(profile.env, lang)?;
        let (key, name) = match environment {
            Environment::Live => (profile.midas_key, "midas_key"),
            Environment::Sandbox => (profile.sandbox_midas_key, "sandbox_midas_key"),
        };
        let key = key.ok_or_else(|| {
            let message = tr!(
                lang,
                "the profile has no {name}, which signs {environment} calls",
                "配置档缺少 {name}，无法为 {environment} 环境的调用签名"
            );
            CliError::message(ExitCode::Config, message)
        })?;
        let app = app_constructor(environment)(profile.appid, profile.offer_id, profile.app_secret, key);
        let url = url.cloned().unwrap_or(profile.url);
        let token = profile.access_token.map_or(TokenSource::Stable, TokenSource::Fixed);
        let builder = Client::builder(app.clone()).base_url(url.clone()).token(token);
        Ok(Connection {
            builder: trust_ca_file(builder, profile.ca_file, &url, lang)?,
            url,
            app,
            pf: profile.pf,
            operator_token: profile.operator_token,
            timeout: None,
            lang,
        })
    }

    fn connection_from_config(
        &self,
        config: Config,
        url: Option<&BaseUrl>,
        lang: Lang,
    ) -> Result<Connection, CliError> {
        let environment = self.environment(None, lang)?;
        let listen = config.listen;
        // A wildcard address includes the loopback address.
        let host = if listen.ip().is_unspecified() { "127.0.0.1".to_owned() } else { url_host(listen.ip()) };
        let own_url =
            || BaseUrl::new(&format!("http://{host}:{}", listen.port())).expect("an address is a host");
        let url = url.cloned().unwrap_or_else(own_url);
        let mut apps = config.server.apps;
        let known: Vec<_> = apps.iter().map(|app| app.appid.to_string()).collect();
        let chosen = match self.app {
            Some(appid) => apps.iter().position(|app| app.appid == appid),
            None if apps.len() == 1 => Some(0),
            None => None,
        };
        let index = chosen.ok_or_else(|| {
            let known = known.join(", ");
            let message = tr!(
                lang,
                "name the app with --app; the configuration has {known}",
                "请用 --app 指定应用；配置中有 {known}"
            );
            CliError::message(ExitCode::Config, message)
        })?;
        let settings = apps.swap_remove(index);
        let key = match environment {
            Environment::Live => settings.midas_key,
            Environment::Sandbox => settings.sandbox_midas_key,
        };
        let pf = settings.pf.first().copied().expect("a configuration without a platform is refused");
        let app = app_constructor(environment)(settings.appid, settings.offer_id, settings.app_secret, key);
        let builder = Client::builder(app.clone()).base_url(url.clone());
        Ok(Connection {
            builder: trust_ca_file(builder, None, &url, lang)?,
            url,
            app,
            pf,
            operator_token: Some(config.server.operator_token),
            timeout: None,
            lang,
        })
    }

    fn environment(&self, default: Option<Environment>, lang: Lang) -> Result<Environment, CliError> {
        self.env.or(default).ok_or_else(|| {
            let message = tr!(
                lang,
                "name the environment: --env live or --env sandbox",
                "请指明环境：--env live（正式）或 --env sandbox（沙箱）"
            );
            CliError::message(ExitCode::Config, message)
        })
    }
}

/// Variable that names a CA file, as OpenSSL and curl read it. The profile's `ca_file` comes before it.
const CA_FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// Trusts the CA file of the profile, else of the environment. Without TLS neither is read.
fn trust_ca_file(
    builder: ClientBuilder,
    ca_file: Option<PathBuf>,
    url: &BaseUrl,
    lang: Lang,
) -> Result<ClientBuilder, CliError> {
    let from_variable =
        || std::env::var_os(CA_FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(path) = ca_file.or_else(from_variable).filter(|_| url.is_https()) else { return Ok(builder) };
    builder.ca_file(&path).map_err(|error| {
        let (path, why) = (path.display(), error_chain(&error));
        CliError::message(
            ExitCode::Config,
            tr!(lang, "the CA file {path} {why}", "CA 证书文件 {path} 无法使用：{why}"),
        )
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

/// Path of a profile: `NAME.toml` in the folder of profiles.
fn profile_path(name: &str, lang: Lang) -> Result<PathBuf, CliError> {
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_name {
        let message = tr!(
            lang,
            "the profile name {name:?} must consist of letters, digits, - and _",
            "配置档名 {name:?} 只能由字母、数字、- 和 _ 组成"
        );
        return Err(CliError::message(ExitCode::Config, message));
    }
    let folder = profiles_folder().ok_or_else(|| {
        let said = tr!(
            lang,
            "no folder for profiles: neither XDG_CONFIG_HOME nor HOME is set",
            "找不到配置档目录：XDG_CONFIG_HOME 和 HOME 均未设置"
        );
        CliError::message(ExitCode::Config, said)
    })?;
    Ok(folder.join(format!("{name}.toml")))
}

/// Folder of profiles: `pactolus` in `XDG_CONFIG_HOME`, else in `~/.config`.
pub(crate) fn profiles_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(base.join("pactolus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bug: a variable counted as an argument of the command line. `PACTOLUS_CONFIG`, which a machine with a bank
    /// exports, made `--profile` a usage error. The fix: the command line overrides the variables.
    #[test]
    fn command_line_overrides_variables() {
        let profile = || TargetSource::Profile("p".to_owned());
        let config = || TargetSource::Config("c.toml".into());
        let of = |profile: Option<&str>, config: Option<&str>, app: Option<&str>, set: &[(&str, &str)]| {
            let target = TargetArgs {
                env: None,
                profile: profile.map(str::to_owned),
                app: app.map(|app| app.parse().unwrap()),
                config: config.map(PathBuf::from),
            };
            let set = |name: &'static str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            target.source(set, Lang::En).map_err(|error| error.exit_code())
        };
        let both = [("PACTOLUS_PROFILE", "p"), ("PACTOLUS_CONFIG", "c.toml")];
        assert_eq!(of(Some("p"), None, None, &[("PACTOLUS_CONFIG", "other")]), Ok(profile()));
        assert_eq!(of(Some("p"), None, None, &[("PACTOLUS_PROFILE", "other")]), Ok(profile()));
        assert_eq!(of(None, Some("c.toml"), None, &both), Ok(config()));
        assert_eq!(of(None, None, None, &both[..1]), Ok(profile()));
        assert_eq!(of(None, None, None, &both[1..]), Ok(config()));
        assert_eq!(of(None, None, Some("wx1"), &both[1..]), Ok(config()));
        assert_eq!(of(None, None, None, &[]), Ok(TargetSource::Default));
        assert_eq!(of(None, None, None, &both), Err(ExitCode::Usage));
        assert_eq!(of(None, None, Some("wx1"), &both[..1]), Err(ExitCode::Usage));
    }
}

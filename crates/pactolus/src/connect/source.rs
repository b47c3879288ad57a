//! Where the target of a call is described: a profile, or the configuration of a bank on this machine.
//!
//! The command line overrides the environment. Two variables that name two targets are refused.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pactolus_types::AppId;

use crate::cli::args::{CONFIG_VARIABLE, DEFAULT_CONFIG};
use crate::cli::exit::{CliError, ExitCode};
use crate::cli::i18n::{Lang, tr};
use crate::config::{Config, EnvSnapshot, Profile};

/// The profile or the configuration.
#[derive(clap::Args)]
#[command(next_help_heading = "Target bank")]
pub(crate) struct SourceArgs {
    /// Profile with the bank's address, the app and its keys: NAME.toml in ~/.config/pactolus (or
    /// $XDG_CONFIG_HOME/pactolus); default: the variable PACTOLUS_PROFILE, else the profile `default` if it exists,
    /// else the configuration of a bank on this machine
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Configuration of a bank on this machine, instead of a profile; default: the variable PACTOLUS_CONFIG, else
    /// pactolus.toml
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub(crate) config: Option<PathBuf>,
}

/// The file that describes the target, read.
pub(super) enum TargetFile {
    Profile(Box<Profile>),
    Config(Box<Config>),
}

/// Where the keys of a target are.
#[derive(Debug, PartialEq, Eq)]
enum TargetSource {
    Profile(String),
    Config(PathBuf),
    /// Neither is named.
    Default,
}

const PROFILE_VARIABLE: &str = "PACTOLUS_PROFILE";

/// Profile used when none is named.
const DEFAULT_PROFILE: &str = "default";

impl SourceArgs {
    /// Reads the file that the arguments and the environment name. `app` is the one of the command line.
    pub(super) fn read(&self, app: Option<AppId>, lang: Lang) -> Result<TargetFile, CliError> {
        let variables = EnvSnapshot::capture();
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let config = |path: &Path| {
            Config::read(path, &variables)
                .map(|config| TargetFile::Config(config.into()))
                .map_err(CliError::Config)
        };
        let profile = match self.source(app, set, lang)? {
            TargetSource::Profile(name) => Some(profile_path(&name, lang)?),
            TargetSource::Config(path) => return config(&path),
            // `--app` selects an app of a configuration, so it rules out the default profile.
            TargetSource::Default if app.is_some() => None,
            TargetSource::Default => profile_path(DEFAULT_PROFILE, lang).ok().filter(|path| path.exists()),
        };
        let Some(path) = profile else { return config(Path::new(DEFAULT_CONFIG)) };
        Profile::read(&path, &variables)
            .map(|profile| TargetFile::Profile(profile.into()))
            .map_err(CliError::Config)
    }

    fn source(
        &self,
        app: Option<AppId>,
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
            (Some(_), None) if app.is_some() => Err(usage(tr!(
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
fn profiles_folder() -> Option<PathBuf> {
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
            let target =
                SourceArgs { profile: profile.map(str::to_owned), config: config.map(PathBuf::from) };
            let app = app.map(|app| app.parse().unwrap());
            let set = |name: &'static str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
            };
            target.source(app, set, Lang::En).map_err(|error| error.exit_code())
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

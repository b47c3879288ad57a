//! Log filters: the command line, the environment and the configuration give one each.

use tracing_subscriber::EnvFilter;

/// A filter that [`EnvFilter`] parses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    pub(super) fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl Default for LogFilter {
    /// The filter of a server.
    fn default() -> Self {
        Self(SERVER_FILTER.to_owned())
    }
}

/// Filter of a server that nothing else sets.
pub(super) const SERVER_FILTER: &str = "info";

/// Parses a filter; a word that is no level is refused.
pub(crate) fn parse_filter(text: &str) -> Result<LogFilter, String> {
    if let Some(unknown) = text.split(',').find(|directive| !has_level(directive)) {
        return Err(format!(
            "{unknown:?} is no level; use error, warn, info, debug, trace, off or module=level"
        ));
    }
    EnvFilter::try_new(text).map(|_| LogFilter(text.to_owned())).map_err(|error| error.to_string())
}

/// Whether a directive sets a level. [`EnvFilter`] takes any other word for the name of a module, and logs nothing
/// else: a misspelled level would silence the log.
pub(super) fn has_level(directive: &str) -> bool {
    let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
    level.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bug: `--log verbose` was taken for a module of this name, and silenced everything else. An operator who
    /// wanted more of the log had none of it. The fix: a word that is no level is refused.
    #[test]
    fn unknown_level_is_refused() {
        for good in ["info", "WARN", "off", "pactolus_server=debug", "warn,pactolus_server=trace,hyper=off"] {
            assert!(parse_filter(good).is_ok(), "{good}");
        }
        for bad in ["verbose", "warning", "all", "info,verbose", "pactolus_server", "pactolus_server=loud"] {
            assert!(parse_filter(bad).is_err(), "{bad}");
        }
    }
}

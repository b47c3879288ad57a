//! Loading of a configuration: parses the file, reads the settings, refuses unknown keys and variables.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use toml::de::DeTable;
use zeroize::Zeroizing;

use super::problem::{ConfigError, ConfigProblem, Location};
use super::reader::{Reader, line};
use super::section::Section;
use super::sources::{EnvSnapshot, Sources};

/// Reads the file at `path` and the `variables` with this `prefix`. Refuses every key and variable that `read` did
/// not look up.
pub(super) fn read<T>(
    path: &Path,
    variables: &EnvSnapshot,
    prefix: &'static str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, ConfigError> {
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        let message =
            format!("cannot be read: {error}; name another with --config, or write one with `pactolus init`");
        ConfigError::new(path.to_owned(), vec![ConfigProblem { location: Location::File, message }])
    })?;
    read_text(path, &text, variables, prefix, read)
}

/// The same, from the text of the file.
pub(super) fn read_text<T>(
    path: &Path,
    text: &str,
    variables: &EnvSnapshot,
    prefix: &'static str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, ConfigError> {
    let config_error = |problems| ConfigError::new(path.to_owned(), problems);
    let document = parse_toml(text).map_err(config_error)?;
    let sources = Sources::new(path.parent().unwrap_or(Path::new("")), variables);
    let reader = Reader { text, sources: &sources, prefix, problems: RefCell::default() };

    let mut top = Section::top(&reader, &document);
    let value = read(&mut top);
    top.report_unknown_keys();
    reader.report_unknown_variables();
    match (value, reader.problems.into_inner()) {
        (Some(value), problems) if problems.is_empty() => Ok(value),
        (_, problems) => Err(config_error(problems)),
    }
}

/// Parses TOML, or returns all syntax errors.
fn parse_toml(text: &str) -> Result<DeTable<'_>, Vec<ConfigProblem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(document.into_inner());
    }
    // Only the parser's description: its `Display` shows the line, and the line may hold a secret.
    let problem = |error: toml::de::Error| ConfigProblem {
        location: error.span().map_or(Location::File, |span| line(text, &span)),
        message: format!("is not TOML here: {}", error.message()),
    };
    Err(errors.into_iter().map(problem).collect())
}

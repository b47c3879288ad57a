//! Problems of a configuration with their location: `pactolus.toml:12: the problem; a valid form`.
//!
//! Invariant: a message holds no secret and no part of the file. It names the key and the line.

use std::fmt;
use std::path::PathBuf;

use crate::cli::escape::EscapedText;
use crate::cli::i18n::{Lang, localize, tr};

/// Location of a problem. Problems are reported in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Location {
    /// The whole file.
    File,
    /// A line of the file, from 1.
    Line(usize),
    /// An environment variable.
    Variable(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ConfigProblem {
    pub(super) location: Location,
    pub(super) message: String,
}

/// All problems of a configuration, one per line.
#[derive(Debug, thiserror::Error)]
pub(crate) struct ConfigError {
    file: PathBuf,
    problems: Vec<ConfigProblem>,
}

impl ConfigError {
    pub(super) fn new(file: PathBuf, mut problems: Vec<ConfigProblem>) -> Self {
        problems.sort();
        Self { file, problems }
    }
}

impl ConfigError {
    /// A line for each problem, without unsafe characters.
    pub(crate) fn lines(&self, lang: Lang) -> Vec<String> {
        let file = self.file.display();
        let line = |ConfigProblem { location, message }: &ConfigProblem| {
            let message = localize(message, lang);
            let line = match location {
                Location::File => format!("{file}: {message}"),
                Location::Line(line) => format!("{file}:{line}: {message}"),
                Location::Variable(name) => {
                    tr!(lang, "environment variable {name}: {message}", "环境变量 {name}：{message}")
                }
            };
            EscapedText(line).to_string()
        };
        self.problems.iter().map(line).collect()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines(Lang::En).join("\n"))
    }
}

/// A problem of a value and a valid form: the end of a sentence that starts with the key.
#[derive(Debug)]
pub(super) struct ParseError(String);

impl ParseError {
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

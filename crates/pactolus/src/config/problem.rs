//! Problems of a configuration with their location: `pactolus.toml:12: the problem; a valid form`.
//!
//! Invariant: a message holds no secret and no part of the file. It names the key and the line.

use std::fmt;
use std::path::PathBuf;

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
pub(super) struct Problem {
    pub(super) location: Location,
    pub(super) message: String,
}

/// All problems of a configuration, one per line.
#[derive(Debug, thiserror::Error)]
pub(crate) struct ConfigError {
    file: PathBuf,
    problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(file: PathBuf, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        Self { file, problems }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for (index, Problem { location: place, message }) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match place {
                Location::File => write!(f, "{file}: {message}")?,
                Location::Line(line) => write!(f, "{file}:{line}: {message}")?,
                Location::Variable(name) => write!(f, "environment variable {name}: {message}")?,
            }
        }
        Ok(())
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

//! What is wrong with a configuration, and where: `pactolus.toml:12: what is wrong; what would be right`.
//!
//! A message never holds a secret nor a part of the file: it names the key, and the line number finds it.

use std::fmt;
use std::path::PathBuf;

/// Where a problem is. In this order they are reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Location {
    /// The file as a whole.
    File,
    /// A line of the file; the first is 1.
    Line(usize),
    /// The environment variable of this name.
    Variable(String),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub(super) location: Location,
    pub(super) message: String,
}

/// Everything that is wrong with a configuration: one or more problems, one per line when shown.
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

/// What is wrong with a value and what would be right, as the end of a sentence that begins with its key.
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

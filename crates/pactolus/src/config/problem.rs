//! What is wrong with a configuration, and where: `pactolus.toml:12: what is wrong; what would be right`.
//!
//! A message never holds a secret nor a part of the file: it names the key, and the line number finds it.

use std::fmt;
use std::path::PathBuf;

/// Where a problem is. In this order they are reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
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
    pub(super) place: Place,
    pub(super) message: String,
}

/// Everything that is wrong with a configuration: one or more problems, one per line when shown.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Problems {
    file: PathBuf,
    problems: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: PathBuf, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        Self { file, problems }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        for (index, Problem { place, message }) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            match place {
                Place::File => write!(f, "{file}: {message}")?,
                Place::Line(line) => write!(f, "{file}:{line}: {message}")?,
                Place::Variable(name) => write!(f, "environment variable {name}: {message}")?,
            }
        }
        Ok(())
    }
}

/// What is wrong with a value and what would be right, as the end of a sentence that begins with its key.
#[derive(Debug)]
pub(super) struct Wrong(String);

impl Wrong {
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

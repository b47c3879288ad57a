//! Sources of settings: the environment first, then the file.
//!
//! Read next: [`super::section`].

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use toml::de::DeValue;
use zeroize::Zeroizing;

use super::problem::ParseError;

/// Snapshot of the environment variables. Some hold secrets: this copy is zeroed on drop; the process's own
/// environment is not.
#[derive(Default)]
pub(crate) struct EnvSnapshot(BTreeMap<String, Result<Zeroizing<String>, OsString>>);

impl EnvSnapshot {
    /// The variables of this process.
    pub(crate) fn capture() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable, if it is set.
    pub(super) fn get(&self, name: &str) -> Option<Result<&str, ParseError>> {
        let value = self.0.get(name)?;
        Some(value.as_ref().map(|value| value.as_str()).map_err(|_| ParseError::new("is not UTF-8 text")))
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromIterator<(OsString, OsString)> for EnvSnapshot {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        // A name that is not UTF-8 is not a variable of this program.
        let named = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().map(Zeroizing::new)))
        };
        Self(variables.into_iter().filter_map(named).collect())
    }
}

/// The file's folder and the environment. It records the variables that settings look up.
pub(super) struct Sources<'a> {
    pub(super) folder: &'a Path,
    variables: &'a EnvSnapshot,
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(folder: &'a Path, variables: &'a EnvSnapshot) -> Self {
        Self { folder, variables, known: RefCell::default() }
    }

    /// The value of a variable, if it is set. The name counts as known from now on.
    pub(super) fn variable(&self, name: &str) -> Option<Result<&'a str, ParseError>> {
        self.known.borrow_mut().insert(name.to_owned());
        self.variables.get(name)
    }

    /// Whether a variable is set, without making it known.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.get(name).is_some()
    }

    /// Whether Kubernetes or Docker set the variable for a service named `pactolus`: `PACTOLUS_SERVICE_HOST`,
    /// `PACTOLUS_PORT=tcp://…`, `PACTOLUS_PORT_8790_TCP_ADDR` and similar.
    pub(super) fn is_service_link(&self, name: &str) -> bool {
        let parts = ["_SERVICE_HOST", "_SERVICE_PORT", "_TCP_PORT", "_TCP_PROTO", "_TCP_ADDR"];
        let is_url = |value: &str| value.starts_with("tcp://") || value.starts_with("udp://");
        parts.iter().any(|part| name.contains(part))
            || self.variables.get(name).is_some_and(|value| value.is_ok_and(is_url))
    }

    /// Whether a variable with this prefix exists.
    pub(super) fn has_variable_with_prefix(&self, prefix: &str) -> bool {
        self.variables.names().any(|name| name.starts_with(prefix))
    }

    /// The variables with this prefix that no setting looked up.
    pub(super) fn unknown_variables(&self, prefix: &str) -> Vec<&'a str> {
        let known = self.known.borrow();
        let unknown = |name: &&str| name.starts_with(prefix) && !known.contains(*name);
        self.variables.names().filter(unknown).collect()
    }

    /// The variables that settings looked up.
    pub(super) fn known_variables(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }
}

/// The raw value of a setting.
pub(super) struct RawValue<'a> {
    pub(super) value: SourceValue<'a>,
    pub(super) sources: &'a Sources<'a>,
}

/// A value and its source.
pub(super) enum SourceValue<'a> {
    /// From an environment variable.
    Variable(&'a str),
    /// From the file.
    File(&'a DeValue<'a>),
}

impl<'a> RawValue<'a> {
    /// The value as a string; an error for any other type.
    pub(super) fn text(&self) -> Result<&'a str, ParseError> {
        match self.value {
            SourceValue::Variable(text) => Ok(text),
            SourceValue::File(DeValue::String(text)) => Ok(text),
            SourceValue::File(other) => {
                Err(ParseError::new(format!("is {}; it must be text in quotes", type_name(other))))
            }
        }
    }

    /// Base of a relative path: the file's folder, or the working directory for a variable.
    pub(super) fn base_folder(&self) -> &'a Path {
        match self.value {
            SourceValue::Variable(_) => Path::new(""),
            SourceValue::File(_) => self.sources.folder,
        }
    }
}

/// The type of a value, with its article.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

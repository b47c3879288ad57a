//! Where settings come from: the environment first, then the file.
//!
//! Read next: [`super::section`], which asks for them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use toml::de::DeValue;
use zeroize::Zeroizing;

use super::problem::ParseError;

/// The environment variables of a process, as they were at one moment. Some hold secrets: this copy of them is zeroed
/// when it goes; that of the process is its own, and stays.
#[derive(Default)]
pub(crate) struct EnvSnapshot(BTreeMap<String, Result<Zeroizing<String>, OsString>>);

impl EnvSnapshot {
    /// Those of this process, as they are now.
    pub(crate) fn capture() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of the variable `name`, if it is set.
    pub(super) fn get(&self, name: &str) -> Option<Result<&str, ParseError>> {
        let value = self.0.get(name)?;
        Some(value.as_ref().map(|value| value.as_str()).map_err(|_| ParseError::new("is not UTF-8 text")))
    }

    /// Every name, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromIterator<(OsString, OsString)> for EnvSnapshot {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        // A name that is not UTF-8 is none of ours.
        let named = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().map(Zeroizing::new)))
        };
        Self(variables.into_iter().filter_map(named).collect())
    }
}

/// The file's folder and the environment, with a note of every variable that a setting looked at.
pub(super) struct Sources<'a> {
    pub(super) folder: &'a Path,
    variables: &'a EnvSnapshot,
    known: RefCell<BTreeSet<String>>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(folder: &'a Path, variables: &'a EnvSnapshot) -> Self {
        Self { folder, variables, known: RefCell::default() }
    }

    /// The value of the variable `name`, if it is set; from now on it is a known one.
    pub(super) fn variable(&self, name: &str) -> Option<Result<&'a str, ParseError>> {
        self.known.borrow_mut().insert(name.to_owned());
        self.variables.get(name)
    }

    /// Whether the variable `name` is set; asking does not make it a known one.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.get(name).is_some()
    }

    /// Whether Kubernetes or Docker set the variable `name` because a service is called `pactolus`:
    /// `PACTOLUS_SERVICE_HOST`, `PACTOLUS_PORT=tcp://…`, `PACTOLUS_PORT_8790_TCP_ADDR` and their like.
    pub(super) fn is_service_link(&self, name: &str) -> bool {
        let parts = ["_SERVICE_HOST", "_SERVICE_PORT", "_TCP_PORT", "_TCP_PROTO", "_TCP_ADDR"];
        let is_url = |value: &str| value.starts_with("tcp://") || value.starts_with("udp://");
        parts.iter().any(|part| name.contains(part))
            || self.variables.get(name).is_some_and(|value| value.is_ok_and(is_url))
    }

    /// Whether some variable's name begins with `prefix`.
    pub(super) fn has_variable_with_prefix(&self, prefix: &str) -> bool {
        self.variables.names().any(|name| name.starts_with(prefix))
    }

    /// The set variables that begin with `prefix` and that nothing asked for.
    pub(super) fn unknown_variables(&self, prefix: &str) -> Vec<&'a str> {
        let known = self.known.borrow();
        let unknown = |name: &&str| name.starts_with(prefix) && !known.contains(*name);
        self.variables.names().filter(unknown).collect()
    }

    /// Every variable that a setting looked at.
    pub(super) fn known_variables(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }
}

/// What was given for a setting.
pub(super) struct RawValue<'a> {
    pub(super) value: SourceValue<'a>,
    pub(super) sources: &'a Sources<'a>,
}

/// A value as it was given.
pub(super) enum SourceValue<'a> {
    /// In an environment variable.
    Variable(&'a str),
    /// In the file.
    File(&'a DeValue<'a>),
}

impl<'a> RawValue<'a> {
    /// The text that it is, and nothing else.
    pub(super) fn text(&self) -> Result<&'a str, ParseError> {
        match self.value {
            SourceValue::Variable(text) => Ok(text),
            SourceValue::File(DeValue::String(text)) => Ok(text),
            SourceValue::File(other) => {
                Err(ParseError::new(format!("is {}; it must be text in quotes", type_name(other))))
            }
        }
    }

    /// What a relative path is taken from: the file's folder, or the working directory for a variable.
    pub(super) fn base_folder(&self) -> &'a Path {
        match self.value {
            SourceValue::Variable(_) => Path::new(""),
            SourceValue::File(_) => self.sources.folder,
        }
    }
}

/// What kind of value it is, with its article.
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

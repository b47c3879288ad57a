//! Where a bank keeps its orders, as it is written in the configuration and on the command line.
//!
//! To add an engine: a variant here with its scheme, and its arm where a bank is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::kind::{self, Wrong};
use super::sources::Given;

/// A store: `<scheme>:<where>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// `embedded:<folder>`: the embedded engine, its files in that folder.
    Embedded(PathBuf),
}

/// Why a text names no store. It does not repeat the text: what follows a scheme may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidStoreUrl {
    /// The scheme is none that is known.
    UnknownScheme,
    /// Nothing follows the scheme.
    NoFolder,
}

impl StoreUrl {
    /// The same store, a relative folder taken from `folder`.
    pub(crate) fn within(self, folder: &Path) -> Self {
        let Self::Embedded(path) = self;
        Self::Embedded(folder.join(path))
    }
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Embedded(PathBuf::from("./data"))
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        match text.split_once(':') {
            Some(("embedded", "")) => Err(InvalidStoreUrl::NoFolder),
            Some(("embedded", folder)) => Ok(Self::Embedded(PathBuf::from(folder))),
            Some(_) | None => Err(InvalidStoreUrl::UnknownScheme),
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Embedded(folder) = self;
        write!(f, "embedded:{}", folder.display())
    }
}

impl fmt::Display for InvalidStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownScheme => "has an unknown scheme; it must be like embedded:./data",
            Self::NoFolder => "names no folder; it must be like embedded:./data",
        })
    }
}

impl std::error::Error for InvalidStoreUrl {}

/// A setting that is a store.
///
/// A relative folder is taken from the file that names it: a bank started from another folder must find its own
/// orders there, not open an empty store beside them.
pub(super) fn store(given: &Given<'_>) -> Result<StoreUrl, Wrong> {
    kind::text(StoreUrl::from_str)(given).map(|store| store.within(given.folder()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_a_scheme_and_a_place() {
        let data = StoreUrl::Embedded(PathBuf::from("./data"));
        assert_eq!("embedded:./data".parse(), Ok(data.clone()));
        assert_eq!(data.to_string(), "embedded:./data");
        assert_eq!("embedded:".parse::<StoreUrl>(), Err(InvalidStoreUrl::NoFolder));
        for unknown in ["", "./data", "Embedded:./data", "redis://localhost"] {
            assert_eq!(unknown.parse::<StoreUrl>(), Err(InvalidStoreUrl::UnknownScheme), "{unknown}");
        }
    }
}

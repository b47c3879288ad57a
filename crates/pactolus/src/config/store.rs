//! Store URLs, as in the configuration and on the command line.
//!
//! To add an engine: a variant here with its scheme, and its arm in `crate::store`, which opens stores.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

#[cfg(feature = "postgres")]
use pactolus_ledger_postgres::{InvalidPostgresUrl, PostgresUrl};

use super::parse;
use super::problem::ParseError;
use super::sources::RawValue;

/// A store: `<scheme>:<location>`. Its `Display` and `Debug` hold no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    /// `embedded:<folder>`: the embedded engine, with its files in that folder.
    Embedded(PathBuf),
    /// `postgres://…`: a database that many nodes share.
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresUrl>),
}

/// Why a store URL is invalid. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidStoreUrl {
    /// The scheme is unknown.
    UnknownScheme,
    /// The folder is empty.
    NoFolder,
    /// The URL of the database is invalid.
    #[cfg(feature = "postgres")]
    Postgres(InvalidPostgresUrl),
    /// This build lacks the engine.
    #[cfg(not(feature = "postgres"))]
    NoPostgres,
}

impl StoreUrl {
    /// The same store, with a relative folder taken from `folder`.
    pub(crate) fn relative_to(self, folder: &Path) -> Self {
        match self {
            Self::Embedded(path) => Self::Embedded(folder.join(path)),
            #[cfg(feature = "postgres")]
            database @ Self::Postgres(_) => database,
        }
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
            Some(("postgres" | "postgresql", _)) => postgres(text),
            Some(_) | None => Err(InvalidStoreUrl::UnknownScheme),
        }
    }
}

#[cfg(feature = "postgres")]
fn postgres(text: &str) -> Result<StoreUrl, InvalidStoreUrl> {
    let url = text.parse().map_err(InvalidStoreUrl::Postgres)?;
    Ok(StoreUrl::Postgres(Box::new(url)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<StoreUrl, InvalidStoreUrl> {
    Err(InvalidStoreUrl::NoPostgres)
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded(folder) => write!(f, "embedded:{}", folder.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for InvalidStoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownScheme => "has an unknown scheme; it must be like embedded:./data",
            Self::NoFolder => "names no folder; it must be like embedded:./data",
            #[cfg(feature = "postgres")]
            Self::Postgres(invalid) => return invalid.fmt(f),
            #[cfg(not(feature = "postgres"))]
            Self::NoPostgres => {
                "is PostgreSQL, which this program was built without (its feature `postgres`)"
            }
        })
    }
}

impl std::error::Error for InvalidStoreUrl {}

/// Parses a store setting. It may hold a password, so it has all forms of a secret.
///
/// A relative folder is taken from the file's folder: a bank started in another working directory must find its own
/// orders, not open an empty store there.
pub(super) fn store(given: &RawValue<'_>) -> Result<StoreUrl, ParseError> {
    parse::secret(StoreUrl::from_str)(given).map(|store| store.relative_to(given.base_folder()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_a_scheme_and_a_location() {
        let data = StoreUrl::Embedded(PathBuf::from("./data"));
        assert_eq!("embedded:./data".parse(), Ok(data.clone()));
        assert_eq!(data.to_string(), "embedded:./data");
        assert_eq!("embedded:".parse::<StoreUrl>(), Err(InvalidStoreUrl::NoFolder));
        for unknown in ["", "./data", "Embedded:./data", "redis://localhost"] {
            assert_eq!(unknown.parse::<StoreUrl>(), Err(InvalidStoreUrl::UnknownScheme), "{unknown}");
        }
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn password_is_redacted() {
        let url: StoreUrl = "postgres://bank:s3cret@db/coins".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://bank@db:5432/coins");
        assert!(!format!("{url:?}").contains("s3cret"));
        let wrong = "postgres://bank:s3cret@db:port/coins".parse::<StoreUrl>().unwrap_err();
        assert!(!format!("{wrong} {wrong:?}").contains("s3cret"));
    }
}

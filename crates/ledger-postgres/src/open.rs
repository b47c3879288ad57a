//! Why a bank on PostgreSQL cannot be opened, in words for an operator.

use crate::error::DatabaseError;
use crate::migrate::VERSION;

/// Why a bank cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database has no tables of a bank.
    #[error(
        "the database holds no bank yet; make one with `pactolus migrate`, or start with `pactolus serve --migrate`"
    )]
    NotMigrated,
    /// An older program made its tables.
    #[error(
        "the database has version {found} of the tables, and this program needs {VERSION}; run `pactolus migrate`, once all nodes are of this version"
    )]
    SchemaTooOld {
        /// The version found.
        found: i32,
    },
    /// A newer program made its tables.
    #[error(
        "the database has version {found} of the tables, and this program knows {VERSION}; use a newer Pactolus"
    )]
    SchemaTooNew {
        /// The version found.
        found: i32,
    },
    /// Its keys are of another number of partitions.
    #[error(
        "the bank in the database has {found} partitions, and this program's banks have 256; use the Pactolus that made it"
    )]
    PartitionMismatch {
        /// The number found.
        found: i16,
    },
    /// The database cannot be reached, or refuses.
    #[error("the database cannot be used: {0}")]
    Database(String),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error.message())
    }
}

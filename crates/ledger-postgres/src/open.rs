//! Errors of opening a bank on PostgreSQL, worded for an operator.

use crate::error::DatabaseError;
use crate::migrate::VERSION;

/// Reason why a bank cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database has no schema of a bank.
    #[error(
        "the database has no schema yet; run `pactolus migrate`, or start with `pactolus serve --migrate`"
    )]
    NotMigrated,
    /// The schema is older than this program.
    #[error(
        "the database has schema version {found}, and this program needs {VERSION}; run `pactolus migrate` once all nodes run this version"
    )]
    SchemaTooOld {
        /// The version found.
        found: i32,
    },
    /// The schema is newer than this program.
    #[error(
        "the database has schema version {found}, and this program supports {VERSION}; use a newer Pactolus"
    )]
    SchemaTooNew {
        /// The version found.
        found: i32,
    },
    /// The keys of the bank use another number of partitions.
    #[error(
        "the bank in the database has {found} partitions, and this program supports 256; use the Pactolus that created it"
    )]
    PartitionMismatch {
        /// The number found.
        found: i16,
    },
    /// The database is unreachable, or refuses the connection.
    #[error("the database cannot be used: {0}")]
    Database(String),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error.message())
    }
}

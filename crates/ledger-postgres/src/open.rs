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
    /// Its texts are not UTF-8.
    #[error(
        "the database has the encoding {found}, and a bank needs UTF8; create another database: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// The encoding found.
        found: String,
    },
    /// The server, the user or the database is limited to fewer connections than a node needs.
    #[error(
        "the database allows {allowed} connections, and a node needs {needed}; raise max_connections, or the limit of the user or database"
    )]
    TooFewConnections {
        /// The connections allowed.
        allowed: usize,
        /// The connections that one node needs.
        needed: usize,
    },
    /// A pooler changes sessions between transactions.
    #[error(
        "a pooler in transaction mode is in front of the database: prepared statements and settings of a session are lost; connect directly, or set the pooler's pool_mode to session"
    )]
    TransactionPooler,
    /// A pooler gives only one connection at a time.
    #[error(
        "the database, or a pooler in front of it, serves one connection at a time; a node needs several: raise the pool's size"
    )]
    NoSecondConnection,
    /// The database is unreachable, or refuses the connection.
    #[error("the database cannot be used: {0}")]
    Database(String),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error.message())
    }
}

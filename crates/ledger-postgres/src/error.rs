//! Database errors, classified by SQLSTATE and constraint name, never by message, into the action to take.

use pactolus_ledger::Unavailable;
use tokio_postgres::error::SqlState;

use crate::tls::TlsError;

/// Failure of a database operation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// An error of the database, the driver, or the network.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    #[error("the database did not answer in time")]
    Timeout,
    /// An account without a row at the first read was inserted before its bill number was read.
    #[error("an account was inserted between two reads of the batch")]
    StaleRead,
    /// A row holds values that no node writes.
    #[error("{0}")]
    Corrupt(&'static str),
    /// Another version of this program migrated the tables while this node runs.
    #[error("the tables have schema version {0}, which this program does not support")]
    OtherSchema(i32),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Reaction to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorAction {
    /// Nothing changed, because another transaction touched the same rows; an immediate retry may succeed.
    Retry,
    /// Nothing changed, because of a timeout in the database; the connection is good.
    GiveUp,
    /// The connection is lost, and the outcome of the transaction is unknown.
    Reconnect,
    /// Nothing changed: the database refuses the data, or a row is damaged. A retry would fail the same way, and
    /// orders that do not touch the data would pass.
    Reject,
    /// Nothing changed: the session's statements fail whatever the data. Another session may work.
    Discard,
}

/// Constraints that concurrent transactions can violate, although each saw no conflicting row when it read.
/// A distributed engine appends a shard number to the name.
const RACY_CONSTRAINTS: [&str; 5] =
    ["accounts_pkey", "orders_pkey", "bills_pkey", "totals_pkey", "records_pkey"];

impl DatabaseError {
    pub(crate) fn action(&self) -> ErrorAction {
        let error = match self {
            Self::Corrupt(_) => return ErrorAction::Reject,
            Self::OtherSchema(_) => return ErrorAction::Discard,
            Self::Timeout | Self::Tls(_) => return ErrorAction::Reconnect,
            Self::StaleRead => return ErrorAction::Retry,
            Self::Postgres(error) => error,
        };
        let Some(db_error) = error.as_db_error() else {
            // No reply from the server: the connection broke or sent garbage.
            return ErrorAction::Reconnect;
        };
        match db_error.code() {
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => ErrorAction::Retry,
            &SqlState::UNIQUE_VIOLATION => {
                let name = db_error.constraint().unwrap_or_default();
                let is_race = RACY_CONSTRAINTS.iter().any(|raced| name.starts_with(raced));
                if is_race { ErrorAction::Retry } else { ErrorAction::Reject }
            }
            &SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED => ErrorAction::GiveUp,
            // The server is a standby or became one: another host is the primary.
            &SqlState::READ_ONLY_SQL_TRANSACTION => ErrorAction::Reconnect,
            // 08 connection, 25P03 idle for too long, 53 out of connections, memory or disk, 57P shutdown.
            code => match code.code() {
                "25P03" => ErrorAction::Reconnect,
                other if ["08", "53", "57P"].iter().any(|class| other.starts_with(class)) => {
                    ErrorAction::Reconnect
                }
                // 22 data, 23 constraints, 44 check options, 54 limits, P0 raised by a trigger, XX00[12] damage.
                "XX001" | "XX002" => ErrorAction::Reject,
                other if ["22", "23", "44", "54", "P0"].iter().any(|class| other.starts_with(class)) => {
                    ErrorAction::Reject
                }
                _ => ErrorAction::Discard,
            },
        }
    }

    /// The error to return to callers.
    pub(crate) fn unavailable(&self) -> Unavailable {
        match self.action() {
            ErrorAction::Retry | ErrorAction::GiveUp => Unavailable::Busy,
            ErrorAction::Reconnect => Unavailable::Unreachable,
            ErrorAction::Reject | ErrorAction::Discard => Unavailable::Failed,
        }
    }

    /// The error text. The server's detail field is omitted: it quotes rows, and a row may hold a session key.
    pub(crate) fn message(&self) -> String {
        let error = match self {
            Self::Postgres(error) => error,
            Self::Timeout | Self::StaleRead | Self::Corrupt(_) | Self::OtherSchema(_) | Self::Tls(_) => {
                return self.to_string();
            }
        };
        if let Some(db_error) = error.as_db_error() {
            return format!("{} (SQLSTATE {})", db_error.message(), db_error.code().code());
        }
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

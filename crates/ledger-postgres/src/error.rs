//! What can go wrong with a database, and what to do about it: told apart by SQLSTATE and the name of a constraint,
//! never by a message.

use pactolus_ledger::Unavailable;
use tokio_postgres::error::SqlState;

/// Why something that was asked of the database did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    /// The database, the driver, or the network between.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    /// It took too long.
    #[error("the database did not answer in time")]
    Timeout,
    /// An account that was not there when it was looked for came about before its bill number was read.
    #[error("an account came about in the middle of reading")]
    StaleRead,
    /// A row holds what no bank writes.
    #[error("{0}")]
    Corrupt(&'static str),
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorAction {
    /// Nothing changed, because somebody else was at the same rows; the same again may succeed at once.
    Retry,
    /// Nothing changed, because it took too long; the connection is good.
    GiveUp,
    /// The connection is lost, and with it what became of the transaction.
    Reconnect,
    /// Nothing changed, and trying again would come to the same.
    Fail,
}

/// What the constraints are called that two transactions at once can both run into, each with rows of its own that
/// were right when it looked. A distributed engine puts a shard's number after the name.
const RACY_CONSTRAINTS: [&str; 5] =
    ["accounts_pkey", "orders_pkey", "bills_pkey", "totals_pkey", "records_pkey"];

impl DatabaseError {
    pub(crate) fn action(&self) -> ErrorAction {
        let error = match self {
            Self::Corrupt(_) => return ErrorAction::Fail,
            Self::Timeout => return ErrorAction::Reconnect,
            Self::StaleRead => return ErrorAction::Retry,
            Self::Postgres(error) => error,
        };
        let Some(db_error) = error.as_db_error() else {
            // Nobody answered: the connection broke, or what came over it made no sense.
            return ErrorAction::Reconnect;
        };
        match db_error.code() {
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => ErrorAction::Retry,
            &SqlState::UNIQUE_VIOLATION => {
                let name = db_error.constraint().unwrap_or_default();
                let is_race = RACY_CONSTRAINTS.iter().any(|raced| name.starts_with(raced));
                if is_race { ErrorAction::Retry } else { ErrorAction::Fail }
            }
            &SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED => ErrorAction::GiveUp,
            // A standby, or a server that became one: the other host takes orders.
            &SqlState::READ_ONLY_SQL_TRANSACTION => ErrorAction::Reconnect,
            // 08 connection, 25P03 idle for too long, 53 out of connections, memory or disk, 57P shutting down.
            code => match code.code() {
                "25P03" => ErrorAction::Reconnect,
                other if ["08", "53", "57P"].iter().any(|class| other.starts_with(class)) => {
                    ErrorAction::Reconnect
                }
                _ => ErrorAction::Fail,
            },
        }
    }

    /// What whoever waits is told.
    pub(crate) fn unavailable(&self) -> Unavailable {
        match self.action() {
            ErrorAction::Retry | ErrorAction::GiveUp => Unavailable::Busy,
            ErrorAction::Reconnect => Unavailable::Unreachable,
            ErrorAction::Fail => Unavailable::Failed,
        }
    }

    /// Tells the operator, as loudly as it deserves.
    pub(crate) fn log(&self, operation: &str) {
        match self.action() {
            ErrorAction::Retry | ErrorAction::GiveUp => tracing::debug!("{operation}: {}", self.message()),
            ErrorAction::Reconnect => tracing::warn!("{operation}: {}", self.message()),
            ErrorAction::Fail => tracing::error!("{operation}: {}", self.message()),
        }
    }

    /// What happened. Details of the database's are left out: they quote rows, and a row may hold a session key.
    pub(crate) fn message(&self) -> String {
        let error = match self {
            Self::Postgres(error) => error,
            Self::Timeout | Self::StaleRead | Self::Corrupt(_) => return self.to_string(),
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

//! What can go wrong with a database, and what to do about it: told apart by SQLSTATE and the name of a constraint,
//! never by a message.

use pactolus_ledger::Unavailable;
use tokio_postgres::error::SqlState;

/// Why something that was asked of the database did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The database, the driver, or the network between.
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    /// It took too long.
    #[error("the database did not answer in time")]
    Late,
    /// An account that was not there when it was looked for came about before its bill number was read.
    #[error("an account came about in the middle of reading")]
    Overtaken,
    /// A row holds what no bank writes.
    #[error("{0}")]
    Damaged(&'static str),
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing changed, because somebody else was at the same rows; the same again may succeed at once.
    Again,
    /// Nothing changed, because it took too long; the connection is good.
    GiveUp,
    /// The connection is lost, and with it what became of the transaction.
    Reconnect,
    /// Nothing changed, and trying again would come to the same.
    Fail,
}

/// What the constraints are called that two transactions at once can both run into, each with rows of its own that
/// were right when it looked. A distributed engine puts a shard's number after the name.
const RACED: [&str; 5] = ["accounts_pkey", "orders_pkey", "bills_pkey", "totals_pkey", "records_pkey"];

impl Trouble {
    pub(crate) fn remedy(&self) -> Remedy {
        let error = match self {
            Self::Damaged(_) => return Remedy::Fail,
            Self::Late => return Remedy::Reconnect,
            Self::Overtaken => return Remedy::Again,
            Self::Database(error) => error,
        };
        let Some(refused) = error.as_db_error() else {
            // Nobody answered: the connection broke, or what came over it made no sense.
            return Remedy::Reconnect;
        };
        match refused.code() {
            &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => Remedy::Again,
            &SqlState::UNIQUE_VIOLATION => {
                let name = refused.constraint().unwrap_or_default();
                let raced = RACED.iter().any(|raced| name.starts_with(raced));
                if raced { Remedy::Again } else { Remedy::Fail }
            }
            &SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED => Remedy::GiveUp,
            // A standby, or a server that became one: the other host takes orders.
            &SqlState::READ_ONLY_SQL_TRANSACTION => Remedy::Reconnect,
            // 08 connection, 25P03 idle for too long, 53 out of connections, memory or disk, 57P shutting down.
            code => match code.code() {
                "25P03" => Remedy::Reconnect,
                other if ["08", "53", "57P"].iter().any(|class| other.starts_with(class)) => {
                    Remedy::Reconnect
                }
                _ => Remedy::Fail,
            },
        }
    }

    /// What whoever waits is told.
    pub(crate) fn unavailable(&self) -> Unavailable {
        match self.remedy() {
            Remedy::Again | Remedy::GiveUp => Unavailable::Busy,
            Remedy::Reconnect => Unavailable::Unreachable,
            Remedy::Fail => Unavailable::Failed,
        }
    }

    /// Tells the operator, as loudly as it deserves.
    pub(crate) fn log(&self, doing: &str) {
        match self.remedy() {
            Remedy::Again | Remedy::GiveUp => tracing::debug!("{doing}: {}", self.in_words()),
            Remedy::Reconnect => tracing::warn!("{doing}: {}", self.in_words()),
            Remedy::Fail => tracing::error!("{doing}: {}", self.in_words()),
        }
    }

    /// What happened. Details of the database's are left out: they quote rows, and a row may hold a session key.
    pub(crate) fn in_words(&self) -> String {
        let error = match self {
            Self::Database(error) => error,
            Self::Late | Self::Overtaken | Self::Damaged(_) => return self.to_string(),
        };
        if let Some(refused) = error.as_db_error() {
            return format!("{} (SQLSTATE {})", refused.message(), refused.code().code());
        }
        let mut words = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        words
    }
}

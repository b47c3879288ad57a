//! Requirements of a bank on its database, checked whenever one is opened or migrated: UTF-8, enough connections, and
//! sessions that stay sessions.
//!
//! A pooler in transaction mode gives each transaction another session. Prepared statements and settings are lost
//! there, `synchronous_commit` among them. It is noticed by what it does: a setting is made, a second session holds a
//! transaction, and the setting must still be there.

use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::OpenError;
use crate::error::DatabaseError;
use crate::random::random_u64;
use crate::session::PgSession;
use crate::url::PostgresUrl;
use crate::{FillRandom, PostgresSettings};

/// Timeout of the second session's transaction, and of the first session's query beside it: a pooler that gives only
/// one connection lets the query wait.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks the database. `session` is one to it.
pub(crate) async fn check(
    url: &PostgresUrl,
    session: &PgSession,
    settings: &PostgresSettings,
) -> Result<(), OpenError> {
    check_encoding(&session.client).await?;
    check_connections(&session.client, settings.connections()).await?;
    check_sessions(url, session, settings.randomness).await?;
    if !session.is_encrypted && !url.is_local() {
        tracing::warn!(
            "the connection to the database is not encrypted; set sslmode=verify-full in its URL, or sslmode=require \
             at least"
        );
    }
    Ok(())
}

async fn check_encoding(client: &Client) -> Result<(), OpenError> {
    match first_value(client, "SELECT current_setting('server_encoding')").await? {
        Some(encoding) if encoding != "UTF8" => Err(OpenError::Encoding { found: encoding }),
        Some(_) | None => Ok(()),
    }
}

/// The connections that the server, the user's role and the database allow; -1 is no limit. A compatible engine may
/// lack one of the settings.
const CONNECTION_LIMIT: &str = "\
    SELECT min(allowed) FROM (VALUES \
        (current_setting('max_connections', true)::integer \
            - coalesce(current_setting('superuser_reserved_connections', true)::integer, 0)), \
        ((SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)), \
        ((SELECT datconnlimit FROM pg_database WHERE datname = current_database())) \
    ) AS limits (allowed) WHERE allowed >= 0";

async fn check_connections(client: &Client, needed: usize) -> Result<(), OpenError> {
    let allowed = first_value(client, CONNECTION_LIMIT).await?.and_then(|allowed| allowed.parse().ok());
    match allowed {
        Some(allowed) if allowed < needed => Err(OpenError::TooFewConnections { allowed, needed }),
        Some(_) | None => Ok(()),
    }
}

/// A setting of the session that no other program uses.
const TRIAL_SETTING: &str = "pactolus.trial";

/// Checks that a session keeps its settings while other sessions hold transactions. A pooler may hand out its idle
/// connections last in first out or in turn, so one other session is tried, and then two.
async fn check_sessions(
    url: &PostgresUrl,
    session: &PgSession,
    randomness: FillRandom,
) -> Result<(), OpenError> {
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(PgSession::open_long_running(url).await.map_err(second_session_error)?);
        let value = format!("{:x}", random_u64(randomness));
        execute(&session.client, &format!("SET {TRIAL_SETTING} = 'x{value}'")).await?;
        for other in &others {
            within(other.client.batch_execute("BEGIN; SELECT 1")).await?;
        }
        let read = format!("SELECT current_setting('{TRIAL_SETTING}', true)");
        let kept = within(session.client.simple_query(&read)).await?;
        for other in &others {
            within(other.client.batch_execute("ROLLBACK")).await?;
        }
        if first_row(&kept) != Some(format!("x{value}")) {
            return Err(OpenError::TransactionPooler);
        }
    }
    Ok(())
}

async fn within<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, OpenError> {
    match timeout(TRIAL_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) if is_closed_by_pooler(&error) => Err(OpenError::NoSecondConnection),
        Ok(Err(error)) => Err(open_error(error)),
        Err(_) => Err(OpenError::NoSecondConnection),
    }
}

async fn execute(client: &Client, statement: &str) -> Result<(), OpenError> {
    client.batch_execute(statement).await.map_err(open_error)
}

/// The first column of the first row, by the simple protocol, which needs no prepared statement.
async fn first_value(client: &Client, query: &str) -> Result<Option<String>, OpenError> {
    Ok(first_row(&client.simple_query(query).await.map_err(open_error)?))
}

fn first_row(messages: &[SimpleQueryMessage]) -> Option<String> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    })
}

/// A pooler lets another session wait, and closes it at last.
fn second_session_error(error: DatabaseError) -> OpenError {
    let is_left_waiting = match &error {
        DatabaseError::Timeout => true,
        DatabaseError::Postgres(error) => is_closed_by_pooler(error),
        DatabaseError::StaleRead
        | DatabaseError::Corrupt(_)
        | DatabaseError::OtherSchema(_)
        | DatabaseError::Tls(_) => false,
    };
    if is_left_waiting { OpenError::NoSecondConnection } else { error.into() }
}

/// A pooler says that the time for a connection is over (08P01), and closes the session.
fn is_closed_by_pooler(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.code() == Some(&SqlState::PROTOCOL_VIOLATION)
}

/// Lost or doubled prepared statements are the mark of a pooler too.
fn open_error(error: tokio_postgres::Error) -> OpenError {
    let lost = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
    match error.code() {
        Some(code) if lost.contains(code) => OpenError::TransactionPooler,
        Some(_) | None => DatabaseError::from(error).into(),
    }
}

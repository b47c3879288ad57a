//! Export: the orders of a period, or the accounts that changed in it, streamed from one snapshot.
//!
//! The database sorts, and a cursor brings [`PAGE`] rows at a time, so memory is bounded and the bank may be served
//! meanwhile.

use std::io;
use std::ops::Range;

use pactolus_ledger::Receipt;
use pactolus_types::UnixMillis;
use tokio_postgres::IsolationLevel;

use crate::OpenError;
use crate::error::DatabaseError;
use crate::migrate::check_schema;
use crate::rows::{self, NAME_COLUMNS, RECEIPT_COLUMNS, RowReader, to_bigint};
use crate::session::PgSession;
use crate::url::PostgresUrl;

/// Rows in memory at once.
const PAGE: i32 = 1000;

/// Reason why an export is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database is unreachable, or holds no bank of this version.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The rows cannot be written.
    #[error("the rows cannot be written")]
    Output(#[from] io::Error),
}

/// Shows the orders of the period, sorted by time, and those of one millisecond by account and number.
pub async fn export_orders(
    url: &PostgresUrl,
    period: Range<UnixMillis>,
    show: &mut dyn FnMut(&Receipt) -> io::Result<()>,
) -> Result<(), ExportError> {
    let query = format!(
        "SELECT {NAME_COLUMNS}, {RECEIPT_COLUMNS} FROM pactolus.orders o \
         JOIN pactolus.accounts a ON a.part = o.part AND a.id = o.account \
         WHERE o.at_ms >= $1 AND o.at_ms < $2 ORDER BY o.at_ms, o.part, o.account, o.number"
    );
    stream(url, &query, period, show).await
}

/// Shows the last order in the period of each account that has one, sorted by the accounts' names.
pub async fn export_accounts(
    url: &PostgresUrl,
    period: Range<UnixMillis>,
    show: &mut dyn FnMut(&Receipt) -> io::Result<()>,
) -> Result<(), ExportError> {
    // Names are ASCII; the database's own collation may sort them otherwise.
    let query = format!(
        "SELECT {NAME_COLUMNS}, {RECEIPT_COLUMNS} FROM \
            (SELECT DISTINCT ON (part, account) * FROM pactolus.orders \
             WHERE at_ms >= $1 AND at_ms < $2 ORDER BY part, account, number DESC) o \
         JOIN pactolus.accounts a ON a.part = o.part AND a.id = o.account \
         ORDER BY a.app COLLATE \"C\", a.environment, a.offer COLLATE \"C\", a.player COLLATE \"C\", \
            a.zone COLLATE \"C\""
    );
    stream(url, &query, period, show).await
}

/// Shows the receipts that the query returns.
async fn stream(
    url: &PostgresUrl,
    query: &str,
    period: Range<UnixMillis>,
    show: &mut dyn FnMut(&Receipt) -> io::Result<()>,
) -> Result<(), ExportError> {
    let failed = |error| OpenError::from(DatabaseError::from(error));
    let mut session = PgSession::open_long_running(url).await.map_err(OpenError::from)?;
    check_schema(&session.client).await?;
    let snapshot =
        session.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let snapshot = snapshot.start().await.map_err(failed)?;
    let (from, until) = (to_bigint(period.start.get()), to_bigint(period.end.get()));
    let cursor = snapshot.bind(query, &[&from, &until]).await.map_err(failed)?;
    loop {
        let rows = snapshot.query_portal(&cursor, PAGE).await.map_err(failed)?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            let mut columns = RowReader::new(row);
            let key = rows::key(&mut columns).map_err(OpenError::from)?;
            let receipt = rows::receipt(&mut columns, &key).map_err(OpenError::from)?;
            show(&receipt)?;
        }
    }
}

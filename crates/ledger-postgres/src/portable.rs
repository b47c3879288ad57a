//! Export of the whole bank in one snapshot, and import by posting every order again.

use std::ops::ControlFlow;

use pactolus_ledger::portable::check_same_receipt;
use pactolus_ledger::{
    BoxFuture, ImportError, Portable, Precondition, Receipt, RecordChange, RecordKey, RecordValue,
    Unavailable,
};
use pactolus_types::UnixMillis;
use tokio_postgres::types::ToSql;

use crate::PostgresStore;
use crate::error::DatabaseError;
use crate::id::AccountId;
use crate::rows::{self, NAME_COLUMNS, RECEIPT_COLUMNS, RowReader};
use crate::session::PgSession;
use crate::url::PostgresUrl;
use crate::write::PendingOrder;

/// Page size: rows in memory at once, and orders of one transaction of an import.
const PAGE: usize = 1000;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Visits every order, sorted by account and number, in one snapshot.
async fn for_each_order(
    url: &PostgresUrl,
    visit: &mut dyn FnMut(Receipt) -> ControlFlow<()>,
) -> Result<(), DatabaseError> {
    let PgSession { client, .. } = &PgSession::open_long_running(url).await?;
    client.batch_execute(BEGIN).await?;
    let page = format!(
        "SELECT o.account, {NAME_COLUMNS}, {RECEIPT_COLUMNS} FROM pactolus.orders o \
         JOIN pactolus.accounts a ON a.part = o.part AND a.id = o.account \
         WHERE (o.part, o.account, o.number) > ($1, $2, $3) ORDER BY o.part, o.account, o.number LIMIT {PAGE}"
    );
    let page = client.prepare(&page).await?;
    let (mut account, mut number) = (AccountId::MIN, 0_i64);
    loop {
        let after: [&(dyn ToSql + Sync); 3] = [&account.part(), &account, &number];
        let rows = client.query(&page, &after).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        (account, number) = (last.try_get("account")?, last.try_get("number")?);
        for row in &rows {
            let mut columns = RowReader::new(row);
            let _: AccountId = columns.read()?;
            let key = rows::key(&mut columns)?;
            if visit(rows::receipt(&mut columns, &key)?).is_break() {
                return Ok(());
            }
        }
    }
}

/// Visits every record, sorted by partition and name, in one snapshot.
async fn for_each_record(
    url: &PostgresUrl,
    visit: &mut dyn FnMut(RecordChange) -> ControlFlow<()>,
) -> Result<(), DatabaseError> {
    let PgSession { client, .. } = &PgSession::open_long_running(url).await?;
    client.batch_execute(BEGIN).await?;
    let page = format!(
        "SELECT part, name, value, expires_ms FROM pactolus.records \
         WHERE (part, name) > ($1, $2) ORDER BY part, name LIMIT {PAGE}"
    );
    let page = client.prepare(&page).await?;
    let (mut part, mut name) = (0_i16, String::new());
    loop {
        let rows = client.query(&page, &[&part, &name]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        (part, name) = (last.try_get(0)?, last.try_get(1)?);
        for row in &rows {
            let expires: i64 = row.try_get(3)?;
            let change = RecordChange {
                key: RecordKey::from_name(row.try_get(1)?),
                value: RecordValue(row.try_get(2)?),
                expires_at: UnixMillis::new(expires.unsigned_abs()),
                precondition: Precondition::Any,
            };
            if visit(change).is_break() {
                return Ok(());
            }
        }
    }
}

/// Sum of the accounts' order counts.
async fn order_count(url: &PostgresUrl) -> Result<u64, DatabaseError> {
    let session = PgSession::open_long_running(url).await?;
    let row = session
        .client
        .query_one("SELECT coalesce(sum(orders), 0)::bigint FROM pactolus.accounts", &[])
        .await?;
    let orders: i64 = row.try_get(0)?;
    Ok(orders.unsigned_abs())
}

impl PostgresStore {
    /// Runs database work to completion on the calling thread, which must not be a thread of the runtime.
    fn block_on(
        &self,
        operation: &str,
        work: impl Future<Output = Result<(), DatabaseError>>,
    ) -> Result<(), Unavailable> {
        self.runtime.block_on(work).map_err(|error| {
            self.connector.failures.report(operation, &error);
            error.unavailable()
        })
    }
}

impl Portable for PostgresStore {
    fn order_count(&self) -> BoxFuture<'_, Result<u64, Unavailable>> {
        let url = self.connector.url.clone();
        self.spawn("counting orders failed", async move { order_count(&url).await })
    }

    fn for_each_order(&self, visit: &mut dyn FnMut(Receipt) -> ControlFlow<()>) -> Result<(), Unavailable> {
        self.block_on("reading orders failed", for_each_order(&self.connector.url, visit))
    }

    fn for_each_record(
        &self,
        visit: &mut dyn FnMut(RecordChange) -> ControlFlow<()>,
    ) -> Result<(), Unavailable> {
        self.block_on("reading records failed", for_each_record(&self.connector.url, visit))
    }

    fn import_orders_max(&self) -> usize {
        PAGE * self.writers.writers()
    }

    fn import(&self, receipts: Vec<Receipt>) -> BoxFuture<'_, Result<(), ImportError>> {
        Box::pin(async move {
            let request = |receipt: &Receipt| PendingOrder::new(receipt.order.clone(), receipt.at);
            let results = self.writers.post_batches(receipts.iter().map(request).collect()).await?;
            let same =
                receipts.iter().zip(results).map(|(receipt, posted)| check_same_receipt(receipt, posted));
            same.collect()
        })
    }
}

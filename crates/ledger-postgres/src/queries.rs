//! Read queries: accounts, bill numbers, statements and totals.
//!
//! Queries are pipelined on three connections: accounts and bill numbers on one, statements on one, totals on one. So
//! a slow read of many rows delays no balance. Each query is one statement; only a bill number takes a second one, for
//! its orders. A statement sees exactly the transactions committed before it began.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{
    Account, AccountKey, BillEntry, BillKey, Cursor, OrderTallies, OrderTally, StatementPage, Total, TotalKey,
};
use pactolus_types::{AppId, Day, Environment};
use tokio::try_join;
use tokio_postgres::{Client, Row, Statement};

use crate::error::DatabaseError;
use crate::id::{AccountId, BillId, PARTITIONS};
use crate::rows::{
    self, BALANCE_COLUMNS, NAME_COLUMNS, RECEIPT_COLUMNS, RowReader, environment_code, to_bigint,
};
use crate::session::{Connector, PgSession, PreparedStatements, REPORT_TIMEOUT, SharedSession};
use crate::write::bills::{read_bill_entries, read_orders};

struct LookupStatements {
    account: Statement,
    bill: Statement,
    orders: Statement,
}

impl PreparedStatements for LookupStatements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let account = format!(
            "SELECT {NAME_COLUMNS}, {BALANCE_COLUMNS} FROM pactolus.accounts a WHERE a.part = $1 AND a.id = $2"
        );
        let orders = read_orders();
        let bill = "SELECT id, account, number, cancel FROM pactolus.bills WHERE part = $1 AND id = $2";
        let (account, bill, orders) =
            try_join!(client.prepare(&account), client.prepare(bill), client.prepare(&orders))?;
        Ok(Self { account, bill, orders })
    }
}

struct HistoryStatements(Statement);

impl PreparedStatements for HistoryStatements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let statement = format!(
            "SELECT {RECEIPT_COLUMNS} FROM pactolus.orders o \
             WHERE o.part = $1 AND o.account = $2 AND o.number < $3 ORDER BY o.number DESC LIMIT $4"
        );
        Ok(Self(client.prepare(&statement).await?))
    }
}

struct TotalsStatements(Statement);

impl PreparedStatements for TotalsStatements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let totals = "\
            SELECT offer, zone, day, sum(saves)::bigint, sum(saved)::text, sum(presents)::bigint, \
                sum(presented)::text, sum(pays)::bigint, sum(paid)::text, sum(cancels)::bigint, sum(cancelled)::text, \
                sum(debits)::bigint, sum(debited)::text \
            FROM pactolus.totals \
            WHERE part = ANY ($1::smallint[]) AND app = $2 AND environment = $3 AND day BETWEEN $4 AND $5 \
            GROUP BY offer, zone, day";
        Ok(Self(client.prepare(totals).await?))
    }
}

/// Read queries of a node.
pub(crate) struct Queries {
    lookups: SharedSession<LookupStatements>,
    history: SharedSession<HistoryStatements>,
    totals: SharedSession<TotalsStatements>,
    timeout: Duration,
}

impl Queries {
    /// Number of connections.
    pub(crate) const CONNECTIONS: usize = 3;

    /// Queries that fail with `Timeout`: look-ups after `timeout`, statements and totals after [`REPORT_TIMEOUT`].
    pub(crate) fn new(connector: &Connector, timeout: Duration) -> Self {
        Self {
            lookups: SharedSession::for_lookups(connector),
            history: SharedSession::for_reports(connector),
            totals: SharedSession::for_reports(connector),
            timeout,
        }
    }

    pub(crate) async fn account(&self, key: &AccountKey) -> Result<Account, DatabaseError> {
        let id = AccountId::derive(key);
        let read = |session: Arc<PgSession<LookupStatements>>| async move {
            let row = session.client.query_opt(&session.statements.account, &[&id.part(), &id]).await?;
            let Some(row) = row else { return Ok(Account::default()) };
            let mut columns = RowReader::new(&row);
            if rows::key(&mut columns)? != *key {
                return Err(DatabaseError::Corrupt("two accounts have one id"));
            }
            rows::account(&mut columns)
        };
        self.lookups.with(read, self.timeout).await
    }

    pub(crate) async fn order(&self, bill: BillKey) -> Result<Option<BillEntry>, DatabaseError> {
        let id = BillId::derive(&bill);
        let read = |session: Arc<PgSession<LookupStatements>>| async move {
            let PgSession { client, statements, .. } = &*session;
            let rows = client.query(&statements.bill, &[&id.part(), &id]).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            let entry =
                read_bill_entries(client, &statements.orders, &rows).await?.pop().map(|(_, entry)| entry);
            if entry.as_ref().is_some_and(|filed| filed.receipt.order.bill() != bill) {
                return Err(DatabaseError::Corrupt("two bill numbers have one id"));
            }
            Ok(entry)
        };
        self.lookups.with(read, self.timeout).await
    }

    pub(crate) async fn statement(
        &self,
        key: &AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<StatementPage, DatabaseError> {
        let id = AccountId::derive(key);
        let before = after.map_or(i64::MAX, |cursor| to_bigint(cursor.get()));
        // One row more, to detect a next page.
        let limit_plus_one = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let read = |session: Arc<PgSession<HistoryStatements>>| async move {
            let rows = session
                .client
                .query(&session.statements.0, &[&id.part(), &id, &before, &limit_plus_one])
                .await?;
            let receipts = rows.iter().map(|row| rows::receipt(&mut RowReader::new(row), key));
            let mut receipts = receipts.collect::<Result<Vec<_>, DatabaseError>>()?;
            let more = receipts.len() > limit;
            receipts.truncate(limit);
            let next = receipts.last().filter(|_| more).map(|last| Cursor::new(last.after.orders()));
            Ok(StatementPage { receipts, next })
        };
        self.history.with(read, REPORT_TIMEOUT).await
    }

    pub(crate) async fn totals(
        &self,
        app: AppId,
        environment: Environment,
        from: Day,
        to: Day,
    ) -> Result<Vec<Total>, DatabaseError> {
        let parts: Vec<i16> = (0..PARTITIONS).collect();
        let (from, to) = (i64::from(from.get()), i64::from(to.get()));
        let environment_number = environment_code(environment);
        let parts = &parts;
        let read = |session: Arc<PgSession<TotalsStatements>>| async move {
            Ok(session
                .client
                .query(&session.statements.0, &[parts, &app.as_str(), &environment_number, &from, &to])
                .await?)
        };
        let rows = self.totals.with(read, REPORT_TIMEOUT).await?;
        // Sorted here, because the database may use another collation.
        let totals = rows.iter().map(|row| read_total(&mut RowReader::new(row), app, environment));
        let totals = totals.collect::<Result<BTreeMap<_, _>, DatabaseError>>()?;
        Ok(totals.into_iter().map(|(key, sums)| Total { key, tallies: sums }).collect())
    }
}

/// Query of all totals, per offer, zone and day, for [`read_all_totals`].
pub(crate) const ALL_TOTALS: &str = "\
    SELECT app, environment, offer, zone, day, sum(saves)::bigint, sum(saved)::text, sum(presents)::bigint, \
        sum(presented)::text, sum(pays)::bigint, sum(paid)::text, sum(cancels)::bigint, sum(cancelled)::text, \
        sum(debits)::bigint, sum(debited)::text \
    FROM pactolus.totals GROUP BY app, environment, offer, zone, day";

/// Reads [`ALL_TOTALS`].
pub(crate) fn read_all_totals(rows: &[Row]) -> Result<BTreeMap<TotalKey, OrderTallies>, DatabaseError> {
    let read = |row| {
        let mut columns = RowReader::new(row);
        let (app, environment): (&str, i16) = (columns.read()?, columns.read()?);
        let parse = || Some((app.parse().ok()?, rows::environment_from_code(environment)?));
        let (app, environment) = parse().ok_or(INVALID_TOTAL_KEY)?;
        read_total(&mut columns, app, environment)
    };
    rows.iter().map(read).collect()
}

const INVALID_TOTAL_KEY: DatabaseError = DatabaseError::Corrupt("a total has an invalid key");

fn read_total(
    columns: &mut RowReader<'_>,
    app: AppId,
    environment: Environment,
) -> Result<(TotalKey, OrderTallies), DatabaseError> {
    let (offer, zone, day): (&str, &str, i64) = (columns.read()?, columns.read()?, columns.read()?);
    let mut tally = || -> Result<OrderTally, DatabaseError> {
        let (orders, coins): (i64, &str) = (columns.read()?, columns.read()?);
        let tally = || Some(OrderTally { orders: u64::try_from(orders).ok()?, coins: coins.parse().ok()? });
        tally().ok_or(DatabaseError::Corrupt("a total is not a number of orders and coins"))
    };
    let sums = OrderTallies {
        saves: tally()?,
        presents: tally()?,
        pays: tally()?,
        cancels: tally()?,
        debits: tally()?,
    };
    let key = || {
        let day = Day::new(u32::try_from(day).ok()?);
        Some(TotalKey { app, environment, offer: offer.parse().ok()?, zone: zone.parse().ok()?, day })
    };
    Ok((key().ok_or(INVALID_TOTAL_KEY)?, sums))
}

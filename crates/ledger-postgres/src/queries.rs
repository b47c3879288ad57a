//! Read queries: accounts, bill numbers, statements and totals.
//!
//! Queries are pipelined on three connections: accounts and bill numbers on one, statements on one, totals on one. So
//! a slow read of many rows delays no balance. Each query is one statement; only a bill number takes a second one, for
//! its orders. A statement sees exactly the transactions committed before it began.

use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{
    Account, AccountKey, BillEntry, BillKey, Cursor, OrderTallies, OrderTally, Periods, StatementPage, Total,
    TotalKey,
};
use pactolus_types::{AppId, Environment, QuarterHour};
use tokio::try_join;
use tokio_postgres::types::ToSql;
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
            SELECT offer, zone, (width_bucket(quarter, $4::bigint[]) - 1)::bigint AS period, \
                sum(saves)::bigint, sum(saved)::text, sum(presents)::bigint, \
                sum(presented)::text, sum(pays)::bigint, sum(paid)::text, sum(cancels)::bigint, sum(cancelled)::text, \
                sum(debits)::bigint, sum(debited)::text \
            FROM pactolus.totals \
            WHERE part = ANY ($1::smallint[]) AND app = $2 AND environment = $3 AND quarter >= $5 AND quarter < $6 \
            GROUP BY offer, zone, period";
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

    pub(crate) async fn order(&self, bill: &BillKey) -> Result<Option<BillEntry>, DatabaseError> {
        let id = BillId::derive(bill);
        let read = |session: Arc<PgSession<LookupStatements>>| async move {
            let PgSession { client, statements, .. } = &*session;
            let rows = client.query(&statements.bill, &[&id.part(), &id]).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            let entry =
                read_bill_entries(client, &statements.orders, &rows).await?.pop().map(|(_, entry)| entry);
            if entry.as_ref().is_some_and(|filed| filed.receipt.order.bill() != *bill) {
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
        periods: &Periods,
    ) -> Result<Vec<Total>, DatabaseError> {
        let parts: Vec<i16> = (0..PARTITIONS).collect();
        let quarter = |quarter: QuarterHour| i64::from(quarter.get());
        let bounds: Vec<i64> = periods.bounds().iter().copied().map(quarter).collect();
        let (first, end) = periods.span();
        let (first, end) = (quarter(first), quarter(end));
        let environment = environment_code(environment);
        let (parts, bounds) = (&parts, &bounds);
        let read = |session: Arc<PgSession<TotalsStatements>>| async move {
            let parameters: [&(dyn ToSql + Sync); 6] =
                [parts, &app.as_str(), &environment, bounds, &first, &end];
            Ok(session.client.query(&session.statements.0, &parameters).await?)
        };
        let rows = self.totals.with(read, REPORT_TIMEOUT).await?;
        let totals = rows.iter().map(|row| read_total(&mut RowReader::new(row)));
        let mut totals = totals.collect::<Result<Vec<_>, DatabaseError>>()?;
        // Sorted here, because the database may use another collation.
        totals.sort_unstable_by_key(|total| (total.offer, total.zone, total.period));
        Ok(totals)
    }
}

/// Columns of a row of totals, for [`read_total_row`].
pub(crate) const TOTAL_ROW_COLUMNS: &str = "app, environment, offer, zone, quarter, saves, saved::text, presents, \
    presented::text, pays, paid::text, cancels, cancelled::text, debits, debited::text";

/// Reads [`TOTAL_ROW_COLUMNS`].
pub(crate) fn read_total_row(row: &Row) -> Result<(TotalKey, OrderTallies), DatabaseError> {
    let mut columns = RowReader::new(row);
    let (app, environment): (&str, i16) = (columns.read()?, columns.read()?);
    let (offer, zone, quarter): (&str, &str, i64) = (columns.read()?, columns.read()?, columns.read()?);
    let key = || {
        Some(TotalKey {
            app: app.parse().ok()?,
            environment: rows::environment_from_code(environment)?,
            offer: offer.parse().ok()?,
            zone: zone.parse().ok()?,
            quarter: QuarterHour::new(u32::try_from(quarter).ok()?),
        })
    };
    Ok((key().ok_or(INVALID_TOTAL_KEY)?, read_tallies(&mut columns)?))
}

const INVALID_TOTAL_KEY: DatabaseError = DatabaseError::Corrupt("a total has an invalid key");

fn read_total(columns: &mut RowReader<'_>) -> Result<Total, DatabaseError> {
    let (offer, zone, period): (&str, &str, i64) = (columns.read()?, columns.read()?, columns.read()?);
    let key = || Some((offer.parse().ok()?, zone.parse().ok()?, usize::try_from(period).ok()?));
    let (offer, zone, period) = key().ok_or(INVALID_TOTAL_KEY)?;
    Ok(Total { offer, zone, period, tallies: read_tallies(columns)? })
}

fn read_tallies(columns: &mut RowReader<'_>) -> Result<OrderTallies, DatabaseError> {
    let mut tally = || -> Result<OrderTally, DatabaseError> {
        let (orders, coins): (i64, &str) = (columns.read()?, columns.read()?);
        let tally = || Some(OrderTally { orders: u64::try_from(orders).ok()?, coins: coins.parse().ok()? });
        tally().ok_or(DatabaseError::Corrupt("a total is not a number of orders and coins"))
    };
    Ok(OrderTallies {
        saves: tally()?,
        presents: tally()?,
        pays: tally()?,
        cancels: tally()?,
        debits: tally()?,
    })
}

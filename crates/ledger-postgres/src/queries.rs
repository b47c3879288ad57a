//! What is looked up: accounts, bill numbers, statements and sums.
//!
//! Each is one statement on a connection that all look-ups share, sent without waiting for the one before. A statement
//! sees what was committed before it began, and nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use pactolus_ledger::{
    Account, AccountKey, BillEntry, BillKey, Cursor, OrderTallies, OrderTally, StatementPage, Total, TotalKey,
};
use pactolus_types::{AppId, Day, Environment};
use tokio::try_join;
use tokio_postgres::{Client, Row, Statement};

use crate::error::Trouble;
use crate::id::{AccountId, BillId, PARTITIONS};
use crate::rows::{self, Columns, NAMES, RECEIPT, SUMS, big, environment_number};
use crate::session::{Prepared, Session, Shared};
use crate::url::PostgresUrl;
use crate::write::batch::{read_filed, read_orders};

/// What the session of look-ups has prepared.
pub(crate) struct Statements {
    account: Statement,
    bill: Statement,
    orders: Statement,
    statement: Statement,
    sums: Statement,
}

impl Prepared for Statements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let account =
            format!("SELECT {NAMES}, {SUMS} FROM pactolus.accounts a WHERE a.part = $1 AND a.id = $2");
        let orders = read_orders();
        let statement = format!(
            "SELECT {RECEIPT} FROM pactolus.orders o \
             WHERE o.part = $1 AND o.account = $2 AND o.number < $3 ORDER BY o.number DESC LIMIT $4"
        );
        let bill = "SELECT id, account, number, cancel FROM pactolus.bills WHERE part = $1 AND id = $2";
        let sums = "\
            SELECT offer, zone, day, sum(saves)::bigint, sum(saved)::text, sum(presents)::bigint, \
                sum(presented)::text, sum(pays)::bigint, sum(paid)::text, sum(cancels)::bigint, sum(cancelled)::text \
            FROM pactolus.totals \
            WHERE part = ANY ($1::smallint[]) AND app = $2 AND environment = $3 AND day BETWEEN $4 AND $5 \
            GROUP BY offer, zone, day";
        let (account, bill, orders) =
            try_join!(client.prepare(&account), client.prepare(bill), client.prepare(&orders))?;
        let (statement, sums) = try_join!(client.prepare(&statement), client.prepare(sums))?;
        Ok(Self { account, bill, orders, statement, sums })
    }
}

/// The look-ups of a node.
pub(crate) struct Reads {
    shared: Shared<Statements>,
    within: Duration,
}

impl Reads {
    /// Look-ups that answer within a time, or say that they cannot.
    pub(crate) fn new(url: PostgresUrl, within: Duration) -> Self {
        Self { shared: Shared::new(url), within }
    }

    /// Asks whether there is an answer.
    pub(crate) async fn ask(&self) -> Result<(), Trouble> {
        let ask = async |session: &Session<Statements>| Ok(session.client.batch_execute("SELECT 1").await?);
        self.shared.with(ask, self.within).await
    }

    pub(crate) async fn account(&self, key: &AccountKey) -> Result<Account, Trouble> {
        let id = AccountId::of(key);
        let read = async |session: &Session<Statements>| {
            let row = session.client.query_opt(&session.statements.account, &[&id.part(), &id]).await?;
            let Some(row) = row else { return Ok(Account::default()) };
            let mut columns = Columns::of(&row);
            if rows::key(&mut columns)? != *key {
                return Err(Trouble::Damaged("two accounts have one id"));
            }
            rows::account(&mut columns)
        };
        self.shared.with(read, self.within).await
    }

    pub(crate) async fn order(&self, bill: BillKey) -> Result<Option<BillEntry>, Trouble> {
        let id = BillId::of(&bill);
        let read = async |Session { client, statements, .. }: &Session<Statements>| {
            let rows = client.query(&statements.bill, &[&id.part(), &id]).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            let filed = read_filed(client, &statements.orders, &rows).await?.pop().map(|(_, filed)| filed);
            if filed.as_ref().is_some_and(|filed| filed.receipt.order.bill() != bill) {
                return Err(Trouble::Damaged("two bill numbers have one id"));
            }
            Ok(filed)
        };
        self.shared.with(read, self.within).await
    }

    pub(crate) async fn statement(
        &self,
        key: &AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<StatementPage, Trouble> {
        let id = AccountId::of(key);
        let before = after.map_or(i64::MAX, |cursor| big(cursor.get()));
        // One more, to know whether there is more.
        let asked_for = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let read = async |Session { client, statements, .. }: &Session<Statements>| {
            let rows = client.query(&statements.statement, &[&id.part(), &id, &before, &asked_for]).await?;
            let receipts = rows.iter().map(|row| rows::receipt(&mut Columns::of(row), key));
            let mut receipts = receipts.collect::<Result<Vec<_>, Trouble>>()?;
            let more = receipts.len() > limit;
            receipts.truncate(limit);
            let next = receipts.last().filter(|_| more).map(|last| Cursor::new(last.after.orders()));
            Ok(StatementPage { receipts, next })
        };
        self.shared.with(read, self.within).await
    }

    pub(crate) async fn totals(
        &self,
        app: AppId,
        environment: Environment,
        from: Day,
        to: Day,
    ) -> Result<Vec<Total>, Trouble> {
        let parts: Vec<i16> = (0..PARTITIONS).collect();
        let (from, to) = (i64::from(from.get()), i64::from(to.get()));
        let environment_number = environment_number(environment);
        let read = async |Session { client, statements, .. }: &Session<Statements>| {
            Ok(client
                .query(&statements.sums, &[&parts, &app.as_str(), &environment_number, &from, &to])
                .await?)
        };
        let rows = self.shared.with(read, self.within).await?;
        // The database may sort names by another alphabet.
        let totals = rows.iter().map(|row| total(&mut Columns::of(row), app, environment));
        let totals = totals.collect::<Result<BTreeMap<_, _>, Trouble>>()?;
        Ok(totals.into_iter().map(|(key, sums)| Total { key, tallies: sums }).collect())
    }
}

/// The sums of all offers, zones and days, for [`sums_of_all`].
pub(crate) const SUMS_OF_ALL: &str = "\
    SELECT app, environment, offer, zone, day, sum(saves)::bigint, sum(saved)::text, sum(presents)::bigint, \
        sum(presented)::text, sum(pays)::bigint, sum(paid)::text, sum(cancels)::bigint, sum(cancelled)::text \
    FROM pactolus.totals GROUP BY app, environment, offer, zone, day";

/// Reads [`SUMS_OF_ALL`].
pub(crate) fn sums_of_all(rows: &[Row]) -> Result<BTreeMap<TotalKey, OrderTallies>, Trouble> {
    let read = |row| {
        let mut columns = Columns::of(row);
        let (app, environment): (&str, i16) = (columns.take()?, columns.take()?);
        let of = || Some((app.parse().ok()?, rows::environment_of(environment)?));
        let (app, environment) = of().ok_or(UNNAMED)?;
        total(&mut columns, app, environment)
    };
    rows.iter().map(read).collect()
}

const UNNAMED: Trouble = Trouble::Damaged("sums have a name that none can have");

/// Reads the sums of an offer, zone and day.
fn total(
    columns: &mut Columns<'_>,
    app: AppId,
    environment: Environment,
) -> Result<(TotalKey, OrderTallies), Trouble> {
    let (offer, zone, day): (&str, &str, i64) = (columns.take()?, columns.take()?, columns.take()?);
    let mut tally = || -> Result<OrderTally, Trouble> {
        let (orders, coins): (i64, &str) = (columns.take()?, columns.take()?);
        let tally = || Some(OrderTally { orders: u64::try_from(orders).ok()?, coins: coins.parse().ok()? });
        tally().ok_or(Trouble::Damaged("a sum of orders is none"))
    };
    let sums = OrderTallies { saves: tally()?, presents: tally()?, pays: tally()?, cancels: tally()? };
    let key = || {
        let day = Day::new(u32::try_from(day).ok()?);
        Some(TotalKey { app, environment, offer: offer.parse().ok()?, zone: zone.parse().ok()?, day })
    };
    Ok((key().ok_or(UNNAMED)?, sums))
}

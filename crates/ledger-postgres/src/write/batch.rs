//! Transaction of a batch: two round trips, independent of the number of orders.
//!
//! 1. Lock and read the accounts; read the bill numbers. If a bill number exists, a third round trip reads its
//!    orders.
//! 2. Decide in memory. Then write accounts, bill numbers, orders and totals, and commit.
//!
//! **No deadlock.** Locks are taken in one global order: rows of existing accounts, sorted by id; then, while
//! writing, rows of new accounts, of new bill numbers and of totals, each sorted by key. A transaction that waits for
//! a row holds only rows before it in this order, so no two transactions wait for each other. Without the order, one
//! that holds account A and wants B could meet one that holds B and wants A. If an engine locks in another order, it
//! reports a deadlock (40P01), and the batch is retried.
//!
//! **No order is applied twice.** The statement that reads the bill numbers follows the one that locks the accounts,
//! and each statement sees every commit before its start. So it sees everything that an earlier holder of these locks
//! did. That includes the orders that gave back a pay, because all are orders of one account.
//!
//! A row that does not exist yet cannot be locked: two transactions may both insert a new account, or one bill number
//! for two accounts. Then the second insert violates the first one's key (23505), its whole transaction rolls back,
//! and the retried batch sees the committed rows. A batch that only replays the first order of a new account inserts
//! nothing, and would report a balance without that order. It has read a bill number whose account had no row,
//! so it fails with `DatabaseError::StaleRead` and is retried too.
//!
//! This would hold without any lock: the key of an order is its account and number, so of two transactions that
//! decide an account's n-th order, one fails. The locks only make such conflicts rare. The keys are also the reason
//! why the commit can be pipelined behind the writes without waiting for their results.

use std::collections::BTreeMap;

use pactolus_ledger::{OrderTallies, PostError, Posted, Receipt, TotalKey};
use tokio::try_join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::PendingOrder;
use super::bills::{READ_BILLS, read_bill_entries, read_orders};
use super::state::{AccountState, BatchState, BillChanges};
use super::totals::{ADD_TOTALS, total_columns};
use crate::error::DatabaseError;
use crate::id::{AccountId, BillId};
use crate::rows::{
    self, BALANCE_COLUMNS, INSERT_ORDERS, NAME_COLUMNS, OrderColumns, RowReader, columns, environment_code,
    to_bigint,
};
use crate::session::{PgSession, PreparedStatements};

pub(crate) struct BatchStatements {
    lock_accounts: Statement,
    read_bills: Statement,
    read_orders: Statement,
    insert_accounts: Statement,
    update_accounts: Statement,
    insert_bills: Statement,
    cancel_bills: Statement,
    insert_orders: Statement,
    add_totals: Statement,
}

impl PreparedStatements for BatchStatements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let lock_accounts = format!(
            "SELECT a.id, {NAME_COLUMNS}, {BALANCE_COLUMNS} FROM pactolus.accounts a \
             JOIN unnest($1::smallint[], $2::uuid[]) AS k (part, id) ON a.part = k.part AND a.id = k.id \
             ORDER BY a.part, a.id FOR UPDATE OF a"
        );
        let read_orders = read_orders();
        let (lock_accounts, read_bills, read_orders) = try_join!(
            biased;
            client.prepare(&lock_accounts),
            client.prepare(READ_BILLS),
            client.prepare(&read_orders),
        )?;
        let (insert_accounts, update_accounts, insert_bills, cancel_bills, insert_orders, add_totals) = try_join!(
            biased;
            client.prepare(INSERT_ACCOUNTS),
            client.prepare(UPDATE_ACCOUNTS),
            client.prepare(INSERT_BILLS),
            client.prepare(CANCEL_BILLS),
            client.prepare(INSERT_ORDERS),
            client.prepare(ADD_TOTALS),
        )?;
        Ok(Self {
            lock_accounts,
            read_bills,
            read_orders,
            insert_accounts,
            update_accounts,
            insert_bills,
            cancel_bills,
            insert_orders,
            add_totals,
        })
    }
}

const INSERT_ACCOUNTS: &str = "\
    INSERT INTO pactolus.accounts (part, id, app, environment, offer, player, zone, saved, presented, spent, gifted, \
        orders, counted_day, counted_coins, debited) \
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::text[], \
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], \
        $15::bigint[])";

const UPDATE_ACCOUNTS: &str = "\
    UPDATE pactolus.accounts a SET saved = k.saved, presented = k.presented, spent = k.spent, gifted = k.gifted, \
        orders = k.orders, counted_day = k.day, counted_coins = k.counted, debited = k.debited \
    FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[]) \
        AS k (part, id, before, saved, presented, spent, gifted, orders, day, counted, debited) \
    WHERE a.part = k.part AND a.id = k.id AND a.orders = k.before";

const INSERT_BILLS: &str = "\
    INSERT INTO pactolus.bills (part, id, account, number, cancel) \
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])";

const CANCEL_BILLS: &str = "\
    UPDATE pactolus.bills b SET cancel = k.cancel \
    FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::bigint[]) AS k (part, id, cancel, before) \
    WHERE b.part = k.part AND b.id = k.id AND b.cancel IS NOT DISTINCT FROM k.before";

/// Posts a batch: decides its orders in sequence, and commits their effects. An error means that nothing was written,
/// unless the connection was lost.
pub(crate) async fn post(
    session: &PgSession<BatchStatements>,
    orders: &[PendingOrder],
    totals_part: i16,
) -> Result<Vec<Result<Posted, PostError>>, DatabaseError> {
    post_until(session, orders, totals_part, "COMMIT").await
}

/// Does all that [`post`] does, and rolls it back.
pub(crate) async fn rehearse(
    session: &PgSession<BatchStatements>,
    orders: &[PendingOrder],
    totals_part: i16,
) -> Result<(), DatabaseError> {
    post_until(session, orders, totals_part, "ROLLBACK").await.map(drop)
}

async fn post_until(
    session: &PgSession<BatchStatements>,
    orders: &[PendingOrder],
    totals_part: i16,
    end: &str,
) -> Result<Vec<Result<Posted, PostError>>, DatabaseError> {
    let mut state = read(session, orders).await?;
    let decided = orders.iter().map(|pending| Ok(state.decide(pending)?.map_err(PostError::from)));
    let results = decided.collect::<Result<Vec<_>, DatabaseError>>()?;
    write(session, &state, totals_part, end).await?;
    Ok(results)
}

/// Begins a transaction, locks the accounts, and reads the state that the decisions need.
async fn read(
    session: &PgSession<BatchStatements>,
    orders: &[PendingOrder],
) -> Result<BatchState, DatabaseError> {
    let PgSession { client, statements, .. } = session;
    let mut accounts: Vec<_> = orders.iter().map(|pending| pending.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let account_parts: Vec<_> = accounts.iter().map(|id| id.part()).collect();
    let mut bills: Vec<_> =
        orders.iter().flat_map(|pending| [Some(pending.bill), pending.pay]).flatten().collect();
    bills.sort_unstable();
    bills.dedup();
    let bill_parts: Vec<_> = bills.iter().map(|id| id.part()).collect();

    // Pipelined: sent in this order, and executed one after the other.
    let by_account: [&(dyn ToSql + Sync); 2] = [&account_parts, &accounts];
    let by_bill: [&(dyn ToSql + Sync); 2] = [&bill_parts, &bills];
    let ((), accounts, bills) = try_join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
        client.query(&statements.lock_accounts, &by_account),
        client.query(&statements.read_bills, &by_bill),
    )?;

    let mut state = BatchState::default();
    for row in &accounts {
        let mut columns = RowReader::new(row);
        let id = columns.read()?;
        state.add_account(id, &rows::key(&mut columns)?, rows::account(&mut columns)?);
    }
    if !bills.is_empty() {
        for (id, entry) in read_bill_entries(client, &statements.read_orders, &bills).await? {
            state.add_bill(id, entry);
        }
    }
    Ok(state)
}

columns! {
    NewAccounts<'a> {
        part: i16,
        id: AccountId,
        app: &'a str,
        environment: i16,
        offer: &'a str,
        player: &'a str,
        zone: &'a str,
        saved: i64,
        presented: i64,
        spent: i64,
        gifted: i64,
        orders: i64,
        day: Option<i64>,
        counted: Option<i64>,
        debited: Option<i64>,
    }
}

columns! {
    /// Accounts to update; a row whose order count is not `before` is left alone.
    ChangedAccounts {
        part: i16,
        id: AccountId,
        before: i64,
        saved: i64,
        presented: i64,
        spent: i64,
        gifted: i64,
        orders: i64,
        day: Option<i64>,
        counted: Option<i64>,
        debited: Option<i64>,
    }
}

columns! {
    NewBills {
        part: i16,
        id: BillId,
        account: AccountId,
        number: i64,
        cancel: Option<i64>,
    }
}

columns! {
    /// Bill numbers of pays to mark as given back; a row that has not the number `before` is left alone.
    CancelledBills {
        part: i16,
        id: BillId,
        cancel: Option<i64>,
        before: Option<i64>,
    }
}

/// Writes the changes of the batch, and ends the transaction with the statement `end`.
async fn write(
    session: &PgSession<BatchStatements>,
    state: &BatchState,
    totals_part: i16,
    end: &str,
) -> Result<(), DatabaseError> {
    let PgSession { client, statements, .. } = session;
    if state.applied().is_empty() {
        return Ok(client.batch_execute(end).await?);
    }
    let accounts = state.changed_accounts();
    let (new_accounts, changed_accounts) = (new_accounts(&accounts.new), changed_accounts(&accounts.updated));
    let bills = state.changed_bills();
    let (new_bills, cancelled_bills) = bill_columns(&bills);
    let mut orders = OrderColumns::default();
    let mut totals: BTreeMap<TotalKey, OrderTallies> = BTreeMap::new();
    for applied in state.applied() {
        orders.add(applied.account, &applied.receipt);
        let Receipt { order, at, coins, .. } = &applied.receipt;
        totals.entry(TotalKey::for_order(order, *at)).or_default().add(order.kind, *coins);
    }
    let total_columns = total_columns(&totals, totals_part);

    // Pipelined: sent in this order, and executed one after the other; if one fails, the commit rolls back.
    let commit = async { Ok(client.batch_execute(end).await?) };
    try_join!(
        biased;
        execute(client, &statements.insert_accounts, new_accounts.parameters(), accounts.new.len()),
        execute(client, &statements.update_accounts, changed_accounts.parameters(), accounts.updated.len()),
        execute(client, &statements.insert_bills, new_bills.parameters(), bills.new.len()),
        execute(client, &statements.cancel_bills, cancelled_bills.parameters(), bills.cancelled.len()),
        execute(client, &statements.insert_orders, orders.parameters(), state.applied().len()),
        execute(client, &statements.add_totals, total_columns.parameters(), totals.len()),
        commit,
    )?;
    Ok(())
}

/// Executes a statement that must write exactly `rows` rows.
async fn execute(
    client: &Client,
    statement: &Statement,
    parameters: Vec<&(dyn ToSql + Sync)>,
    rows: usize,
) -> Result<(), DatabaseError> {
    if rows == 0 {
        return Ok(());
    }
    let written = client.execute(statement, &parameters).await?;
    // The orders' primary key prevents a mismatch; an engine where it happens does not enforce keys.
    let all = u64::try_from(rows).is_ok_and(|rows| rows == written);
    if all { Ok(()) } else { Err(DatabaseError::Corrupt("a row changed that this transaction had locked")) }
}

fn new_accounts<'a>(accounts: &[(AccountId, &'a AccountState)]) -> NewAccounts<'a> {
    let mut columns = NewAccounts::default();
    for (id, AccountState { key, account, .. }) in accounts {
        let (day, gift_coins) = rows::daily_gifts_columns(account);
        columns.push((
            id.part(),
            *id,
            key.app.as_str(),
            environment_code(key.environment),
            key.offer.as_str(),
            key.player.as_str(),
            key.zone.as_str(),
            to_bigint(account.saved().get()),
            to_bigint(account.presented().get()),
            to_bigint(account.spent().get()),
            to_bigint(account.gifted().get()),
            to_bigint(account.orders()),
            day,
            gift_coins,
            rows::debited_column(account),
        ));
    }
    columns
}

fn changed_accounts(accounts: &[(AccountId, &AccountState)]) -> ChangedAccounts {
    let mut columns = ChangedAccounts::default();
    for (id, AccountState { account, stored_orders, .. }) in accounts {
        let (day, gift_coins) = rows::daily_gifts_columns(account);
        columns.push((
            id.part(),
            *id,
            to_bigint(stored_orders.unwrap_or_default()),
            to_bigint(account.saved().get()),
            to_bigint(account.presented().get()),
            to_bigint(account.spent().get()),
            to_bigint(account.gifted().get()),
            to_bigint(account.orders()),
            day,
            gift_coins,
            rows::debited_column(account),
        ));
    }
    columns
}

fn bill_columns(changes: &BillChanges) -> (NewBills, CancelledBills) {
    let (mut new, mut cancelled) = (NewBills::default(), CancelledBills::default());
    for change in &changes.new {
        let cancel = change.cancel.map(to_bigint);
        new.push((change.bill.part(), change.bill, change.account, to_bigint(change.number), cancel));
    }
    for change in &changes.cancelled {
        let (cancel, before) = (change.cancel.map(to_bigint), change.cancel_before.map(to_bigint));
        cancelled.push((change.bill.part(), change.bill, cancel, before));
    }
    (new, cancelled)
}

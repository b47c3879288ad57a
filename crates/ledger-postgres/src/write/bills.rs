//! Reads of bill numbers, and of the orders that they refer to.

use std::collections::HashMap;

use pactolus_ledger::{BillEntry, Receipt};
use tokio_postgres::{Client, Row, Statement};

use crate::error::DatabaseError;
use crate::id::{AccountId, BillId};
use crate::rows::{self, NAME_COLUMNS, RECEIPT_COLUMNS, RowReader, to_bigint};

/// Query of orders by partition, account and number, joined with the accounts' names.
pub(crate) fn read_orders() -> String {
    format!(
        "SELECT o.account, {NAME_COLUMNS}, {RECEIPT_COLUMNS} FROM pactolus.orders o \
         JOIN unnest($1::smallint[], $2::uuid[], $3::bigint[]) AS k (part, account, number) \
            ON o.part = k.part AND o.account = k.account AND o.number = k.number \
         JOIN pactolus.accounts a ON a.part = o.part AND a.id = o.account"
    )
}

/// Query of bill numbers by partition and id.
pub(crate) const READ_BILLS: &str = "\
    SELECT b.id, b.account, b.number, b.cancel FROM pactolus.bills b \
    JOIN unnest($1::smallint[], $2::uuid[]) AS k (part, id) ON b.part = k.part AND b.id = k.id";

/// Reads the orders that these bill rows refer to.
pub(crate) async fn read_bill_entries(
    client: &Client,
    read_orders: &Statement,
    bills: &[Row],
) -> Result<Vec<(BillId, BillEntry)>, DatabaseError> {
    let (mut parts, mut accounts, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let mut targets: Vec<(BillId, AccountId, i64, Option<i64>)> = Vec::with_capacity(bills.len());
    for row in bills {
        let mut columns = RowReader::new(row);
        let (id, account, number, cancel) =
            (columns.read()?, columns.read()?, columns.read()?, columns.read()?);
        for number in [Some(number), cancel].into_iter().flatten() {
            parts.push(AccountId::part(account));
            accounts.push(account);
            numbers.push(number);
        }
        targets.push((id, account, number, cancel));
    }
    let orders = client.query(read_orders, &[&parts, &accounts, &numbers]).await?;
    let mut receipts: HashMap<(AccountId, i64), Receipt> = HashMap::with_capacity(orders.len());
    for row in &orders {
        let mut columns = RowReader::new(row);
        let account = columns.read()?;
        let key = rows::key(&mut columns)?;
        let receipt = rows::receipt(&mut columns, &key)?;
        receipts.insert((account, to_bigint(receipt.after.orders())), receipt);
    }
    // A refund may be found under two numbers, its own and that of its pay.
    let order = |account, number| {
        let receipt = receipts.get(&(account, number)).cloned();
        receipt.ok_or(DatabaseError::Corrupt("a bill number leads to no order"))
    };
    targets
        .into_iter()
        .map(|(id, account, number, cancel)| {
            let receipt = order(account, number)?;
            let cancel = cancel.map(|cancel| order(account, cancel)).transpose()?;
            Ok((id, BillEntry { receipt, cancel }))
        })
        .collect()
}

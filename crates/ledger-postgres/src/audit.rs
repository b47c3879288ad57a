//! Audit: replays every account's orders and verifies that the stored state follows from them.
//!
//! Checked for every order: it has the next number of its account, the rule produces exactly its effect from the
//! account before it, and its bill number refers to it. For every account: its row equals the account after its last
//! order. There are as many bill numbers as orders that own one, and as many pays given back as are marked so. As
//! every order's own bill number refers to it, no bill number is left over. The totals per offer, zone and quarter of
//! an hour match the orders.
//!
//! One repeatable-read transaction reads the bank as of the start of the audit, so posting continues meanwhile.
//! Memory is bounded: accounts and orders are merge-joined by key, one page at a time.

use std::collections::HashMap;

use pactolus_ledger::{
    Account, AccountKey, Audit, BillEntry, BillKey, DaySums, Decision, Order, OrderKind, PriorEntries,
    Receipt, decide,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::error::DatabaseError;
use crate::id::{AccountId, BillId};
use crate::queries::{TOTAL_ROW_COLUMNS, read_total_row};
use crate::rows::{self, BALANCE_COLUMNS, NAME_COLUMNS, RECEIPT_COLUMNS, RowReader, to_bigint};
use crate::session::PgSession;
use crate::url::PostgresUrl;
use crate::write::bills::{READ_BILLS, read_orders};

/// Page size: accounts, orders or totals in memory at once.
const PAGE: i64 = 2000;

/// Audits the bank as of now.
pub(crate) async fn audit(url: &PostgresUrl) -> Result<Audit, DatabaseError> {
    let session = PgSession::open_long_running(url).await?;
    let client = &session.client;
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut auditor = Auditor::new(client).await?;
    match auditor.compare().await {
        Ok(()) => {}
        // Corruption is a finding. The audit stops there: later findings could be its consequences.
        Err(DatabaseError::Corrupt(finding)) => auditor.audit.add_finding(finding.to_owned()),
        Err(error) => return Err(error),
    }
    client.batch_execute("COMMIT").await?;
    Ok(auditor.audit)
}

struct AuditStatements {
    accounts: Statement,
    orders: Statement,
    bills: Statement,
    pays: Statement,
    counts: Statement,
}

struct Auditor<'a> {
    client: &'a Client,
    statements: AuditStatements,
    audit: Audit,
    totals: DaySums,
    /// Orders that own a bill number; `cancel_count` counts the pays that were given back.
    bill_count: u64,
    cancel_count: u64,
    /// The last refund of each pay of the account at hand that is not given back entirely.
    refunds: HashMap<BillKey, Receipt>,
}

/// An account's row, and the account as replayed so far.
struct AccountWalk {
    id: AccountId,
    key: AccountKey,
    row: Account,
    account: Account,
}

/// The orders that a bill number refers to.
struct BillTarget {
    account: AccountId,
    number: i64,
    cancel: Option<i64>,
}

impl<'a> Auditor<'a> {
    async fn new(client: &'a Client) -> Result<Self, DatabaseError> {
        let accounts = format!(
            "SELECT a.id, {NAME_COLUMNS}, {BALANCE_COLUMNS} FROM pactolus.accounts a \
             WHERE (a.part, a.id) >= ($1, $2) ORDER BY a.part, a.id LIMIT {PAGE}"
        );
        let orders = format!(
            "SELECT o.account, {RECEIPT_COLUMNS} FROM pactolus.orders o \
             WHERE (o.part, o.account, o.number) > ($1, $2, $3) \
             ORDER BY o.part, o.account, o.number LIMIT {PAGE}"
        );
        let statements = AuditStatements {
            accounts: client.prepare(&accounts).await?,
            orders: client.prepare(&orders).await?,
            bills: client.prepare(READ_BILLS).await?,
            pays: client.prepare(&read_orders()).await?,
            counts: client.prepare(COUNTS).await?,
        };
        let (audit, totals) = (Audit::default(), DaySums::default());
        let refunds = HashMap::new();
        Ok(Self { client, statements, audit, totals, bill_count: 0, cancel_count: 0, refunds })
    }

    async fn compare(&mut self) -> Result<(), DatabaseError> {
        self.walk_accounts().await?;
        self.compare_counts().await?;
        self.compare_totals().await
    }

    /// Merge-joins accounts and orders, both sorted by id.
    async fn walk_accounts(&mut self) -> Result<(), DatabaseError> {
        let mut accounts = AccountPages { rows: Vec::new().into_iter(), next_page: Some(AccountId::MIN) };
        let mut walk: Option<AccountWalk> = None;
        let (mut account, mut number) = (AccountId::MIN, 0_i64);
        loop {
            let after: [&(dyn ToSql + Sync); 3] = [&account.part(), &account, &number];
            let rows = self.client.query(&self.statements.orders, &after).await?;
            let Some(last) = rows.last() else { break };
            (account, number) = (last.try_get("account")?, last.try_get("number")?);
            let page = self.join_accounts(&rows, &mut accounts, &mut walk).await?;
            self.check_page(&page).await?;
        }
        if let Some(walked) = walk {
            self.finish_account(&walked);
        }
        while let Some(without_orders) = accounts.next(self).await? {
            self.finish_account(&without_orders);
        }
        Ok(())
    }

    /// The orders of a page whose account has a row, each with the account before it.
    async fn join_accounts(
        &mut self,
        rows: &[Row],
        accounts: &mut AccountPages,
        walk: &mut Option<AccountWalk>,
    ) -> Result<Vec<(AccountId, Account, Receipt)>, DatabaseError> {
        let mut page = Vec::with_capacity(rows.len());
        for row in rows {
            let mut columns = RowReader::new(row);
            let id: AccountId = columns.read()?;
            while walk.as_ref().is_none_or(|walked| walked.id < id) {
                if let Some(walked) = walk.take() {
                    self.finish_account(&walked);
                }
                *walk = accounts.next(self).await?;
                if walk.is_none() {
                    break;
                }
            }
            let Some(walked) = walk.as_mut().filter(|walked| walked.id == id) else {
                let bill_no: &str = row.try_get("bill_no")?;
                self.audit.add_finding(format!("the order {bill_no} is of an account that is not there"));
                self.audit.orders += 1;
                continue;
            };
            let receipt = rows::receipt(&mut columns, &walked.key)?;
            page.push((id, walked.account, receipt.clone()));
            walked.account = receipt.after;
        }
        Ok(page)
    }

    /// Checks orders against the accounts before them and the bill numbers that refer to them.
    async fn check_page(&mut self, page: &[(AccountId, Account, Receipt)]) -> Result<(), DatabaseError> {
        let targets = self.read_bills(page).await?;
        let pays = self.read_pays(page, &targets).await?;
        for (id, before, receipt) in page {
            let bill = receipt.order.bill();
            let number = to_bigint(receipt.after.orders());
            self.audit.count_order(receipt.at);
            self.totals.count(&receipt.order, receipt.at, receipt.coins);
            let target = targets.get(&BillId::derive(&bill));
            let (refers_here, earlier) = match receipt.order.kind {
                OrderKind::Cancel { .. } => {
                    self.cancel_count += 1;
                    let leads_here =
                        target.is_some_and(|led| led.account == *id && led.cancel == Some(number));
                    let pay = target.and_then(|led| pays.get(&(led.account, led.number))).cloned();
                    (leads_here, pay.map(|receipt| BillEntry { receipt, cancel: None }))
                }
                OrderKind::Refund(_) => {
                    self.bill_count += 1;
                    let pay_bill = receipt.order.pay_bill();
                    let pay_target = pay_bill.and_then(|pay| targets.get(&BillId::derive(&pay)));
                    // The pay's number leads to its last refund, which is this one or a later one.
                    let leads_here = target.is_some_and(|led| led.account == *id && led.number == number)
                        && pay_target.is_some_and(|led| led.account == *id && led.cancel >= Some(number));
                    let pay = pay_target.and_then(|led| pays.get(&(led.account, led.number))).cloned();
                    let pay = pay.filter(|pay| Some(pay.order.bill()) == pay_bill);
                    (leads_here, pay.map(|pay| self.give_back(pay, receipt)))
                }
                OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) | OrderKind::Debit(_) => {
                    self.bill_count += 1;
                    (target.is_some_and(|led| led.account == *id && led.number == number), None)
                }
            };
            if !refers_here {
                self.audit.add_finding(format!("{bill} does not lead to its {}", receipt.order.kind.name()));
            }
            let earlier = match receipt.order.kind {
                OrderKind::Refund(_) => PriorEntries { number: None, pay: earlier.as_ref() },
                OrderKind::Save(_)
                | OrderKind::Present(_)
                | OrderKind::Pay(_)
                | OrderKind::Cancel { .. }
                | OrderKind::Debit(_) => PriorEntries::from(earlier.as_ref()),
            };
            match decide(before, earlier, &receipt.order, receipt.at) {
                Ok(Decision::Apply(expected)) if expected == receipt.effect() => {}
                _ => self
                    .audit
                    .add_finding(format!("{bill} is not what the rule makes of the orders before it")),
            }
        }
        Ok(())
    }

    /// The entry of `pay` before `refund`, which becomes its last one.
    fn give_back(&mut self, pay: Receipt, refund: &Receipt) -> BillEntry {
        // Orders are visited account by account.
        if self.refunds.keys().next().is_some_and(|bill| bill.account() != Some(pay.order.account)) {
            self.refunds.clear();
        }
        let before = if refund.given_back.coins < pay.coins {
            self.refunds.insert(pay.order.bill(), refund.clone())
        } else {
            self.refunds.remove(&pay.order.bill())
        };
        if before.is_none() {
            self.cancel_count += 1;
        }
        BillEntry { receipt: pay, cancel: before }
    }

    /// The targets of a page's bill numbers.
    async fn read_bills(
        &self,
        page: &[(AccountId, Account, Receipt)],
    ) -> Result<HashMap<BillId, BillTarget>, DatabaseError> {
        let bills = page.iter().flat_map(|(_, _, receipt)| {
            [Some(receipt.order.bill()), receipt.order.pay_bill()].into_iter().flatten()
        });
        let mut ids: Vec<_> = bills.map(|bill| BillId::derive(&bill)).collect();
        ids.sort_unstable();
        ids.dedup();
        let parts: Vec<_> = ids.iter().map(|id| id.part()).collect();
        let rows = self.client.query(&self.statements.bills, &[&parts, &ids]).await?;
        let targets = rows.iter().map(|row| {
            let mut columns = RowReader::new(row);
            let id = columns.read()?;
            Ok((
                id,
                BillTarget { account: columns.read()?, number: columns.read()?, cancel: columns.read()? },
            ))
        });
        targets.collect()
    }

    /// The pays that the orders of a page give back; each is an order of the same account.
    async fn read_pays(
        &self,
        page: &[(AccountId, Account, Receipt)],
        targets: &HashMap<BillId, BillTarget>,
    ) -> Result<HashMap<(AccountId, i64), Receipt>, DatabaseError> {
        let pay_of = |order: &Order| match order.kind {
            OrderKind::Cancel { .. } => Some(order.bill()),
            OrderKind::Refund(_) => order.pay_bill(),
            OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) | OrderKind::Debit(_) => None,
        };
        let given_back = page.iter().filter_map(|(id, _, receipt)| Some((*id, pay_of(&receipt.order)?)));
        let mut pays: Vec<(AccountId, i64)> = given_back
            .filter_map(|(id, bill)| Some((id, targets.get(&BillId::derive(&bill))?.number)))
            .collect();
        pays.sort_unstable();
        pays.dedup();
        let (accounts, numbers): (Vec<AccountId>, Vec<i64>) = pays.into_iter().unzip();
        let parts: Vec<i16> = accounts.iter().map(|id| id.part()).collect();
        if accounts.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = self.client.query(&self.statements.pays, &[&parts, &accounts, &numbers]).await?;
        let pays = rows.iter().map(|row| {
            let mut columns = RowReader::new(row);
            let id = columns.read()?;
            let key = rows::key(&mut columns)?;
            let receipt = rows::receipt(&mut columns, &key)?;
            Ok(((id, to_bigint(receipt.after.orders())), receipt))
        });
        pays.collect()
    }

    /// Compares an account's row with its replayed orders.
    fn finish_account(&mut self, walk: &AccountWalk) {
        self.audit.accounts += 1;
        let AccountWalk { id, key, row, account } = walk;
        if account != row || row.orders() == 0 {
            self.audit.add_finding(format!("the account {key:?} is not the sum of its orders"));
        }
        if AccountId::derive(key) != *id {
            self.audit.add_finding(format!("the account {key:?} has the id of another"));
        }
    }

    async fn compare_counts(&mut self) -> Result<(), DatabaseError> {
        let row = self.client.query_one(&self.statements.counts, &[]).await?;
        let (bills, cancelled): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if (bills, cancelled) != (to_bigint(self.bill_count), to_bigint(self.cancel_count)) {
            let (bill_count, cancels) = (self.bill_count, self.cancel_count);
            self.audit.add_finding(format!(
                "there are {bills} bill numbers, {cancelled} of them given back, and {bill_count} orders and {cancels} pays given back"
            ));
        }
        Ok(())
    }

    async fn compare_totals(&mut self) -> Result<(), DatabaseError> {
        let cursor =
            format!("DECLARE totals NO SCROLL CURSOR FOR SELECT {TOTAL_ROW_COLUMNS} FROM pactolus.totals");
        self.client.batch_execute(&cursor).await?;
        let mut stored = DaySums::default();
        loop {
            let rows = self.client.query(&format!("FETCH {PAGE} FROM totals"), &[]).await?;
            for row in &rows {
                let (key, tallies) = read_total_row(row)?;
                stored.add(&key, &tallies);
            }
            if rows.is_empty() {
                break;
            }
        }
        for day in self.totals.differences(&stored) {
            self.audit
                .add_finding(format!("the sums of the UTC day from {day:?} on are not those of its orders"));
        }
        Ok(())
    }
}

const COUNTS: &str = "SELECT count(*), count(cancel) FROM pactolus.bills";

/// Cursor over the accounts, one page at a time.
struct AccountPages {
    rows: std::vec::IntoIter<Row>,
    /// First id of the next page; `None` after the last page.
    next_page: Option<AccountId>,
}

impl AccountPages {
    async fn next(&mut self, auditor: &Auditor<'_>) -> Result<Option<AccountWalk>, DatabaseError> {
        if self.rows.len() == 0
            && let Some(from) = self.next_page
        {
            let rows = auditor.client.query(&auditor.statements.accounts, &[&from.part(), &from]).await?;
            self.next_page = rows
                .last()
                .map(|last| last.try_get::<_, AccountId>(0))
                .transpose()?
                .and_then(AccountId::next);
            self.rows = rows.into_iter();
        }
        let Some(row) = self.rows.next() else { return Ok(None) };
        let mut columns = RowReader::new(&row);
        let (id, key) = (columns.read()?, rows::key(&mut columns)?);
        let row = rows::account(&mut columns)?;
        Ok(Some(AccountWalk { id, key, row, account: Account::default() }))
    }
}

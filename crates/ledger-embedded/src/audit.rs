//! The audit: walks the journal from its beginning and proves that the books follow from it.
//!
//! For every order: the chain of digests holds, its bill number leads to it and to no other, and the rule makes of
//! the account's order before it exactly what the journal says.
//! For every account: its row is its last order, and all accounts together have as many orders as the journal, so
//! that no order is missing from a chain.
//! Memory is bounded: what was before an order is read from where the order says it stands.

use std::collections::{BTreeMap, HashSet};

use pactolus_ledger::{Account, AccountKey, Audit, Decision, Filed, OrderKind, Sums, TotalKey, decide};

use crate::books::{Books, BooksError};
use crate::journal::entry::Entry;
use crate::journal::scan::{Scan, Step};
use crate::journal::{Mark, Position};
use crate::open::OpenError;
use crate::rows::{AccountRow, BillRow, Row, TotalRow, account_key, bill_key, total_key};

/// Why an audit cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error(transparent)]
    Books(#[from] BooksError),
    #[error(transparent)]
    Journal(#[from] OpenError),
}

/// Audits the books as they are when it begins; orders posted meanwhile are left out.
pub(crate) fn audit(books: &Books) -> Result<Audit, AuditError> {
    let end = books.tail.read().expect("nothing panics while it changes the tail").end;
    let mut auditor =
        Auditor { books, end, audit: Audit::default(), totals: BTreeMap::new(), key: Vec::new() };
    match auditor.walk_journal() {
        Ok(()) => {
            auditor.compare_accounts()?;
            auditor.compare_totals()?;
        }
        // Damage is what an audit is to find.
        Err(AuditError::Journal(damage @ OpenError::Corrupt { .. })) => {
            auditor.audit.find(damage.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(auditor.audit)
}

struct Auditor<'a> {
    books: &'a Books,
    end: Mark,
    audit: Audit,
    totals: BTreeMap<TotalKey, Sums>,
    key: Vec<u8>,
}

impl Auditor<'_> {
    fn walk_journal(&mut self) -> Result<(), AuditError> {
        let mut scan = Scan::new(&self.books.journal, Mark::START);
        while scan.mark().position < self.end.position && matches!(scan.step()?, Step::Frame) {
            for entry in scan.entries() {
                let (position, entry) = entry?;
                self.check(position, &entry)?;
            }
        }
        if *scan.mark() != self.end {
            self.audit.find("the journal ends before the orders that were acknowledged".to_owned());
        }
        Ok(())
    }

    /// Checks one order against those before it.
    fn check(&mut self, position: Position, entry: &Entry) -> Result<(), AuditError> {
        let receipt = &entry.receipt;
        let bill = receipt.order.bill();
        self.audit.orders += 1;
        self.totals.entry(TotalKey::of(receipt)).or_default().count(receipt);

        bill_key(&mut self.key, &bill);
        let row: Option<BillRow> = self.books.row(&self.key)?;
        let is_cancel = matches!(receipt.order.kind, OrderKind::Cancel { .. });
        let leads_here = row.and_then(|row| if is_cancel { row.cancel } else { Some(row.order) });
        if leads_here != Some(position) {
            self.audit.find(format!("{bill} does not lead to its {}", receipt.order.kind.name()));
        }

        let earlier = match row {
            Some(row) if is_cancel && row.order < position => {
                Some(Filed { receipt: self.entry(row.order)?.receipt, cancel: None })
            }
            _ => None,
        };
        let before = match entry.previous {
            None => Account::default(),
            Some(previous) => {
                let previous = self.entry(previous)?.receipt;
                if previous.order.account != receipt.order.account {
                    self.audit.find(format!("{bill} follows an order of another account"));
                }
                previous.after
            }
        };
        match decide(&before, earlier.as_ref(), &receipt.order, receipt.at) {
            Ok(Decision::Apply(right)) if right == *receipt => {}
            _ => self.audit.find(format!("{bill} is not what the rule makes of the orders before it")),
        }
        Ok(())
    }

    /// Compares every account's row with the last of its orders, and their number with the journal's.
    fn compare_accounts(&mut self) -> Result<(), AuditError> {
        let newer: Vec<(Vec<u8>, AccountRow)> = {
            let tail = self.books.tail.read().expect("nothing panics while it changes the tail");
            let frozen = tail.frozen.as_deref().into_iter().flat_map(|rows| &rows.accounts);
            let older = frozen.filter(|(key, _)| !tail.active.accounts.contains_key(*key));
            older.chain(&tail.active.accounts).map(|(key, row)| (key.to_vec(), *row)).collect()
        };
        let mut orders = 0;
        for (key, row) in &newer {
            orders += self.compare_account(key, row)?;
        }
        let in_tail: HashSet<&[u8]> = newer.iter().map(|(key, _)| &**key).collect();
        for row in self.books.views.prefix::<AccountRow>(&[]) {
            let (key, row) = row.map_err(BooksError::from)?;
            if !in_tail.contains(&*key) {
                orders += self.compare_account(&key, &row)?;
            }
        }
        if orders != self.end.orders {
            let kept = self.end.orders;
            self.audit.find(format!("the accounts have {orders} orders and the journal has {kept}"));
        }
        Ok(())
    }

    /// Compares one account's row with its last order; says how many orders it had when the audit began.
    fn compare_account(&mut self, key: &[u8], row: &AccountRow) -> Result<u64, AuditError> {
        let mut last = self.entry(row.last)?;
        let account: AccountKey = last.receipt.order.account;
        account_key(&mut self.key, &account);
        if self.key != key || last.receipt.after != row.account {
            self.audit.find(format!("the row of {} {account:?} is not its last order", AccountRow::VIEW));
        }
        let mut position = row.last;
        while position >= self.end.position {
            // Posted since the audit began.
            let Some(previous) = last.previous else {
                return Ok(0);
            };
            position = previous;
            last = self.entry(position)?;
        }
        self.audit.accounts += 1;
        Ok(last.receipt.after.orders())
    }

    /// Compares the sums per offer, zone and day that no newer order has changed.
    fn compare_totals(&mut self) -> Result<(), AuditError> {
        for (total, sums) in std::mem::take(&mut self.totals) {
            total_key(&mut self.key, &total);
            match self.books.row::<TotalRow>(&self.key)? {
                Some(row) if row.through >= self.end.position || row.sums == sums => {}
                _ => self.audit.find(format!("the sums of {total:?} are not those of its orders")),
            }
        }
        Ok(())
    }

    fn entry(&self, position: Position) -> Result<Entry, BooksError> {
        Ok(self.books.journal.entry(position)?)
    }
}

//! The audit: walks the journal from its start and proves that the books follow from it.
//!
//! For every order: the chain of digests holds, its bill number leads to it alone, and the rule, applied to the
//! account's order before it, gives exactly the journalled effect.
//! For every account: its row is its last order, and all accounts together have as many orders as the journal, so
//! no order is missing from a chain.
//! Memory is bounded: the state before an order is read from where its links point.

use std::collections::BTreeMap;

use pactolus_ledger::{Account, Audit, BillEntry, Decision, HistoryDigest, OrderTallies, TotalKey, decide};

use crate::error::OpenError;
use crate::fingerprint::Fingerprint;
use crate::journal::entry::Entry;
use crate::journal::scan::{Scan, ScanStep};
use crate::journal::{Checkpoint, Position};
use crate::state::{LookupError, StoreState};
use crate::views::ViewError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    #[error(transparent)]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Views(#[from] ViewError),
    #[error(transparent)]
    Journal(#[from] OpenError),
}

/// Audits the books as of its start; orders posted meanwhile are left out. Also proves that their history begins with
/// `since`.
pub(crate) fn audit(state: &StoreState, since: Option<HistoryDigest>) -> Result<Audit, AuditError> {
    let end = state.memtable.end();
    let mut auditor = Auditor { state, end, since, audit: Audit::default(), totals: BTreeMap::new() };
    match auditor.walk_journal() {
        Ok(()) => {
            auditor.compare_accounts()?;
            auditor.compare_totals()?;
        }
        // The audit reports damage as a finding.
        Err(AuditError::Journal(damage @ OpenError::Corrupt { .. })) => {
            auditor.audit.add_finding(damage.to_string());
        }
        Err(error) => return Err(error),
    }
    if auditor.audit.is_clean() {
        auditor.audit.history = Some(end.history());
    }
    Ok(auditor.audit)
}

struct Auditor<'a> {
    state: &'a StoreState,
    end: Checkpoint,
    /// The digest noted earlier, until a batch ends with it.
    since: Option<HistoryDigest>,
    audit: Audit,
    totals: BTreeMap<TotalKey, OrderTallies>,
}

impl Auditor<'_> {
    fn walk_journal(&mut self) -> Result<(), AuditError> {
        let mut scan = Scan::new(&self.state.journal, Checkpoint::START);
        self.match_digest(scan.checkpoint());
        while scan.checkpoint().position < self.end.position && matches!(scan.step()?, ScanStep::Frame) {
            self.match_digest(scan.checkpoint());
            for entry in scan.entries() {
                let (position, entry) = entry?;
                self.check_order(position, &entry)?;
            }
        }
        if *scan.checkpoint() != self.end {
            self.audit.add_finding("the journal ends before the orders that were acknowledged".to_owned());
        }
        if let Some(since) = self.since {
            let orders = since.orders;
            self.audit.add_finding(format!(
                "the history of the first {orders} orders is not the one that {since} stands for"
            ));
        }
        Ok(())
    }

    /// A digest covers the one before it. So if a batch ends with the noted digest, the history up to it is
    /// unchanged.
    fn match_digest(&mut self, checkpoint: &Checkpoint) {
        if self.since == Some(checkpoint.history()) {
            self.since = None;
        }
    }

    /// Checks one order against those before it.
    fn check_order(&mut self, position: Position, entry: &Entry) -> Result<(), AuditError> {
        let receipt = &entry.receipt;
        let bill = receipt.order.bill();
        self.audit.orders += 1;
        self.totals
            .entry(TotalKey::for_order(&receipt.order, receipt.at))
            .or_default()
            .add(receipt.order.kind, receipt.coins);

        let last = self.state.find_bill(self.state.views.seed.bill(&bill))?;
        if last != Some(position) && !self.is_cancelled_at(position, last)? {
            self.audit.add_finding(format!("{bill} does not lead to its {}", receipt.order.kind.name()));
        }

        let earlier = match entry.links.pay {
            Some(pay) => Some(BillEntry { receipt: self.entry(pay)?.receipt, cancel: None }),
            None => None,
        };
        let before = match entry.links.previous {
            None => Account::default(),
            Some(previous) => {
                let previous = self.entry(previous)?.receipt;
                if previous.order.account != receipt.order.account {
                    self.audit.add_finding(format!("{bill} follows an order of another account"));
                }
                previous.after
            }
        };
        match decide(&before, earlier.as_ref(), &receipt.order, receipt.at) {
            Ok(Decision::Apply(expected)) if expected == receipt.effect() => {}
            _ => self.audit.add_finding(format!("{bill} is not what the rule makes of the orders before it")),
        }
        Ok(())
    }

    /// Whether the order at `last` is the cancel of the pay at `pay`.
    fn is_cancelled_at(&self, pay: Position, last: Option<Position>) -> Result<bool, AuditError> {
        match last {
            Some(last) => Ok(self.entry(last)?.links.pay == Some(pay)),
            None => Ok(false),
        }
    }

    /// Compares every account's row with the last of its orders, and their number with the journal's.
    fn compare_accounts(&mut self) -> Result<(), AuditError> {
        let newer = self.state.memtable.changed_accounts();
        let mut orders = 0;
        for (account, row) in &newer {
            if self.entry(row.last)?.receipt.after != row.account {
                self.audit.add_finding(format!(
                    "the account row at position {} differs from its last order",
                    row.last.0
                ));
            }
            orders += self.compare_account(*account, row.last)?;
        }
        // Taken after the memtable: rows that have left it since are here, and were seen there.
        let written = self.state.views.accounts.runs().merge_all();
        let mut records = written.entries().map_err(ViewError::from)?;
        while let Some(record) = records.next().map_err(ViewError::from)? {
            if !newer.contains_key(&record.fingerprint) {
                orders += self.compare_account(record.fingerprint, record.position)?;
            }
        }
        if orders != self.end.orders {
            let journal_orders = self.end.orders;
            self.audit.add_finding(format!(
                "the accounts have {orders} orders and the journal has {journal_orders}"
            ));
        }
        Ok(())
    }

    /// Compares one account's row with its last order; returns the number of its orders when the audit began.
    fn compare_account(&mut self, account: Fingerprint, last: Position) -> Result<u64, AuditError> {
        let mut position = last;
        let mut entry = self.entry(last)?;
        if self.state.views.seed.account(&entry.receipt.order.account) != account {
            self.audit.add_finding(format!(
                "the order at position {} is of another account than its index entry",
                last.0
            ));
        }
        while position >= self.end.position {
            // Posted since the audit began.
            let Some(previous) = entry.links.previous else {
                return Ok(0);
            };
            position = previous;
            entry = self.entry(position)?;
        }
        self.audit.accounts += 1;
        Ok(entry.receipt.after.orders())
    }

    /// Compares the totals per offer, zone and day that no newer order has changed.
    fn compare_totals(&mut self) -> Result<(), AuditError> {
        for (total, sums) in std::mem::take(&mut self.totals) {
            match self.state.total(&total)? {
                Some(row) if row.through >= self.end.position || row.sums == sums => {}
                _ => self.audit.add_finding(format!("the sums of {total:?} are not those of its orders")),
            }
        }
        Ok(())
    }

    fn entry(&self, position: Position) -> Result<Entry, LookupError> {
        Ok(self.state.journal.entry(position)?)
    }
}

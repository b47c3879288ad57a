//! The audit: walks the journal from its start and proves that the books follow from it.
//!
//! For every order: the chain of digests holds, its bill number leads to it alone, and the rule, applied to the
//! account's order before it, gives exactly the journalled effect.
//! For every account: its row is its last order, and all accounts together have as many orders as the journal, so
//! no order is missing from a chain.
//! Damage is a finding and ends nothing that can be checked without the damaged bytes. After it the counts and the
//! totals are not compared, because they lack the damaged orders.
//! Memory is bounded: the state before an order is read from where its links point.

use std::error::Error;

use pactolus_ledger::{
    Account, Audit, AuditFinding, BillEntry, DaySums, Decision, HistoryDigest, OrderKind, PriorEntries,
    Receipt, decide,
};

use crate::disk::is_out_of_files;
use crate::error::OpenError;
use crate::fingerprint::{Fingerprint, FingerprintMap};
use crate::health::with_causes;
use crate::journal::entry::Entry;
use crate::journal::scan::{Scan, ScanStep};
use crate::journal::{AN_ORDER, Checkpoint, Position};
use crate::state::{LookupError, StoreState};
use crate::views::ViewError;

/// Audits the books as of its start; orders posted meanwhile are left out. Also proves that their history begins with
/// `since`.
pub(crate) fn audit(state: &StoreState, since: Option<HistoryDigest>) -> Result<Audit, OpenError> {
    let end = state.memtable.end();
    let mut auditor = Auditor {
        state,
        end,
        since,
        audit: Audit::default(),
        totals: DaySums::default(),
        is_whole: true,
        has_lost_orders: false,
        newest: FingerprintMap::default(),
    };
    if auditor.walk_journal()? {
        auditor.compare_accounts();
        if !auditor.has_lost_orders {
            auditor.compare_totals();
        }
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
    totals: DaySums,
    /// Whether everything could be read so far.
    is_whole: bool,
    /// Whether an order of the journal could not be read.
    has_lost_orders: bool,
    /// The last order of accounts that the walk has seen, which saves a read of it.
    newest: FingerprintMap<(Position, Account)>,
}

/// Accounts in [`Auditor::newest`], at some 140 bytes each: 36 MiB.
const NEWEST_MAX: usize = 262_144;

impl Auditor<'_> {
    /// Checks every order; returns whether the walk reached the end.
    fn walk_journal(&mut self) -> Result<bool, OpenError> {
        let mut scan = Scan::new(&self.state.journal, Checkpoint::START);
        self.match_digest(scan.checkpoint());
        while scan.checkpoint().position < self.end.position {
            match scan.step() {
                Ok(ScanStep::Frame) => {
                    for entry in scan.entries() {
                        match entry {
                            Ok((position, entry)) => self.check_order(position, &entry),
                            Err(damage) => self.add_lost_order(&damage),
                        }
                    }
                }
                Ok(ScanStep::End | ScanStep::Torn) => break,
                Err(damage @ OpenError::Corrupt { .. }) => {
                    if !self.check_damaged(&mut scan, &damage) {
                        return Ok(false);
                    }
                }
                Err(OpenError::Io(error)) if !is_out_of_files(&error) => {
                    let damage = scan.unreadable(error);
                    self.add_lost_order(&damage);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
            self.match_digest(scan.checkpoint());
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
        Ok(true)
    }

    /// Checks the readable orders of a damaged batch, and reports the others. Returns whether the walk can go on: not
    /// if the batch's header is unreadable.
    fn check_damaged(&mut self, scan: &mut Scan<'_>, damage: &OpenError) -> bool {
        let Some(entries) = scan.step_over() else {
            self.add_lost_order(damage);
            return false;
        };
        if entries.iter().all(Result::is_ok) {
            // The batch as a whole has changed: an order was taken out or put in.
            self.add_lost_order(damage);
        }
        for entry in entries {
            match entry {
                Ok((position, entry)) => self.check_order(position, &entry),
                Err(position) => self.add_lost_order(&scan.corruption(position, AN_ORDER)),
            }
        }
        true
    }

    fn add_lost_order(&mut self, damage: &(dyn Error + 'static)) {
        self.has_lost_orders = true;
        self.add_damage(damage);
    }

    /// Reports damage, each place once: many orders may need one that is damaged.
    fn add_damage(&mut self, damage: &(dyn Error + 'static)) {
        self.is_whole = false;
        let finding = AuditFinding::from(with_causes(damage));
        if !self.audit.findings.contains(&finding) {
            self.audit.add_finding(finding);
        }
    }

    /// What was read, or a finding.
    fn read<T>(&mut self, read: Result<T, LookupError>) -> Option<T> {
        read.map_err(|error| self.add_damage(&error)).ok()
    }

    /// A digest covers the one before it. So if a batch ends with the noted digest, the history up to it is
    /// unchanged.
    fn match_digest(&mut self, checkpoint: &Checkpoint) {
        if self.since == Some(checkpoint.history()) {
            self.since = None;
        }
    }

    /// Checks one order against those before it.
    fn check_order(&mut self, position: Position, entry: &Entry) {
        let receipt = &entry.receipt;
        let bill = receipt.order.bill();
        self.audit.count_order(receipt.at);
        self.totals.count(&receipt.order, receipt.at, receipt.coins);

        let last = self.state.find_bill(self.state.views.seed.bill(&bill));
        let leads_here =
            last.and_then(|last| Ok(last == Some(position) || self.is_given_back_at(position, last)?));
        if self.read(leads_here) == Some(false) {
            self.audit.add_finding(format!("{bill} does not lead to its {}", receipt.order.kind.name()));
        }

        let given_back = self.pay_before(position, entry);
        let before = self.account_before(entry);
        self.note_newest(position, receipt);
        let (Some(given_back), Some(before)) = (self.read(given_back), before) else { return };
        let earlier = match receipt.order.kind {
            OrderKind::Cancel { .. } => PriorEntries { number: given_back.as_ref(), pay: None },
            OrderKind::Save(_)
            | OrderKind::Present(_)
            | OrderKind::Pay(_)
            | OrderKind::Debit(_)
            | OrderKind::Refund(_) => PriorEntries { number: None, pay: given_back.as_ref() },
        };
        match decide(&before, earlier, &receipt.order, receipt.at) {
            Ok(Decision::Apply(expected)) if expected == receipt.effect() => {}
            _ => self.audit.add_finding(format!("{bill} is not what the rule makes of the orders before it")),
        }
    }

    /// The account before an order: after the order that it links to. `None` if that cannot be read.
    fn account_before(&mut self, entry: &Entry) -> Option<Account> {
        let Some(previous) = entry.links.previous else {
            return Some(Account::default());
        };
        let account = &entry.receipt.order.account;
        let newest = self.newest.get(&self.state.views.seed.account(account));
        if let Some((_, after)) = newest.filter(|(position, _)| *position == previous) {
            return Some(*after);
        }
        let previous = self.entry(previous);
        let previous = self.read(previous)?.receipt;
        if previous.order.account != *account {
            let bill = entry.receipt.order.bill();
            self.audit.add_finding(format!("{bill} follows an order of another account"));
        }
        Some(previous.after)
    }

    fn note_newest(&mut self, position: Position, receipt: &Receipt) {
        if self.newest.len() >= NEWEST_MAX {
            self.newest.clear();
        }
        let account = self.state.views.seed.account(&receipt.order.account);
        self.newest.insert(account, (position, receipt.after));
    }

    /// The pay that an order gives back, as the refund before it left it. A refund must also be in the chain that the
    /// pay's number leads to: then the chain has all refunds of the pay, each decided after the one before it.
    fn pay_before(&mut self, position: Position, entry: &Entry) -> Result<Option<BillEntry>, LookupError> {
        let Some(pay) = entry.links.pay else { return Ok(None) };
        let cancel = match entry.links.refund {
            Some(refund) => Some(self.entry(refund)?.receipt),
            None => None,
        };
        let receipt = self.entry(pay)?.receipt;
        if let Some(bill) = entry.receipt.order.pay_bill() {
            let mut next = self.state.find_bill(self.state.views.seed.bill(&bill))?;
            while let Some(later) = next.filter(|later| *later > position) {
                next = self.entry(later)?.links.refund;
            }
            let before = cancel.as_ref().and_then(|before| before.order.pay_bill());
            if next != Some(position) || receipt.order.bill() != bill || before.is_some_and(|of| of != bill) {
                self.audit.add_finding(format!("{bill} does not lead to its refunds"));
            }
        }
        Ok(Some(BillEntry { receipt, cancel }))
    }

    /// Whether the order at `last` gave back the pay at `pay`.
    fn is_given_back_at(&self, pay: Position, last: Option<Position>) -> Result<bool, LookupError> {
        match last {
            Some(last) => Ok(self.entry(last)?.links.pay == Some(pay)),
            None => Ok(false),
        }
    }

    /// Compares every account's row with the last of its orders, and their number with the journal's.
    fn compare_accounts(&mut self) {
        let newer = self.state.memtable.changed_accounts();
        let mut orders = 0;
        for (account, row) in &newer {
            let last = self.entry(row.last);
            if self.read(last).is_some_and(|last| last.receipt.after != row.account) {
                self.audit.add_finding(format!(
                    "the account row at position {} differs from its last order",
                    row.last.0
                ));
            }
            orders += self.compare_account(*account, row.last);
        }
        // Taken after the memtable: rows that have left it since are here, and were seen there.
        let written = self.state.views.accounts.runs().merge_all();
        let records = written.entries();
        let mut records = self.read(records.map_err(|error| ViewError::from(error).into()));
        while let Some(reader) = &mut records {
            let record = reader.next().map_err(|error| ViewError::from(error).into());
            // After a damaged block the rest of the run is not compared.
            let Some(record) = self.read(record).flatten() else { break };
            if !newer.contains_key(&record.fingerprint) {
                orders += self.compare_account(record.fingerprint, record.position);
            }
        }
        if self.is_whole && orders != self.end.orders {
            let journal_orders = self.end.orders;
            self.audit.add_finding(format!(
                "the accounts have {orders} orders and the journal has {journal_orders}"
            ));
        }
    }

    /// Compares one account's row with its last order; returns the number of its orders when the audit began.
    fn compare_account(&mut self, account: Fingerprint, last: Position) -> u64 {
        let found = self.try_compare_account(account, last);
        self.read(found).unwrap_or_default()
    }

    fn try_compare_account(&mut self, account: Fingerprint, last: Position) -> Result<u64, LookupError> {
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

    /// Compares the totals of the days that no newer order has changed. Rows without orders differ too.
    fn compare_totals(&mut self) {
        let (mut stored, mut newer) = (DaySums::default(), Vec::new());
        let visited = self.state.visit_totals(None, |key, row| {
            stored.add(&key, &row.sums);
            if row.through >= self.end.position {
                newer.push(key);
            }
        });
        if self.read(visited).is_none() {
            return;
        }
        let mut counted = std::mem::take(&mut self.totals);
        for key in newer {
            stored.remove_day(&key);
            counted.remove_day(&key);
        }
        for day in counted.differences(&stored) {
            self.audit
                .add_finding(format!("the sums of the UTC day from {day:?} on are not those of its orders"));
        }
    }

    fn entry(&self, position: Position) -> Result<Entry, LookupError> {
        Ok(self.state.journal.entry(position)?)
    }
}

//! In-memory state of a batch: the accounts and bill numbers that it read, with its decisions applied.
//!
//! Orders are decided in sequence, each against the state that the orders before it left.

use std::collections::HashMap;

use pactolus_ledger::{
    Account, AccountKey, BillEntry, BillKey, Decision, Order, OrderKind, Posted, PriorEntries, Receipt,
    Refusal, decide,
};

use super::PendingOrder;
use crate::error::DatabaseError;
use crate::id::{AccountId, BillId};

/// Accounts and bill numbers of a batch.
#[derive(Default)]
pub(super) struct BatchState {
    accounts: HashMap<AccountId, AccountState>,
    bills: HashMap<BillId, BillState>,
    applied: Vec<AppliedOrder>,
}

/// An account as the batch leaves it.
pub(super) struct AccountState {
    pub(super) key: AccountKey,
    pub(super) account: Account,
    /// Order count in the stored row; `None` if there is no row.
    pub(super) stored_orders: Option<u64>,
}

/// The entry of a bill number and its row before the batch.
struct BillState {
    entry: BillEntry,
    row: BillRowState,
}

/// Content of a bill number's row before the batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BillRowState {
    Absent,
    /// An order and, for a pay, the number of the order that gave it back last.
    Present {
        cancel: Option<u64>,
    },
}

/// Account rows to write, each list sorted by id.
pub(super) struct AccountChanges<'a> {
    pub(super) new: Vec<(AccountId, &'a AccountState)>,
    pub(super) updated: Vec<(AccountId, &'a AccountState)>,
}

pub(super) struct AppliedOrder {
    pub(super) account: AccountId,
    pub(super) receipt: Receipt,
}

/// A bill row to write; it refers to its orders by number.
pub(super) struct BillChange {
    pub(super) bill: BillId,
    pub(super) account: AccountId,
    pub(super) number: u64,
    /// The order that gave back the pay last.
    pub(super) cancel: Option<u64>,
    /// The same in the row before the batch.
    pub(super) cancel_before: Option<u64>,
}

/// Bill rows to write, each list sorted by id.
#[derive(Default)]
pub(super) struct BillChanges {
    pub(super) new: Vec<BillChange>,
    /// Rows of pays that this batch gives back.
    pub(super) cancelled: Vec<BillChange>,
}

impl BatchState {
    /// Adds an account that was read from its row.
    pub(super) fn add_account(&mut self, id: AccountId, key: &AccountKey, account: Account) {
        let stored_orders = Some(account.orders());
        self.accounts.insert(id, AccountState { key: *key, account, stored_orders });
    }

    /// Adds the entry of a bill number that was read from its row.
    pub(super) fn add_bill(&mut self, id: BillId, entry: BillEntry) {
        let row = BillRowState::Present { cancel: number_of(entry.cancel.as_ref()) };
        self.bills.insert(id, BillState { entry, row });
    }

    /// Decides an order, and applies its effect to the state.
    pub(super) fn decide(
        &mut self,
        pending: &PendingOrder,
    ) -> Result<Result<Posted, Refusal>, DatabaseError> {
        let PendingOrder { order, account: id, bill, pay, now } = pending;
        let state = self.accounts.entry(*id).or_insert_with(|| AccountState {
            key: order.account,
            account: Account::default(),
            stored_orders: None,
        });
        if state.key != order.account {
            return Err(DatabaseError::Corrupt("two accounts have one id"));
        }
        let earlier = find(&self.bills, *bill, &order.bill())?;
        let pay = match (pay, order.pay_bill()) {
            (Some(id), Some(key)) => find(&self.bills, *id, &key)?,
            (Some(_) | None, _) => None,
        };
        // An account with an order has a row. Without a row the account could not be locked, and its read is older
        // than the read of the bill number.
        let is_own_row = |earlier: &&BillState| {
            earlier.row != BillRowState::Absent && earlier.entry.receipt.order.account == order.account
        };
        if state.stored_orders.is_none() && [earlier, pay].iter().flatten().any(is_own_row) {
            return Err(DatabaseError::StaleRead);
        }
        let account = state.account;
        let earlier =
            PriorEntries { number: earlier.map(|state| &state.entry), pay: pay.map(|state| &state.entry) };
        match decide(&account, earlier, order, *now) {
            Err(refusal) => Ok(Err(refusal)),
            Ok(Decision::Replay(receipt)) => Ok(Ok(Posted::Replayed { receipt: receipt.clone(), account })),
            Ok(Decision::Apply(change)) => {
                let receipt = Receipt::new(Order::clone(order), change);
                state.account = receipt.after;
                self.record(pending, &receipt);
                self.applied.push(AppliedOrder { account: *id, receipt: receipt.clone() });
                Ok(Ok(Posted::Applied(receipt)))
            }
        }
    }

    fn record(&mut self, pending: &PendingOrder, receipt: &Receipt) {
        let (given_back, own) = match receipt.order.kind {
            OrderKind::Cancel { .. } => (Some(pending.bill), None),
            OrderKind::Refund(_) => (pending.pay, Some(pending.bill)),
            OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) | OrderKind::Debit(_) => {
                (None, Some(pending.bill))
            }
        };
        if let Some(pay) = given_back {
            let pay = self.bills.get_mut(&pay).expect("only a pay that is there is given back");
            pay.entry.cancel = Some(receipt.clone());
        }
        if let Some(own) = own {
            let entry = BillEntry { receipt: receipt.clone(), cancel: None };
            self.bills.insert(own, BillState { entry, row: BillRowState::Absent });
        }
    }

    /// The applied orders, in the sequence of their decisions.
    pub(super) fn applied(&self) -> &[AppliedOrder] {
        &self.applied
    }

    pub(super) fn changed_accounts(&self) -> AccountChanges<'_> {
        let has_changed =
            |state: &AccountState| state.stored_orders.unwrap_or_default() != state.account.orders();
        let mut changed: Vec<_> = self
            .accounts
            .iter()
            .filter(|(_, state)| has_changed(state))
            .map(|(id, drafted)| (*id, drafted))
            .collect();
        changed.sort_unstable_by_key(|(id, _)| *id);
        let (new, stored) = changed.into_iter().partition(|(_, drafted)| drafted.stored_orders.is_none());
        AccountChanges { new, updated: stored }
    }

    pub(super) fn changed_bills(&self) -> BillChanges {
        let mut changes = BillChanges::default();
        for (id, BillState { entry, row: stored }) in &self.bills {
            let cancel = number_of(entry.cancel.as_ref());
            let (to, cancel_before) = match stored {
                BillRowState::Absent => (&mut changes.new, None),
                BillRowState::Present { cancel: before } if *before != cancel => {
                    (&mut changes.cancelled, *before)
                }
                BillRowState::Present { .. } => continue,
            };
            to.push(BillChange {
                bill: *id,
                account: AccountId::derive(&entry.receipt.order.account),
                number: entry.receipt.after.orders(),
                cancel,
                cancel_before,
            });
        }
        changes.new.sort_unstable_by_key(|change| change.bill);
        changes.cancelled.sort_unstable_by_key(|change| change.bill);
        changes
    }
}

/// The entry of a bill number, compared in full.
fn find<'b>(
    bills: &'b HashMap<BillId, BillState>,
    id: BillId,
    key: &BillKey,
) -> Result<Option<&'b BillState>, DatabaseError> {
    let found = bills.get(&id);
    if found.is_some_and(|found| found.entry.receipt.order.bill() != *key) {
        return Err(DatabaseError::Corrupt("two bill numbers have one id"));
    }
    Ok(found)
}

fn number_of(receipt: Option<&Receipt>) -> Option<u64> {
    receipt.map(|receipt| receipt.after.orders())
}

#[cfg(test)]
mod tests {
    use pactolus_test_support::orders;
    use pactolus_types::UnixMillis;

    use super::*;

    fn present(bill: &str) -> PendingOrder {
        PendingOrder::new(orders::order("player", bill, orders::present(5)), UnixMillis::new(1))
    }

    /// The bug: the first order of an account reached two nodes at once. One node found no account row, waited, and
    /// then found the bill number that the other had committed meanwhile.
    /// The loss: the replay reported a balance of 0.
    /// The fix: such a batch fails with `StaleRead` and is retried.
    #[test]
    fn concurrently_inserted_account_is_stale() {
        let pending = present("first");
        let mut other = BatchState::default();
        let Ok(Ok(Posted::Applied(receipt))) = other.decide(&pending) else { panic!("it is new") };

        let mut stale = BatchState::default();
        stale.add_bill(pending.bill, BillEntry { receipt: receipt.clone(), cancel: None });
        assert!(matches!(stale.decide(&pending), Err(DatabaseError::StaleRead)));

        let mut fresh = BatchState::default();
        fresh.add_account(pending.account, &pending.order.account, receipt.after);
        fresh.add_bill(pending.bill, BillEntry { receipt: receipt.clone(), cancel: None });
        let account = receipt.after;
        assert_eq!(fresh.decide(&pending).unwrap(), Ok(Posted::Replayed { receipt, account }));
    }

    /// Within one batch, a replay also meets an account without a row, and that is correct.
    #[test]
    fn batch_may_contain_an_order_and_its_replay() {
        let mut state = BatchState::default();
        assert!(matches!(state.decide(&present("first")), Ok(Ok(Posted::Applied(_)))));
        assert!(matches!(state.decide(&present("first")), Ok(Ok(Posted::Replayed { .. }))));
    }
}

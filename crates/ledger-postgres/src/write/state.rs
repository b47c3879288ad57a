//! A draft: what a batch makes of the accounts and bill numbers that it read, before it is written.
//!
//! Its orders are decided one after the other, each against what those before it left.

use std::collections::HashMap;

use pactolus_ledger::{
    Account, AccountKey, BillEntry, Decision, Order, OrderKind, Posted, Receipt, Refusal, decide,
};

use super::Asked;
use crate::error::Trouble;
use crate::id::{AccountId, BillId};

/// The books of a batch.
#[derive(Default)]
pub(super) struct Draft {
    accounts: HashMap<AccountId, Drafted>,
    bills: HashMap<BillId, Bill>,
    applied: Vec<Applied>,
}

/// An account as the batch leaves it.
pub(super) struct Drafted {
    pub(super) key: AccountKey,
    pub(super) account: Account,
    /// How many orders its row has; nothing if there is no row.
    pub(super) stored_orders: Option<u64>,
}

/// What a bill number made.
struct Bill {
    filed: BillEntry,
    stored: Stored,
}

/// How much of a bill number was there before the batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stored {
    Nothing,
    Order,
    OrderAndCancel,
}

/// The rows of accounts to write, each kind in the order of their ids.
pub(super) struct AccountChanges<'a> {
    /// Accounts that were not there.
    pub(super) new: Vec<(AccountId, &'a Drafted)>,
    /// Accounts that were.
    pub(super) stored: Vec<(AccountId, &'a Drafted)>,
}

/// An order that applies.
pub(super) struct Applied {
    pub(super) account: AccountId,
    pub(super) receipt: Receipt,
}

/// A bill number's row to write, by the numbers of its orders.
pub(super) struct BillChange {
    pub(super) bill: BillId,
    pub(super) account: AccountId,
    pub(super) number: u64,
    pub(super) cancel: Option<u64>,
}

/// The rows of bill numbers to write, each kind in the order of their ids.
#[derive(Default)]
pub(super) struct BillChanges {
    /// Bill numbers that were not there.
    pub(super) new: Vec<BillChange>,
    /// Pays that were there and are cancelled.
    pub(super) cancelled: Vec<BillChange>,
}

impl Draft {
    /// Notes an account that was read.
    pub(super) fn add_account(&mut self, id: AccountId, key: &AccountKey, account: Account) {
        let stored_orders = Some(account.orders());
        self.accounts.insert(id, Drafted { key: *key, account, stored_orders });
    }

    /// Notes what a bill number made.
    pub(super) fn add_bill(&mut self, id: BillId, filed: BillEntry) {
        let stored = if filed.cancel.is_some() { Stored::OrderAndCancel } else { Stored::Order };
        self.bills.insert(id, Bill { filed, stored });
    }

    /// Decides an order, and notes what it did.
    pub(super) fn decide(&mut self, asked: &Asked) -> Result<Result<Posted, Refusal>, Trouble> {
        let Asked { order, account: id, bill, now } = asked;
        let drafted = self.accounts.entry(*id).or_insert_with(|| Drafted {
            key: order.account,
            account: Account::default(),
            stored_orders: None,
        });
        if drafted.key != order.account {
            return Err(Trouble::Damaged("two accounts have one id"));
        }
        let earlier = self.bills.get(bill);
        if earlier.is_some_and(|earlier| earlier.filed.receipt.order.bill() != order.bill()) {
            return Err(Trouble::Damaged("two bill numbers have one id"));
        }
        // An account with an order has a row. One without a row could not be locked, and what was read of it is older
        // than what was read of the bill number.
        let is_its_own = |earlier: &&Bill| {
            earlier.stored != Stored::Nothing && earlier.filed.receipt.order.account == order.account
        };
        if drafted.stored_orders.is_none() && earlier.as_ref().is_some_and(is_its_own) {
            return Err(Trouble::Overtaken);
        }
        let account = drafted.account;
        match decide(&account, earlier.map(|earlier| &earlier.filed), order, *now) {
            Err(refusal) => Ok(Err(refusal)),
            Ok(Decision::Replay(receipt)) => Ok(Ok(Posted::Replayed { receipt: receipt.clone(), account })),
            Ok(Decision::Apply(change)) => {
                let receipt = Receipt::new(Order::clone(order), change);
                drafted.account = receipt.after;
                self.file(*bill, &receipt);
                self.applied.push(Applied { account: *id, receipt: receipt.clone() });
                Ok(Ok(Posted::Applied(receipt)))
            }
        }
    }

    fn file(&mut self, bill: BillId, receipt: &Receipt) {
        match receipt.order.kind {
            OrderKind::Cancel { .. } => {
                let pay = self.bills.get_mut(&bill).expect("a cancel applies only to a pay that is there");
                pay.filed.cancel = Some(receipt.clone());
            }
            OrderKind::Save(_) | OrderKind::Present(_) | OrderKind::Pay(_) => {
                let filed = BillEntry { receipt: receipt.clone(), cancel: None };
                self.bills.insert(bill, Bill { filed, stored: Stored::Nothing });
            }
        }
    }

    /// The orders that apply, in the order in which they were decided.
    pub(super) fn applied(&self) -> &[Applied] {
        &self.applied
    }

    /// The accounts that changed.
    pub(super) fn changed_accounts(&self) -> AccountChanges<'_> {
        let has_changed =
            |drafted: &Drafted| drafted.stored_orders.unwrap_or_default() != drafted.account.orders();
        let mut changed: Vec<_> = self
            .accounts
            .iter()
            .filter(|(_, drafted)| has_changed(drafted))
            .map(|(id, drafted)| (*id, drafted))
            .collect();
        changed.sort_unstable_by_key(|(id, _)| *id);
        let (new, stored) = changed.into_iter().partition(|(_, drafted)| drafted.stored_orders.is_none());
        AccountChanges { new, stored }
    }

    /// The bill numbers that changed.
    pub(super) fn changed_bills(&self) -> BillChanges {
        let mut changes = BillChanges::default();
        for (id, Bill { filed, stored }) in &self.bills {
            let to = match (stored, &filed.cancel) {
                (Stored::Nothing, _) => &mut changes.new,
                (Stored::Order, Some(_)) => &mut changes.cancelled,
                (Stored::Order, None) | (Stored::OrderAndCancel, _) => continue,
            };
            to.push(BillChange {
                bill: *id,
                account: AccountId::of(&filed.receipt.order.account),
                number: filed.receipt.after.orders(),
                cancel: filed.cancel.as_ref().map(|cancel| cancel.after.orders()),
            });
        }
        changes.new.sort_unstable_by_key(|change| change.bill);
        changes.cancelled.sort_unstable_by_key(|change| change.bill);
        changes
    }
}

#[cfg(test)]
mod tests {
    use pactolus_ledger::Memo;
    use pactolus_types::{Amount, Environment, UnixMillis};

    use super::*;

    fn present(bill: &str) -> Asked {
        let account = AccountKey {
            app: "wx1234567".parse().unwrap(),
            environment: Environment::Live,
            offer: "12345678".parse().unwrap(),
            player: "player".parse().unwrap(),
            zone: "1".parse().unwrap(),
        };
        let kind = OrderKind::Present(Amount::new(5).unwrap().into());
        let order = Order { account, bill_no: bill.parse().unwrap(), kind, memo: Memo::default() };
        Asked::new(order, UnixMillis::new(1))
    }

    /// The first order of an account came to two nodes at once. One found no account, waited, found the bill number
    /// that the other had committed meanwhile, and told a balance of 0 with it. Such a batch is tried again now.
    #[test]
    fn an_account_that_came_about_meanwhile_is_read_again() {
        let asked = present("first");
        let mut other = Draft::default();
        let Ok(Ok(Posted::Applied(receipt))) = other.decide(&asked) else { panic!("it is new") };

        let mut stale = Draft::default();
        stale.add_bill(asked.bill, BillEntry { receipt: receipt.clone(), cancel: None });
        assert!(matches!(stale.decide(&asked), Err(Trouble::Overtaken)));

        let mut fresh = Draft::default();
        fresh.add_account(asked.account, &asked.order.account, receipt.after);
        fresh.add_bill(asked.bill, BillEntry { receipt: receipt.clone(), cancel: None });
        let account = receipt.after;
        assert_eq!(fresh.decide(&asked).unwrap(), Ok(Posted::Replayed { receipt, account }));
    }

    /// Within one batch the first order's account has no row either, and nothing is wrong with that.
    #[test]
    fn an_order_and_its_repetition_may_be_in_one_batch() {
        let mut draft = Draft::default();
        assert!(matches!(draft.decide(&present("first")), Ok(Ok(Posted::Applied(_)))));
        assert!(matches!(draft.decide(&present("first")), Ok(Ok(Posted::Replayed { .. }))));
    }
}

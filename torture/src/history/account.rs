//! An account as the contract tells it: the smallest bank that explains what callers were told.
//!
//! It is written from `docs/protocol.md` alone and must use nothing of the bank's own rules, or it would explain
//! their mistakes as well.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A bill number of an account's, by its place among them.
pub(crate) type Bill = u32;

/// What a caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Asked {
    Present { bill: Bill, coins: u64 },
    Pay { bill: Bill, coins: u64 },
    Cancel { bill: Bill },
    Balance,
}

impl Asked {
    /// What only one order ever does: to use a bill number, or to give back what it took. A look does nothing.
    pub(crate) fn does(self) -> Option<Does> {
        match self {
            Self::Present { bill, .. } | Self::Pay { bill, .. } => Some(Does::Make(bill)),
            Self::Cancel { bill } => Some(Does::Cancel(bill)),
            Self::Balance => None,
        }
    }
}

/// See [`Asked::does`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Does {
    Make(Bill),
    Cancel(Bill),
}

/// What a caller was told, as far as the contract fixes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// A present is done.
    Given { balance: u64 },
    /// A pay is done.
    Taken { balance: u64, gifted: u64 },
    /// A cancel is done.
    GivenBack,
    /// 90012, of this very order.
    Exists { balance: u64 },
    /// 90012, of another order with the number.
    AnotherExists,
    /// Any other refusal.
    Refused { errcode: i32 },
    /// What the player has.
    Sums(Sums),
}

/// What getbalance tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sums {
    pub(crate) balance: u64,
    pub(crate) gen_balance: u64,
    pub(crate) save_amt: u64,
    pub(crate) save_sum: u64,
    pub(crate) cost_sum: u64,
    pub(crate) present_sum: u64,
}

impl Told {
    /// Whether it says that this very call did it.
    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Given { .. } | Self::Taken { .. } | Self::GivenBack)
    }

    /// Whether it says that the same order was done before.
    pub(crate) fn is_replay(self) -> bool {
        matches!(self, Self::Exists { .. } | Self::Refused { errcode: ORDER_CANCELED })
    }
}

pub(crate) const BALANCE_NOT_ENOUGH: i32 = 90013;
pub(crate) const ORDER_NOT_EXIST: i32 = 90000;
pub(crate) const ORDER_CANCELED: i32 = 90015;

/// An account, and what its bill numbers made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    save_amt: u64,
    present_sum: u64,
    cost_sum: u64,
    gen_balance: u64,
    orders: Arc<BTreeMap<Bill, Made>>,
}

/// What a bill number made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Made {
    Present { coins: u64 },
    Pay { coins: u64, gifted: u64, is_cancelled: bool },
}

impl Account {
    /// An account with so many coins topped up, and nothing else.
    pub(crate) fn topped_up(coins: u64) -> Self {
        Self { save_amt: coins, ..Self::default() }
    }

    fn balance(&self) -> u64 {
        self.save_amt + self.present_sum - self.cost_sum
    }

    /// What getbalance tells now.
    pub(crate) fn sums(&self) -> Sums {
        Sums {
            balance: self.balance(),
            gen_balance: self.gen_balance,
            save_amt: self.save_amt,
            save_sum: self.save_amt + self.present_sum,
            cost_sum: self.cost_sum,
            present_sum: self.present_sum,
        }
    }

    /// Does what was asked for, and tells what the caller is told.
    pub(crate) fn carry_out(&mut self, asked: Asked) -> Told {
        match asked {
            Asked::Present { bill, coins } => match self.orders.get(&bill) {
                Some(Made::Present { coins: made }) if *made == coins => self.exists(),
                Some(_) => Told::AnotherExists,
                None => {
                    self.present_sum += coins;
                    self.gen_balance += coins;
                    self.make(bill, Made::Present { coins });
                    Told::Given { balance: self.balance() }
                }
            },
            Asked::Pay { bill, coins } => match self.orders.get(&bill) {
                Some(Made::Pay { coins: made, .. }) if *made == coins => self.exists(),
                Some(_) => Told::AnotherExists,
                None if self.balance() < coins => Told::Refused { errcode: BALANCE_NOT_ENOUGH },
                None => {
                    let gifted = self.gen_balance.min(coins);
                    self.cost_sum += coins;
                    self.gen_balance -= gifted;
                    self.make(bill, Made::Pay { coins, gifted, is_cancelled: false });
                    Told::Taken { balance: self.balance(), gifted }
                }
            },
            Asked::Cancel { bill } => match self.orders.get(&bill).copied() {
                Some(Made::Pay { is_cancelled: true, .. }) => Told::Refused { errcode: ORDER_CANCELED },
                Some(Made::Pay { coins, gifted, is_cancelled: false }) => {
                    self.cost_sum -= coins;
                    self.gen_balance += gifted;
                    self.make(bill, Made::Pay { coins, gifted, is_cancelled: true });
                    Told::GivenBack
                }
                Some(Made::Present { .. }) | None => Told::Refused { errcode: ORDER_NOT_EXIST },
            },
            Asked::Balance => Told::Sums(self.sums()),
        }
    }

    fn exists(&self) -> Told {
        Told::Exists { balance: self.balance() }
    }

    fn make(&mut self, bill: Bill, made: Made) {
        Arc::make_mut(&mut self.orders).insert(bill, made);
    }
}

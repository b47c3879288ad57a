//! Reference model of one account: the smallest sequential bank that follows the contract.
//!
//! It is written from `docs/protocol/midas.md` alone. It must share no code with the bank's own rules, or it would repeat
//! their mistakes.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Index of a bill number within its account.
pub(crate) type BillIndex = u32;

/// A call, without its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Invocation {
    Present { bill: BillIndex, coins: u64 },
    Pay { bill: BillIndex, coins: u64 },
    Cancel { bill: BillIndex },
    Balance,
}

impl Invocation {
    /// The effect that at most one order can have: it uses a bill number, or it refunds a pay. A balance query has
    /// none.
    pub(crate) fn effect(self) -> Option<Effect> {
        match self {
            Self::Present { bill, .. } | Self::Pay { bill, .. } => Some(Effect::UseBillNo(bill)),
            Self::Cancel { bill } => Some(Effect::Cancel(bill)),
            Self::Balance => None,
        }
    }
}

/// See [`Invocation::effect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Effect {
    UseBillNo(BillIndex),
    Cancel(BillIndex),
}

/// An answer, as far as the contract determines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Response {
    /// Success of a present.
    Presented { balance: u64 },
    /// Success of a pay.
    Paid { balance: u64, gifted: u64 },
    /// Success of a cancel.
    Cancelled,
    /// 90012, the same order: an idempotent replay.
    Replayed { balance: u64 },
    /// 90012, another order with this bill number.
    Conflict,
    /// Any other refusal.
    Refused { errcode: i32 },
    /// Success of a balance query.
    Balances(Balances),
}

/// Answer of getbalance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Balances {
    pub(crate) balance: u64,
    pub(crate) gen_balance: u64,
    pub(crate) save_amt: u64,
    pub(crate) save_sum: u64,
    pub(crate) cost_sum: u64,
    pub(crate) present_sum: u64,
}

impl Response {
    /// Whether this very call applied its order.
    pub(crate) fn is_applied(self) -> bool {
        matches!(self, Self::Presented { .. } | Self::Paid { .. } | Self::Cancelled)
    }

    /// Whether an earlier call applied the same order.
    pub(crate) fn is_replay(self) -> bool {
        matches!(self, Self::Replayed { .. } | Self::Refused { errcode: ORDER_CANCELED })
    }
}

pub(crate) const BALANCE_NOT_ENOUGH: i32 = 90013;
pub(crate) const ORDER_NOT_EXIST: i32 = 90000;
pub(crate) const ORDER_CANCELED: i32 = 90015;

/// An account and its orders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    save_amt: u64,
    present_sum: u64,
    cost_sum: u64,
    gen_balance: u64,
    orders: Arc<BTreeMap<BillIndex, OrderRecord>>,
}

/// The order of a bill number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum OrderRecord {
    Present { coins: u64 },
    Pay { coins: u64, gifted: u64, is_cancelled: bool },
}

impl Account {
    /// An account with a top-up of so many coins.
    pub(crate) fn with_top_up(coins: u64) -> Self {
        Self { save_amt: coins, ..Self::default() }
    }

    fn balance(&self) -> u64 {
        self.save_amt + self.present_sum - self.cost_sum
    }

    /// Current answer of getbalance.
    pub(crate) fn balances(&self) -> Balances {
        Balances {
            balance: self.balance(),
            gen_balance: self.gen_balance,
            save_amt: self.save_amt,
            save_sum: self.save_amt + self.present_sum,
            cost_sum: self.cost_sum,
            present_sum: self.present_sum,
        }
    }

    /// Applies a call, and returns its answer.
    pub(crate) fn apply(&mut self, invocation: Invocation) -> Response {
        match invocation {
            Invocation::Present { bill, coins } => match self.orders.get(&bill) {
                Some(OrderRecord::Present { coins: made }) if *made == coins => self.replayed(),
                Some(_) => Response::Conflict,
                None => {
                    self.present_sum += coins;
                    self.gen_balance += coins;
                    self.record_order(bill, OrderRecord::Present { coins });
                    Response::Presented { balance: self.balance() }
                }
            },
            Invocation::Pay { bill, coins } => match self.orders.get(&bill) {
                Some(OrderRecord::Pay { coins: made, .. }) if *made == coins => self.replayed(),
                Some(_) => Response::Conflict,
                None if self.balance() < coins => Response::Refused { errcode: BALANCE_NOT_ENOUGH },
                None => {
                    let gifted = self.gen_balance.min(coins);
                    self.cost_sum += coins;
                    self.gen_balance -= gifted;
                    self.record_order(bill, OrderRecord::Pay { coins, gifted, is_cancelled: false });
                    Response::Paid { balance: self.balance(), gifted }
                }
            },
            Invocation::Cancel { bill } => match self.orders.get(&bill).copied() {
                Some(OrderRecord::Pay { is_cancelled: true, .. }) => {
                    Response::Refused { errcode: ORDER_CANCELED }
                }
                Some(OrderRecord::Pay { coins, gifted, is_cancelled: false }) => {
                    self.cost_sum -= coins;
                    self.gen_balance += gifted;
                    self.record_order(bill, OrderRecord::Pay { coins, gifted, is_cancelled: true });
                    Response::Cancelled
                }
                Some(OrderRecord::Present { .. }) | None => Response::Refused { errcode: ORDER_NOT_EXIST },
            },
            Invocation::Balance => Response::Balances(self.balances()),
        }
    }

    fn replayed(&self) -> Response {
        Response::Replayed { balance: self.balance() }
    }

    fn record_order(&mut self, bill: BillIndex, made: OrderRecord) {
        Arc::make_mut(&mut self.orders).insert(bill, made);
    }
}

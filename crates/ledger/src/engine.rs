//! The [`Ledger`] trait that every engine implements, its answers and its errors.

use std::future::Future;
use std::pin::Pin;

use pactolus_types::{AppId, Environment, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::audit::Audit;
use crate::decide::Refusal;
use crate::metrics::EngineSample;
use crate::order::{BillEntry, BillKey, Order, Receipt};
use crate::totals::{Periods, Total};

/// Boxed future: engines are chosen at run time, so the trait must be object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The ledger of a bank: stores the decisions of [`decide()`](crate::decide()).
///
/// Reads are linearizable: a read sees every order whose post was answered before the read began. It never sees an
/// order that a crash could still undo.
pub trait Ledger: Send + Sync {
    /// Decides `order` at `now` and stores the effect. [`Posted`] means durable.
    ///
    /// The order may be applied even if the future is dropped.
    fn post(&self, order: Order, now: UnixMillis) -> BoxFuture<'_, Result<Posted, PostError>>;

    /// The account; an empty one if it has no orders.
    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>>;

    /// The entry of a bill number: its order, and the last order that gave it back.
    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>>;

    /// A page of an account's orders, newest first; `after` is the cursor of the previous page.
    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>>;

    /// The totals per offer, zone and period of an app's environment, sorted in that order; only those with orders.
    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        periods: Periods,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>>;

    /// Verifies the whole bank: every order is the result of [`decide()`](crate::decide()) on the orders before it,
    /// every bill number has one order, and every account is the sum of its orders.
    fn audit(&self) -> BoxFuture<'_, Result<Audit, Unavailable>>;

    /// Whether the engine can post orders now, and store records.
    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// The damage found since the engine was opened, in one line for an operator. The engine refuses the orders that
    /// need the damaged bytes, with [`Unavailable::Damaged`], and serves all others.
    fn damage(&self) -> Option<String> {
        None
    }

    /// What monitoring shows of the engine. It reads memory only, and waits for nothing.
    fn samples(&self) -> Vec<EngineSample> {
        Vec::new()
    }

    /// Graceful shutdown: accepts no more orders, finishes the accepted ones, and releases the store.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Result of an order that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The order was applied now.
    Applied(Receipt),
    /// Idempotent replay: the same order was applied before.
    Replayed {
        /// The receipt of the first application.
        receipt: Receipt,
        /// The account now.
        account: Account,
    },
}

/// Reason why an order was not applied, or why its outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The rule refuses the order; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The outcome is unknown. Repeating the same order is safe and returns its outcome.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl PostError {
    /// Whether a retry of the unchanged order may succeed.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Refused(
                Refusal::BillNoTaken(_)
                | Refusal::BalanceNotEnough(_)
                | Refusal::TooManyCoins
                | Refusal::GiftTooLarge(_)
                | Refusal::DailyGiftsTooLarge { .. }
                | Refusal::PayNotFound
                | Refusal::PayMismatch(_)
                | Refusal::PastCancelWindow
                | Refusal::NothingLeft
                | Refusal::MoreThanLeft(_),
            ) => false,
            Self::Unavailable(
                Unavailable::Busy
                | Unavailable::Unreachable
                | Unavailable::DiskFull
                | Unavailable::Closed
                | Unavailable::Damaged
                | Unavailable::RecordsFailed
                | Unavailable::Failed,
            ) => true,
        }
    }
}

/// Reason why an engine cannot answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Overload: more requests than the engine can take now.
    #[error("the ledger is busy")]
    Busy,
    /// The remote store is unreachable or the connection broke. Service returns with the store.
    #[error("the ledger's database cannot be reached")]
    Unreachable,
    /// The disk is full. Reads still work, and the engine takes orders again once there is space. Separate from
    /// [`Unavailable::Failed`], because an operator frees space here and restarts there.
    #[error("the ledger's disk is full")]
    DiskFull,
    /// The engine was closed.
    #[error("the ledger is closed")]
    Closed,
    /// Bytes on disk that this request needs are damaged. Requests that do not need them are served.
    #[error("an order that this request needs is damaged on the ledger's disk")]
    Damaged,
    /// The records of tokens and sessions failed: they can be read, and no more be stored until the engine is
    /// reopened. Orders are served.
    #[error("the records of tokens and sessions failed; no login is stored until the bank is restarted")]
    RecordsFailed,
    /// The store failed; the engine answers nothing more until it is reopened.
    #[error("the ledger's store failed")]
    Failed,
}

/// Position after a page of a statement; opaque to all but the engine that issued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(u64);

impl Cursor {
    /// A cursor with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A page of an account's statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementPage {
    /// The orders, newest first.
    pub receipts: Vec<Receipt>,
    /// Cursor of the next page, if there are older orders.
    pub next: Option<Cursor>,
}

//! What an engine is: the [`Ledger`] trait, its answers and its errors.

use std::future::Future;
use std::pin::Pin;

use pactolus_types::{AppId, Day, Environment, UnixMillis};

use crate::account::{Account, AccountKey};
use crate::audit::Audit;
use crate::decide::Refusal;
use crate::order::{BillEntry, BillKey, Order, Receipt};
use crate::totals::Total;

/// A future that an engine hands out; engines are chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A bank's ledger: it keeps what [`decide()`](crate::decide()) decides.
///
/// Every read sees every order whose post was answered before the read began, and no order that a crash could
/// still take back.
pub trait Ledger: Send + Sync {
    /// Decides `order` at `now` and keeps the outcome; when this resolves to [`Posted`], it is durable.
    ///
    /// An order that was given to an engine may be applied even if the future is dropped.
    fn post(&self, order: Order, now: UnixMillis) -> BoxFuture<'_, Result<Posted, PostError>>;

    /// The account; one without orders is empty.
    fn account(&self, key: AccountKey) -> BoxFuture<'_, Result<Account, Unavailable>>;

    /// What a bill number made.
    fn order(&self, bill: BillKey) -> BoxFuture<'_, Result<Option<BillEntry>, Unavailable>>;

    /// A page of an account's orders, newest first, from where `after` says the page before it ended.
    fn statement(
        &self,
        key: AccountKey,
        after: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<StatementPage, Unavailable>>;

    /// The sums per offer, zone and day of an app's environment, for the days `from` to `to`, both included,
    /// in that order.
    fn totals(
        &self,
        app: AppId,
        environment: Environment,
        from: Day,
        to: Day,
    ) -> BoxFuture<'_, Result<Vec<Total>, Unavailable>>;

    /// Proves the books of the whole bank: that every order is what [`decide()`](crate::decide()) makes of the
    /// orders before it, every bill number made one order, and every account is the sum of its orders.
    fn audit(&self) -> BoxFuture<'_, Result<Audit, Unavailable>>;

    /// Whether orders can be posted now.
    fn ready(&self) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// Takes no more orders, finishes those it has, and lets go of the store.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// What became of an order that was not refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It was applied now.
    Applied(Receipt),
    /// The same order was applied before.
    Replayed {
        /// What it did then.
        receipt: Receipt,
        /// The account now.
        account: Account,
    },
}

/// Why an order was not applied, or is not known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The rule refuses it; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine could not say; repeating the same order is safe and tells.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl PostError {
    /// Whether the same order may succeed when it is repeated as it is.
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
                | Refusal::PastCancelWindow,
            ) => false,
            Self::Unavailable(
                Unavailable::Busy
                | Unavailable::Unreachable
                | Unavailable::DiskFull
                | Unavailable::Closed
                | Unavailable::Failed,
            ) => true,
        }
    }
}

/// Why an engine cannot answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// More is asked of it than it can take; later it can.
    #[error("the ledger is busy")]
    Busy,
    /// Its store is another machine's, and cannot be reached or broke off; once it is back, it answers again.
    #[error("the ledger's database cannot be reached")]
    Unreachable,
    /// Its disk is full; what it holds can be read, and once there is room, it takes orders again. Apart from
    /// [`Unavailable::Failed`], because an operator makes room where they would otherwise start it again.
    #[error("the ledger's disk is full")]
    DiskFull,
    /// It was closed.
    #[error("the ledger is closed")]
    Closed,
    /// Its store failed; it answers nothing more until it is opened again.
    #[error("the ledger's store failed")]
    Failed,
}

/// Where a page of a statement ended; only the engine that gave it knows what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(u64);

impl Cursor {
    /// The cursor with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A page of a statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementPage {
    /// The orders, newest first.
    pub receipts: Vec<Receipt>,
    /// Where to go on, if there are older ones.
    pub next: Option<Cursor>,
}

//! Domain model of the bank: accounts, orders, and the one rule that changes a balance.
//!
//! [`decide()`] is that rule: a pure function of an account, the earlier entry of the bill number, the order and the
//! time. Engines store its results and never decide themselves. [`Ledger`] is the engine trait, [`model::Model`] the
//! smallest engine, and `conformance` (a feature) the suite that every engine passes.
//!
//! The crate does no I/O, reads no clock, uses no randomness, and knows nothing of the wire.
//!
//! ```
//! use pactolus_ledger::{Account, AccountKey, Decision, Memo, Numbering, Order, OrderKind, decide};
//! use pactolus_types::{Amount, Environment, UnixMillis};
//!
//! let order = Order {
//!     account: AccountKey {
//!         app: "wx1234567".parse()?,
//!         environment: Environment::Live,
//!         offer: "12345678".parse()?,
//!         player: "odkx20ENSNa2w5y3g_qOkOvBNM1g".parse()?,
//!         zone: "1".parse()?,
//!     },
//!     bill_no: "BillNo_123".parse()?,
//!     numbering: Numbering::OfApp,
//!     kind: OrderKind::Present(Amount::new(233)?.into()),
//!     memo: Memo::default(),
//! };
//! let Decision::Apply(change) = decide(&Account::default(), None, &order, UnixMillis::new(0))? else {
//!     panic!("a first order applies");
//! };
//! assert_eq!(change.after.balance().get(), 233);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To add a kind of order: a variant of [`OrderKind`], its arm in [`decide()`], its sum in [`Account`] if it has
//! one, and cases in `tests/rules.rs`. The compiler then reports every engine's match over kinds.

#![deny(clippy::arithmetic_side_effects, clippy::as_conversions, clippy::wildcard_enum_match_arm)]

pub mod account;
pub mod audit;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod debit;
pub mod decide;
pub mod engine;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gift;
pub mod history;
pub mod metrics;
pub mod model;
pub mod order;
pub mod portable;
pub mod records;
pub mod refund;
pub mod totals;

pub use account::{Account, AccountKey};
pub use audit::{Audit, AuditFinding};
pub use debit::{CoinPart, Debit, Shortfall};
pub use decide::{Decision, Mismatch, PriorEntries, Refusal, decide};
pub use engine::{BoxFuture, Cursor, Ledger, PostError, Posted, StatementPage, Unavailable};
pub use gift::{DailyGifts, DailyLimit, Gift, GiftLimits, LimitDays};
pub use history::{HistoryDigest, InvalidHistoryDigest};
pub use order::{
    BillEntry, BillKey, Holder, InvalidMemo, Memo, Numbering, Order, OrderEffect, OrderKind, Receipt,
};
pub use portable::{ImportError, Portable};
pub use records::{Precondition, PutOutcome, RecordAccess, RecordChange, RecordKey, RecordValue, Records};
pub use refund::{GivenBack, Refund};
pub use totals::{DaySums, OrderTallies, OrderTally, PeriodSums, Periods, Total, TotalKey};

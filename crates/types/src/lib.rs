//! Types that the protocol and the ledger share: identifiers, coins, environments and times.
//!
//! Every value is valid: the only constructor of a type enforces its rules.
//! The crate does no I/O, knows no JSON and has no dependencies. Add only types that both sides need.
//!
//! ```
//! use pactolus_types::{Amount, BillNo, Coins};
//!
//! let bill_no = BillNo::new("BillNo_123")?;
//! assert_eq!(bill_no.as_str(), "BillNo_123");
//! assert!(BillNo::new("no spaces").is_err());
//!
//! let gift = Amount::new(233)?;
//! assert_eq!(Coins::ZERO.checked_add(gift.coins()), Some(gift.coins()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To add a text type: one `text_type!` in [`text`], with its length and characters.

pub mod coins;
pub mod environment;
pub mod text;
pub mod time;

pub use coins::{Amount, Coins, InvalidAmount};
pub use environment::{Environment, UnknownEnvironment};
pub use text::{AppId, BillNo, InvalidText, OfferId, OpenId, TextProblem, ZoneId};
pub use time::{Day, QuarterHour, UnixMillis, UtcOffset};

//! The nouns that the protocol and the ledger share: who, which coin, how many, when.
//!
//! A value of one of these types is valid; the only way to one is the constructor that holds its rules.
//! Nothing here does I/O, knows JSON, or depends on another crate, and nothing may be added that only one of
//! the two sides needs.
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
//! To add a noun that is text: one `text_type!` in [`text`], with its length and characters.

pub mod coins;
pub mod environment;
pub mod text;
pub mod time;

pub use coins::{Amount, Coins, InvalidAmount};
pub use environment::{Environment, UnknownEnvironment};
pub use text::{AppId, BillNo, InvalidText, OfferId, OpenId, TextProblem, ZoneId};
pub use time::{Day, UnixMillis};

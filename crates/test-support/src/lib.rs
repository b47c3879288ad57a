//! Values and helpers that the tests, benchmarks and torture runs of Pactolus share.
//!
//! Unit tests inside `types`, `ledger` and `protocol` cannot use this crate: it is linked with another instance of
//! their crate, so the types differ. Their integration tests can.
//!
//! Start with [`sample`], the app of the vendor's documentation, and [`orders`], orders of its players.

#[cfg(feature = "tls")]
pub mod authority;
pub mod files;
pub mod orders;
pub mod proxy;
pub mod random;
pub mod sample;
#[cfg(feature = "tls")]
pub mod tls_host;

/// Panic message for values that always parse.
const VALID: &str = "a valid sample";

//! Integration tests of the engine on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod chaos;
mod concurrency;
mod conformance;
mod nodes;
mod open;
mod proxy;

//! PostgreSQL servers that live as long as a test: for the tests, benchmarks and attacks of Pactolus, and nothing else.
//!
//! A [`Database`] is an empty one of its own, on a server that the tests of one program share: a throwaway
//! [`Cluster`], or the server that `PACTOLUS_TEST_POSTGRES=postgres://…` names. Tests that kill their server start a
//! [`Cluster`] themselves.
//!
//! A cluster is in a temporary folder and listens on a free port of this machine only. It ends with whoever started
//! it, however that ends: a shell waits for the other end of a pipe to close. Where no PostgreSQL is installed, this
//! panics in words; no test may pass for want of a database.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod cluster;
mod database;

pub use cluster::Cluster;
pub use database::{Database, execute, query_scalar};

//! Throwaway PostgreSQL servers for the tests, benchmarks and torture runs of Pactolus.
//!
//! A [`Database`] is an empty database on a server that the tests of one process share: a throwaway [`Cluster`], or
//! the server in `PACTOLUS_TEST_POSTGRES=postgres://…`. Tests that kill their server start their own [`Cluster`].
//!
//! A cluster lives in a temporary folder and listens on a free port of 127.0.0.1. It ends with the test process, even
//! after SIGKILL: a shell waits for the other end of a pipe to close. Without a PostgreSQL installation, or
//! PgBouncer for a [`Pooler`], the crate panics with instructions; no test may pass because it had no database.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod cluster;
mod database;
mod pooler;

pub use cluster::Cluster;
pub use database::{Database, execute, query_scalar};
pub use pooler::{PoolMode, Pooler};

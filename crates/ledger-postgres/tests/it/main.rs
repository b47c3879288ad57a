//! Integration tests of the engine on a real PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod blast_radius;
mod chaos;
mod concurrency;
mod conformance;
mod distance;
mod export;
mod migrate;
mod nodes;
mod open;
mod proxy;
mod readiness;
mod requirements;
mod tls;

//! The bank through HTTP on PostgreSQL: the tests of `it` that say what a bank does, whatever its engine, and what
//! several nodes on one database do together.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "some of what the tests share is for those that need a folder")]

#[path = "../it/bank.rs"]
mod bank;
#[path = "../it/calls.rs"]
mod calls;
#[path = "../it/checks.rs"]
mod checks;
mod engine;
#[path = "../it/flow.rs"]
mod flow;
#[path = "../it/linearizability.rs"]
mod linearizability;
mod nodes;
#[path = "../it/operator.rs"]
mod operator;
#[path = "../it/race.rs"]
mod race;
#[path = "../it/seal.rs"]
mod seal;
#[path = "../it/statement.rs"]
mod statement;
#[path = "../it/totals.rs"]
mod totals;

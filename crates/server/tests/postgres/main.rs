//! The bank through HTTP on PostgreSQL: the tests of `it` that hold for every engine, and tests of several nodes on
//! one database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "some shared helpers need a folder")]

#[path = "../it/bank.rs"]
mod bank;
#[path = "../it/calls.rs"]
mod calls;
#[path = "../it/checks.rs"]
mod checks;
mod engine;
#[path = "../it/flow.rs"]
mod flow;
#[path = "../it/forged_tokens.rs"]
mod forged_tokens;
#[path = "../it/linearizability.rs"]
mod linearizability;
mod nodes;
#[path = "../it/nul.rs"]
mod nul;
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

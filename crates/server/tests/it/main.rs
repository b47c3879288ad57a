//! The bank through HTTP only: the real server on the real engine, with a manual clock.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod bank;
mod calls;
mod checks;
mod clock;
mod connections;
mod days;
mod debits;
mod drain;
mod engine;
mod explain;
mod faults;
mod flow;
mod forged_tokens;
mod forgery;
mod freshness;
mod habits;
mod limits;
mod linearizability;
mod login;
mod malformed;
mod metrics;
mod nul;
mod openapi;
mod operator;
mod orders;
mod race;
mod raw;
mod rejections;
mod seal;
mod stable_token;
mod statement;
mod tokens;
mod totals;
mod zones;

//! The bank through HTTP only: the real server on the real engine, with a clock that the tests turn.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bank;
mod calls;
mod checks;
mod drain;
mod malformed;
mod operator;
mod race;
mod tokens;

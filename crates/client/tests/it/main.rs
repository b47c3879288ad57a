//! The client against a real bank, the vendor's host as its pages describe it, and a faulty network.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bank;
mod calls;
mod chaos;
mod operator;
mod operator_contract;
mod outcomes;
mod proxy;
mod redaction;
mod script;
mod tls;
mod token;
mod vectors;
mod vendor;

//! The protocol from outside: vectors, dialects, parameters, replies, and the prose of the contract.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract_document;
mod dialects;
mod explain;
mod parameters;
mod properties;
mod replies;
mod samples;
mod vectors;

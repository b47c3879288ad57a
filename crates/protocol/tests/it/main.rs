//! The protocol from outside: vectors, dialects, parameters, replies, and the contract document.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract_document;
mod dialects;
mod explain;
mod parameters;
mod properties;
mod raw_explain;
mod raw_requests;
mod raw_vectors;
mod replies;
mod samples;
mod unambiguous;
mod vectors;

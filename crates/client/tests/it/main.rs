//! The client against banks: the real one, the vendor's host as its pages describe it, and a bad way between.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bank;
mod calls;
mod chaos;
mod proxy;
mod redaction;
mod token;
mod vectors;
mod vendor;

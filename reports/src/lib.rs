//! Reports: measured figures, the machine they were measured on, and the pages that show them.
//!
//! For the developer programs `bench`, `torture` and `xtask`. No crate of the bank may depend on it.
//! Read next: [`report`], the sections of a report; [`interleave`], the comparison of two subjects.

pub mod interleave;
pub mod latency;
pub mod machine;
pub mod report;
pub mod table;

//! Figures: what a program measures or counts, on which machine, and how a page keeps them.
//!
//! For the programs that developers run, `bench`, `torture` and `xtask`; nothing of the bank may depend on it.
//! Read next: [`report`], what is kept of a run; [`interleave`], how two things are compared.

pub mod interleave;
pub mod latency;
pub mod machine;
pub mod report;
pub mod table;

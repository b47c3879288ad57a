//! Shared by fuzz targets: choices decoded from bytes ([`Choices`]) and the corpus runner ([`run_corpus`]).
//!
//! A target is a function in a crate's module `fuzzing`: it takes bytes and panics when an invariant is violated. The
//! fuzzer calls it with generated inputs, and a test beside it with every input stored in `fuzz/`.
//! Only such modules and tests may depend on this crate. Read next: `fuzz/README.md`.

mod choices;
mod corpus;

pub use choices::Choices;
pub use corpus::run_corpus;

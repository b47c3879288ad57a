//! What fuzz targets share: choices made of bytes ([`Choices`]), and the inputs that are kept of fuzzing ([`run_corpus`]).
//!
//! A target is a function of a crate's module `fuzzing`: it takes bytes, and panics when a promise is broken. The
//! fuzzer calls it with what it makes up, and a test beside it with every input that is kept in `fuzz/`.
//! Only such modules and tests may depend on this. Read next: `fuzz/README.md`.

mod choices;
mod corpus;

pub use choices::Choices;
pub use corpus::run_corpus;

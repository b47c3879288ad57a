//! Invariants for the fuzz targets: each function takes any bytes and panics when an invariant is broken.
//!
//! Read next: `fuzz/README.md`.

pub use crate::operator::fuzzing::operator;

#[cfg(test)]
mod tests {
    #[test]
    fn operator_corpus_passes() {
        pactolus_fuzz_support::run_corpus("operator", super::operator);
    }
}

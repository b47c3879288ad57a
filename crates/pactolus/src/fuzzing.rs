//! Fuzz targets of this crate: each function takes any bytes, and panics when an invariant is broken.
//!
//! Read next: `fuzz/README.md`.

pub use crate::commands::present::fuzzing::{gifts, results};
pub use crate::config::fuzzing::{config, store_url};

#[cfg(test)]
mod tests {
    use pactolus_fuzz_support::run_corpus;

    #[test]
    fn config_corpus_passes() {
        run_corpus("config", super::config);
    }

    #[test]
    fn store_url_corpus_passes() {
        run_corpus("store_url", super::store_url);
    }

    #[test]
    fn gifts_corpus_passes() {
        run_corpus("gifts", super::gifts);
    }

    #[test]
    fn results_corpus_passes() {
        run_corpus("results", super::results);
    }
}

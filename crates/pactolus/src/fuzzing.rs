//! What fuzz targets promise of this crate: each function takes any bytes, and panics when a promise is broken.
//!
//! Read next: `fuzz/README.md`.

pub use crate::commands::present::fuzzing::{gifts, results};
pub use crate::config::fuzzing::{config, store_url};

#[cfg(test)]
mod tests {
    use pactolus_fuzz_support::run_corpus;

    #[test]
    fn every_kept_configuration() {
        run_corpus("config", super::config);
    }

    #[test]
    fn every_kept_store_url() {
        run_corpus("store_url", super::store_url);
    }

    #[test]
    fn every_kept_file_of_gifts() {
        run_corpus("gifts", super::gifts);
    }

    #[test]
    fn every_kept_file_of_results() {
        run_corpus("results", super::results);
    }
}

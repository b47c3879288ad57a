//! What fuzz targets promise of this crate: each function takes any bytes, and panics when a promise is broken.
//!
//! Read next: `fuzz/README.md`.

pub use crate::commands::present::fuzzing::{gifts, results};
pub use crate::config::fuzzing::{config, store_url};

#[cfg(test)]
mod tests {
    use pactolus_fuzz_support::replay;

    #[test]
    fn every_kept_configuration() {
        replay("config", super::config);
    }

    #[test]
    fn every_kept_store_url() {
        replay("store_url", super::store_url);
    }

    #[test]
    fn every_kept_file_of_gifts() {
        replay("gifts", super::gifts);
    }

    #[test]
    fn every_kept_file_of_results() {
        replay("results", super::results);
    }
}

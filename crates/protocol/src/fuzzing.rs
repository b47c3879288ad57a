//! Fuzz targets of this crate: each function takes any bytes, and panics when an invariant is broken.
//!
//! The oracle is a second implementation of the contract (`reference`), not the code under test.
//! Read next: `fuzz/README.md`.

mod answers;
mod body;
mod choose;
mod explain;
mod keys;
mod names;
mod query;
mod raw;
mod reference;
mod requests;
mod signatures;

pub use self::answers::answers;
pub use self::body::body;
pub use self::explain::explain;
pub use self::names::names;
pub use self::query::query;
pub use self::raw::raw;
pub use self::requests::requests;
pub use self::signatures::signatures;

#[cfg(test)]
mod tests {
    use pactolus_fuzz_support::run_corpus;

    #[test]
    fn body_corpus_passes() {
        run_corpus("body", super::body);
    }

    #[test]
    fn request_corpus_passes() {
        run_corpus("requests", super::requests);
    }

    #[test]
    fn signature_corpus_passes() {
        run_corpus("signatures", super::signatures);
    }

    #[test]
    fn explain_corpus_passes() {
        run_corpus("explain", super::explain);
    }

    #[test]
    fn query_corpus_passes() {
        run_corpus("query", super::query);
    }

    #[test]
    fn raw_corpus_passes() {
        run_corpus("raw", super::raw);
    }

    #[test]
    fn answer_corpus_passes() {
        run_corpus("answers", super::answers);
    }

    #[test]
    fn name_corpus_passes() {
        run_corpus("names", super::names);
    }
}

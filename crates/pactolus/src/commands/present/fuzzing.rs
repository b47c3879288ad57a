//! What fuzzing promises of the files of campaigns.

pub use super::results::fuzzing::results;
pub use super::source::fuzzing::gifts;

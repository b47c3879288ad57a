//! Fuzz targets of gift files and results files.

pub use super::results::fuzzing::results;
pub use super::source::fuzzing::gifts;

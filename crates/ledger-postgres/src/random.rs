//! Chance where only evenness matters: which of many rows, and how long to wait before trying again.

use std::hash::{BuildHasher as _, RandomState};

/// A number that is another each time: the standard library keys its maps with the operating system's randomness.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(())
}

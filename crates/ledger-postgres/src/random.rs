//! Non-cryptographic random numbers, for the choice of a totals partition and for backoff jitter.

use std::hash::{BuildHasher as _, RandomState};

/// A random number. `RandomState` is seeded from the operating system and differs at every call.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(())
}

//! Randomness: the only place of this crate that asks the operating system for it.

/// Fills a buffer with random bytes. A setting, so that a test can make a store repeatable.
pub type FillRandom = fn(&mut [u8]);

/// Fills `bytes` from the operating system's random generator.
pub fn os_random(bytes: &mut [u8]) {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks")]
    getrandom::fill(bytes).expect("the operating system has randomness once it runs");
}

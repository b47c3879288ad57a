//! Random source: the only place of this crate that reads it.

/// A source of unpredictable bytes, for bill numbers and backoff jitter.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's random source.
#[derive(Clone, Copy, Debug)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
        getrandom::fill(bytes).expect("a running operating system has randomness");
    }
}

pub(crate) fn random_u64(random: &dyn Randomness) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

//! Randomness: the only place of this crate that asks for it.

/// Something that makes bytes nobody can guess: for bill numbers, and to spread out what is tried again.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The randomness of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is the randomness that others ask")]
        getrandom::fill(bytes).expect("the operating system has randomness once it runs");
    }
}

pub(crate) fn random_u64(random: &dyn Randomness) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

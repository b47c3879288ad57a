//! Generator of bill numbers, for callers without order numbers of their own.

use std::fmt;
use std::sync::{Arc, Mutex};

use pactolus_types::{BillNo, InvalidText};

use crate::clock::{Clock, SystemClock};
use crate::random::{OsRandomness, Randomness};

/// Generates unique bill numbers that sort by time.
///
/// A number is 26 digits and capital letters: the millisecond, then 80 random bits. Numbers of one generator ascend,
/// even within a millisecond and when the clock is set back. Two generators collide with a probability of 1 in 2^80
/// for each pair of numbers of the same millisecond, on any machines.
///
/// The bill number is the idempotency key of the order. Store it with its purpose *before* the call: after a crash it
/// is the only way to find out whether coins were given.
///
/// ```
/// use pactolus_client::BillNoGenerator;
///
/// let bill_nos = BillNoGenerator::with_prefix("mail-")?;
/// let (first, second) = (bill_nos.next(), bill_nos.next());
/// assert!(first < second && first.as_str().starts_with("mail-"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BillNoGenerator {
    prefix: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    /// The last number made. The lock covers only the increment.
    last: Mutex<u128>,
}

/// Characters after the prefix: 26 digits of 5 bits hold the 128 bits of a number.
const DIGIT_COUNT: usize = 26;

/// Random low bits. The 48 bits above them count milliseconds until the year 10889.
const RANDOM_BITS: u32 = 80;

impl BillNoGenerator {
    /// Numbers without a prefix.
    pub fn new() -> Self {
        Self::with_valid_prefix(String::new(), Arc::new(SystemClock), Arc::new(OsRandomness))
    }

    /// Numbers that begin with `prefix`: at most 37 characters, each allowed in a bill number.
    pub fn with_prefix(prefix: &str) -> Result<Self, InvalidText> {
        Self::from_parts(prefix, Arc::new(SystemClock), Arc::new(OsRandomness))
    }

    /// Like [`with_prefix`](Self::with_prefix), with the caller's clock and random source.
    pub fn from_parts(
        prefix: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, InvalidText> {
        BillNo::new(&format!("{prefix}{}", "0".repeat(DIGIT_COUNT)))?;
        Ok(Self::with_valid_prefix(prefix.to_owned(), clock, random))
    }

    fn with_valid_prefix(prefix: String, clock: Arc<dyn Clock>, random: Arc<dyn Randomness>) -> Self {
        Self { prefix, clock, random, last: Mutex::new(0) }
    }

    /// The next number, greater than all before it.
    pub fn next(&self) -> BillNo {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        let random_bits = u128::from_le_bytes(bytes) >> (u128::BITS - RANDOM_BITS);
        let candidate = u128::from(self.clock.now().get()) << RANDOM_BITS | random_bits;
        let number = {
            let mut last = self.last.lock().expect("no panic under this lock");
            *last = candidate.max(last.wrapping_add(1));
            *last
        };
        let text = digits(number).into_iter().fold(self.prefix.clone(), |mut text, digit| {
            text.push(digit);
            text
        });
        BillNo::new(&text).expect("the prefix was validated with as many digits")
    }
}

/// Base 32, most significant digit first, without I, L, O and U. The texts sort like the numbers.
fn digits(number: u128) -> [char; DIGIT_COUNT] {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut rest = number;
    let mut digits = ['0'; DIGIT_COUNT];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(ALPHABET[usize::try_from(rest & 31).expect("5 bits are an index")]);
        rest >>= 5;
    }
    digits
}

impl Default for BillNoGenerator {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BillNoGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BillNoGenerator").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use pactolus_types::UnixMillis;

    use super::*;

    struct ManualClock(AtomicU64);

    impl Clock for ManualClock {
        fn now(&self) -> UnixMillis {
            UnixMillis::new(self.0.load(Ordering::Relaxed))
        }
    }

    struct ConstantRandomness(u8);

    impl Randomness for ConstantRandomness {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn bill_nos_ascend_when_the_clock_goes_back() {
        let clock = Arc::new(ManualClock(1_507_530_737_000.into()));
        let bill_nos = BillNoGenerator::from_parts(
            "",
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::new(ConstantRandomness(255)),
        )
        .unwrap();
        let mut numbers = vec![bill_nos.next(), bill_nos.next()];
        clock.0.store(1, Ordering::Relaxed);
        numbers.push(bill_nos.next());
        clock.0.store(1_507_530_738_000, Ordering::Relaxed);
        numbers.push(bill_nos.next());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn bill_no_encodes_time_and_random_bits() {
        let bill_nos = BillNoGenerator::from_parts(
            "a*",
            Arc::new(ManualClock(1_507_530_737_000.into())),
            Arc::new(ConstantRandomness(0)),
        )
        .unwrap();
        assert_eq!(bill_nos.next().as_str(), "a*01BVZXB1B80000000000000000");
    }

    #[test]
    fn two_generators_do_not_collide() {
        let mut numbers: Vec<_> = [BillNoGenerator::new(), BillNoGenerator::new()]
            .iter()
            .flat_map(|generator| (0..1000).map(|_| generator.next()))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 2000);
    }

    #[test]
    fn prefix_length_is_limited() {
        assert!(BillNoGenerator::with_prefix(&"x".repeat(37)).is_ok());
        assert!(BillNoGenerator::with_prefix(&"x".repeat(38)).is_err());
        assert!(BillNoGenerator::with_prefix("no spaces").is_err());
    }
}

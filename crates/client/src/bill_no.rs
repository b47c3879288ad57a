//! Bill numbers for callers who have none of their own.

use std::fmt;
use std::sync::{Arc, Mutex};

use pactolus_types::{BillNo, InvalidText};

use crate::clock::{Clock, SystemClock};
use crate::random::{OsRandomness, Randomness};

/// Makes bill numbers: each is new, and later ones sort after earlier ones.
///
/// A number is 26 digits and capital letters: the millisecond, and 80 random bits. Numbers of one maker ascend even
/// within a millisecond and when the clock is set back; those of two makers, wherever they run, meet with a chance of
/// one in 2^80 for each pair of the same millisecond.
///
/// Keep the number with what it is for *before* the call: after a crash it is the only thing that says whether coins
/// were given.
///
/// ```
/// use pactolus_client::BillNos;
///
/// let bill_nos = BillNos::prefixed("mail-")?;
/// let (first, second) = (bill_nos.next(), bill_nos.next());
/// assert!(first < second && first.as_str().starts_with("mail-"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BillNos {
    prefix: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    /// The last number made; it is held for no longer than it takes to count on.
    last: Mutex<u128>,
}

/// The characters of a number after its prefix: 26 digits of 5 bits hold its 128.
const DIGITS: usize = 26;

/// How many bits are random; the 48 above them count milliseconds until the year 10889.
const RANDOM_BITS: u32 = 80;

impl BillNos {
    /// Numbers without a prefix.
    pub fn new() -> Self {
        Self::on(String::new(), Arc::new(SystemClock), Arc::new(OsRandomness))
    }

    /// Numbers that begin with `prefix`, at most 37 of the characters that a bill number may hold.
    pub fn prefixed(prefix: &str) -> Result<Self, InvalidText> {
        Self::with(prefix, Arc::new(SystemClock), Arc::new(OsRandomness))
    }

    /// The same with a clock and a randomness of the caller's.
    pub fn with(
        prefix: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, InvalidText> {
        BillNo::new(&format!("{prefix}{}", "0".repeat(DIGITS)))?;
        Ok(Self::on(prefix.to_owned(), clock, random))
    }

    fn on(prefix: String, clock: Arc<dyn Clock>, random: Arc<dyn Randomness>) -> Self {
        Self { prefix, clock, random, last: Mutex::new(0) }
    }

    /// A number that was not made before.
    pub fn next(&self) -> BillNo {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        let chance = u128::from_le_bytes(bytes) >> (u128::BITS - RANDOM_BITS);
        let fresh = u128::from(self.clock.now().get()) << RANDOM_BITS | chance;
        let number = {
            let mut last = self.last.lock().expect("nothing panics while it counts on");
            *last = fresh.max(last.wrapping_add(1));
            *last
        };
        let text = digits(number).into_iter().fold(self.prefix.clone(), |mut text, digit| {
            text.push(digit);
            text
        });
        BillNo::new(&text).expect("the prefix was tried with as many digits")
    }
}

/// In base 32, without the letters that are taken for digits; they sort as their numbers do.
fn digits(number: u128) -> [char; DIGITS] {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut rest = number;
    let mut digits = ['0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(ALPHABET[usize::try_from(rest & 31).expect("5 bits are an index")]);
        rest >>= 5;
    }
    digits
}

impl Default for BillNos {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BillNos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BillNos").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use pactolus_types::UnixMillis;

    use super::*;

    struct Turned(AtomicU64);

    impl Clock for Turned {
        fn now(&self) -> UnixMillis {
            UnixMillis::new(self.0.load(Ordering::Relaxed))
        }
    }

    struct Same(u8);

    impl Randomness for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn numbers_ascend_within_a_millisecond_and_when_the_clock_is_set_back() {
        let clock = Arc::new(Turned(1_507_530_737_000.into()));
        let bill_nos = BillNos::with("", Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(Same(255))).unwrap();
        let mut numbers = vec![bill_nos.next(), bill_nos.next()];
        clock.0.store(1, Ordering::Relaxed);
        numbers.push(bill_nos.next());
        clock.0.store(1_507_530_738_000, Ordering::Relaxed);
        numbers.push(bill_nos.next());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }

    #[test]
    fn a_number_is_its_moment_and_its_chance() {
        let bill_nos =
            BillNos::with("a*", Arc::new(Turned(1_507_530_737_000.into())), Arc::new(Same(0))).unwrap();
        assert_eq!(bill_nos.next().as_str(), "a*01BVZXB1B80000000000000000");
    }

    #[test]
    fn makers_do_not_meet() {
        let mut numbers: Vec<_> = [BillNos::new(), BillNos::new()]
            .iter()
            .flat_map(|maker| (0..1000).map(|_| maker.next()))
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 2000);
    }

    #[test]
    fn a_prefix_leaves_room_for_the_number() {
        assert!(BillNos::prefixed(&"x".repeat(37)).is_ok());
        assert!(BillNos::prefixed(&"x".repeat(38)).is_err());
        assert!(BillNos::prefixed("no spaces").is_err());
    }
}

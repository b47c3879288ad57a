//! Choices made of bytes, so that a fuzzer that changes a byte changes a choice.
//!
//! How bytes become choices must not change: an input that is kept would come to mean something else. That is why this
//! is written here, and why nothing may be added but new choices.

/// What is left to choose by; when it is used up, every choice is the first one.
#[derive(Clone, Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Choices by these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all bytes were taken.
    pub const fn is_exhausted(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `end`, which is at most 65,536: a byte chooses up to 256, two bytes more. Below zero and one
    /// there is only zero.
    pub fn below(&mut self, end: usize) -> usize {
        let chosen = usize::from(self.byte());
        let chosen = if end > 256 { chosen << 8 | usize::from(self.byte()) } else { chosen };
        chosen % end.max(1)
    }

    /// One of these, of which there must be one.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A number: a byte says how many bytes it has, so that small ones are as likely as large ones.
    pub fn number(&mut self) -> u64 {
        let count = usize::from(self.byte()) % 9;
        self.take(count).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// At most `max` bytes, as many as the first ones say.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let count = self.below(max + 1);
        self.take(count)
    }

    /// A text of at most `max` bytes before what is not UTF-8 was replaced.
    pub fn text(&mut self, max: usize) -> String {
        String::from_utf8_lossy(self.bytes(max)).into_owned()
    }

    /// A text of 1 to `max` of these ASCII characters.
    pub fn word(&mut self, max: usize, alphabet: &str) -> String {
        let character = |byte: &u8| char::from(alphabet.as_bytes()[usize::from(*byte) % alphabet.len()]);
        let first = self.byte();
        std::iter::once(&first).chain(self.bytes(max - 1)).map(character).collect()
    }

    /// All that is left.
    pub const fn rest(self) -> &'a [u8] {
        self.0
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kept inputs depend on each of these.
    #[test]
    fn byte_mapping_is_stable() {
        let mut choices = Choices::new(&[7, 1, 4, 3, 1, 2, 3, 2, b'h', b'i', b'!', 5, 1, 6, 9]);
        assert_eq!(choices.byte(), 7);
        assert!(choices.flag());
        assert_eq!(choices.one_of(&["a", "b", "c"]), "b");
        assert_eq!(choices.number(), 0x01_02_03);
        assert_eq!(choices.text(10), "hi");
        assert_eq!(choices.below(10), 3);
        assert_eq!(choices.word(4, "xyz"), "zx");
        assert_eq!(choices.clone().rest(), [9]);
        assert_eq!(choices.below(1000), (9 << 8) % 1000);
        assert!(choices.is_exhausted());
        assert_eq!((choices.byte(), choices.number(), choices.word(9, "ab").as_str()), (0, 0, "a"));
    }
}

//! Structured choices decoded from fuzz input: a mutated byte changes one choice.
//!
//! The mapping from bytes to choices is frozen, because stored inputs would change their meaning. Hence this crate
//! has its own decoder, and only new kinds of choice may be added.

/// The remaining input. When it is exhausted, every choice is the first one.
#[derive(Clone, Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// Choices decoded from these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all bytes are consumed.
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

    /// A number below `end`, which is at most 65,536. It takes one byte for an `end` up to 256, two bytes above.
    /// An `end` of 0 or 1 returns 0.
    pub fn below(&mut self, end: usize) -> usize {
        let chosen = usize::from(self.byte());
        let chosen = if end > 256 { chosen << 8 | usize::from(self.byte()) } else { chosen };
        chosen % end.max(1)
    }

    /// One of `all`, which must not be empty.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A number with a length prefix of one byte, so that small numbers are as likely as large ones.
    pub fn number(&mut self) -> u64 {
        let count = usize::from(self.byte()) % 9;
        self.take(count).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// At most `max` bytes, with a length prefix.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let count = self.below(max + 1);
        self.take(count)
    }

    /// A text of at most `max` input bytes; invalid UTF-8 is replaced.
    pub fn text(&mut self, max: usize) -> String {
        String::from_utf8_lossy(self.bytes(max)).into_owned()
    }

    /// A text of 1 to `max` characters of this ASCII alphabet.
    pub fn word(&mut self, max: usize, alphabet: &str) -> String {
        let character = |byte: &u8| char::from(alphabet.as_bytes()[usize::from(*byte) % alphabet.len()]);
        let first = self.byte();
        std::iter::once(&first).chain(self.bytes(max - 1)).map(character).collect()
    }

    /// The remaining bytes.
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

    /// Stored inputs depend on each of these.
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

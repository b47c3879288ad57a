//! Byte codec of the store: variable-length integers and short texts.
//!
//! Decoding never panics. Malformed bytes are `None`, and the caller reports where they stand.

/// The first version of the journal. A store has it until an order needs a newer one (`journal/entry`).
pub(crate) const FIRST_FORMAT: u32 = 1;

/// The newest version of the journal that this program reads and writes.
pub(crate) const FORMAT_VERSION: u32 = 2;

/// The version of the views' manifest and index runs. Views of another version are damaged; they can be rebuilt.
pub(crate) const VIEWS_VERSION: u32 = 1;

/// Appends `value` as LEB128: seven-bit groups, lowest first, the high bit set on all but the last.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends a text after its length in bytes.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Cursor over the bytes left to read.
pub(crate) struct ByteReader<'a>(&'a [u8]);

impl<'a> ByteReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let group = u64::from(byte & 0x7f);
            if shift == 63 && group > 1 {
                return None;
            }
            value |= group << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.varint()?).ok()?;
        std::str::from_utf8(self.bytes(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_texts_round_trip() {
        let values = [0, 1, 127, 128, 300, 1 << 53, u64::MAX - 1, u64::MAX];
        let mut out = Vec::new();
        for value in values {
            put_varint(&mut out, value);
        }
        put_text(&mut out, b"");
        put_text(&mut out, "剑".as_bytes());
        let mut reader = ByteReader::new(&out);
        for value in values {
            assert_eq!(reader.varint(), Some(value));
        }
        assert_eq!((reader.text(), reader.text()), (Some(""), Some("剑")));
        assert!(reader.is_empty());
    }

    #[test]
    fn truncated_or_oversized_is_none() {
        assert_eq!(ByteReader::new(&[]).varint(), None);
        assert_eq!(ByteReader::new(&[0x80]).varint(), None);
        assert_eq!(ByteReader::new(&[0xff; 11]).varint(), None, "more than 64 bits");
        assert_eq!(
            ByteReader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint(),
            None
        );
        assert_eq!(ByteReader::new(&[3, b'a', b'b']).text(), None);
        assert_eq!(ByteReader::new(&[1, 0xff]).text(), None, "not UTF-8");
    }
}

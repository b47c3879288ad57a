//! JSON scanner of a body: one pass over the members of its object, with the raw span of each value.
//!
//! The grammar is that of RFC 8259, where `ws` is any number of spaces, tabs, line feeds and carriage returns:
//!
//! ```text
//! body   = ws object ws
//! object = "{" ws [ member ws *( "," ws member ws ) ] "}"
//! member = string ws ":" ws value
//! value  = object / array / string / number / "true" / "false" / "null"
//! array  = "[" ws [ value ws *( "," ws value ws ) ] "]"
//! string = '"' *( plain / "\" escape ) '"'           plain is no quote, no backslash, nothing below U+0020
//! escape = '"' / "\" / "/" / "b" / "f" / "n" / "r" / "t" / "u" and four hex digits
//! number = [ "-" ] ( "0" / first *digit ) [ "." 1*digit ] [ ( "e" / "E" ) [ "+" / "-" ] 1*digit ]
//! ```
//!
//! The scanner decodes and copies nothing. It runs in linear time for any body, without recursion, and allocates only
//! one byte per open bracket of a skipped value. Lone surrogates are left to the decoder of the escapes.

pub(crate) struct Member {
    pub key: Span,
    pub value: Span,
}

/// Byte range of a value or a key, with its kind.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub kind: ValueKind,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Copy)]
pub(crate) enum ValueKind {
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    Number,
    /// `true`, `false` or `null`.
    Literal,
    /// An object or an array.
    Nested,
}

/// Why a text is not one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanError {
    /// It is another JSON value.
    NotAnObject,
    /// The text ends within the object.
    UnexpectedEnd,
    /// The byte at this offset cannot follow the bytes before it.
    UnexpectedByte { offset: usize },
    /// Something follows the object.
    TrailingData,
}

/// Iterator over the members of the object, in the order sent.
pub(crate) struct Members<'a> {
    scanner: Scanner<'a>,
    is_first: bool,
}

impl<'a> Members<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, ScanError> {
        let mut scanner = Scanner { bytes: text.as_bytes(), offset: 0 };
        scanner.skip_space();
        match scanner.peek() {
            Some(b'{') => scanner.offset += 1,
            Some(b'[') => return Err(ScanError::NotAnObject),
            _ => {
                return Err(scanner.value().map_or_else(|| scanner.error_here(), |_| ScanError::NotAnObject));
            }
        }
        Ok(Self { scanner, is_first: true })
    }

    /// The next member, or `None` at the end of the object and the text.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "handing a member over through memory takes as long as finding it"
    )]
    pub(super) fn next(&mut self) -> Result<Option<Member>, ScanError> {
        let scanner = &mut self.scanner;
        scanner.skip_space();
        match scanner.peek() {
            Some(b'}') => {
                scanner.offset += 1;
                scanner.skip_space();
                return if scanner.peek().is_none() { Ok(None) } else { Err(ScanError::TrailingData) };
            }
            Some(b',') if !self.is_first => {
                scanner.offset += 1;
                scanner.skip_space();
            }
            _ if self.is_first => self.is_first = false,
            _ => return Err(scanner.error_here()),
        }
        match scanner.member() {
            Some(member) => Ok(Some(member)),
            None => Err(scanner.error_here()),
        }
    }
}

/// Scan position. A method that returns `None` leaves it at the offending byte.
struct Scanner<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Scanner<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    /// Consumes `byte` if it is next.
    #[inline]
    fn eat(&mut self, byte: u8) -> Option<()> {
        if self.peek() == Some(byte) {
            self.offset += 1;
            Some(())
        } else {
            None
        }
    }

    /// The error at the current position.
    #[cold]
    fn error_here(&self) -> ScanError {
        if self.offset < self.bytes.len() {
            ScanError::UnexpectedByte { offset: self.offset }
        } else {
            ScanError::UnexpectedEnd
        }
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.offset += 1;
        }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn member(&mut self) -> Option<Member> {
        Some(Member { key: self.key()?, value: self.value()? })
    }

    /// A key, its colon, and the space before the value.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn key(&mut self) -> Option<Span> {
        let start = self.offset;
        let form = self.string()?;
        let end = self.offset;
        self.skip_space();
        self.eat(b':')?;
        self.skip_space();
        Some(Span { kind: form, start, end })
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    fn value(&mut self) -> Option<Span> {
        let start = self.offset;
        let form = match self.peek()? {
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            b'{' | b'[' => self.nested()?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null")?,
            _ => return None,
        };
        Some(Span { kind: form, start, end: self.offset })
    }

    fn literal(&mut self, literal: &[u8]) -> Option<ValueKind> {
        for byte in literal {
            self.eat(*byte)?;
        }
        Some(ValueKind::Literal)
    }

    #[inline]
    fn number(&mut self) -> Option<ValueKind> {
        // Optional sign.
        let _ = self.eat(b'-');
        if self.eat(b'0').is_none() {
            self.digits()?;
        } else if let Some(b'0'..=b'9') = self.peek() {
            return None;
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.offset += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.offset += 1;
            }
            self.digits()?;
        }
        Some(ValueKind::Number)
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.offset;
        while let Some(b'0'..=b'9') = self.peek() {
            self.offset += 1;
        }
        (self.offset > start).then_some(())
    }

    fn string(&mut self) -> Option<ValueKind> {
        self.eat(b'"')?;
        let mut form = ValueKind::Plain;
        loop {
            self.skip_plain();
            match self.peek()? {
                b'"' => {
                    self.offset += 1;
                    return Some(form);
                }
                b'\\' => {
                    self.offset += 1;
                    self.escape()?;
                    form = ValueKind::Escaped;
                }
                _ => return None,
            }
        }
    }

    /// Skips the plain bytes of a string, eight at a time.
    #[inline]
    fn skip_plain(&mut self) {
        while let Some(eight) = self.bytes[self.offset..].first_chunk() {
            let marks = non_plain_mask(u64::from_le_bytes(*eight));
            if marks != 0 {
                self.offset += marks.trailing_zeros() as usize / 8;
                return;
            }
            self.offset += 8;
        }
        while self.peek().is_some_and(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.offset += 1;
        }
    }

    #[cold]
    fn escape(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.offset += 1,
            b'u' => {
                self.offset += 1;
                let Some(digits) = self.bytes[self.offset..].first_chunk::<4>() else {
                    self.offset = self.bytes.len();
                    return None;
                };
                let valid = digits.iter().take_while(|digit| digit.is_ascii_hexdigit()).count();
                self.offset += valid;
                return (valid == digits.len()).then_some(());
            }
            _ => return None,
        }
        Some(())
    }

    /// Skips an object or an array.
    #[cold]
    fn nested(&mut self) -> Option<ValueKind> {
        // The closing bracket of each open object or array.
        let mut closing_brackets = Vec::new();
        loop {
            // A value begins here.
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    let end = if bracket == b'{' { b'}' } else { b']' };
                    closing_brackets.push(end);
                    self.offset += 1;
                    self.skip_space();
                    if self.peek()? != end {
                        if end == b'}' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                // No bracket, so this call does not recurse.
                _ => {
                    self.value()?;
                }
            }
            // A value has ended here, or an empty object or array is about to.
            loop {
                let Some(end) = closing_brackets.last().copied() else {
                    return Some(ValueKind::Nested);
                };
                self.skip_space();
                if self.eat(end).is_some() {
                    closing_brackets.pop();
                    continue;
                }
                self.eat(b',')?;
                self.skip_space();
                if end == b'}' {
                    self.key()?;
                }
                break;
            }
        }
    }
}

/// High-bit mask of the quotes, backslashes and control characters among eight bytes, lowest byte first.
///
/// A subtraction borrows from a byte's high bit if the byte is less than the subtrahend. So each of the three terms
/// sets the high bits of its targets, and of bytes from 0x80 on, which are plain and masked out at the end. A borrow
/// that propagates may set the bit of a higher byte too, so only the lowest set bit is meaningful.
const fn non_plain_mask(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = ONES << 7;
    const fn bytes_below(eight: u64, than: u8) -> u64 {
        eight.wrapping_sub(ONES * than as u64)
    }
    let quote = bytes_below(eight ^ (ONES * b'"' as u64), 1);
    let backslash = bytes_below(eight ^ (ONES * b'\\' as u64), 1);
    (bytes_below(eight, 0x20) | quote | backslash) & !eight & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_mask_bit_is_the_first_non_plain_byte() {
        for place in 0..8 {
            for around in [0x20, b'a', 0x7f, 0x80, 0xff] {
                for byte in 0..=255 {
                    let mut eight = [around; 8];
                    eight[place] = byte;
                    let marks = non_plain_mask(u64::from_le_bytes(eight));
                    let is_plain = byte >= 0x20 && byte != b'"' && byte != b'\\';
                    let expected = if is_plain { 8 } else { place };
                    assert_eq!(marks.trailing_zeros() as usize / 8, expected, "{eight:?}");
                }
            }
        }
    }
}

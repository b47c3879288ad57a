//! A signature of any wire: an HMAC-SHA256, read from hex and compared in constant time.

use std::fmt;

use hmac::Mac as _;
use subtle::ConstantTimeEq;

use crate::secret::HmacSha256;

/// An HMAC-SHA256, displayed as 64 lowercase hex digits.
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    /// The HMAC of `parts`, one after the other, in the state `mac` of a key.
    pub(crate) fn compute<const N: usize>(mut mac: HmacSha256, parts: [&[u8]; N]) -> Self {
        for part in parts {
            mac.update(part);
        }
        Self(mac.finalize().into_bytes().into())
    }

    /// Parses 64 hex digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        // All digits are decoded before any is rejected, without branches and tables: 64 at once are fast.
        let values = digits.map(hex_value);
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(values.as_chunks().0) {
            *byte = high << 4 | low & 0xf;
        }
        let all = values.iter().fold(0, |all, value| all | value);
        (all <= 0xf).then_some(Self(bytes))
    }

    /// Constant time, in two halves: byte by byte it would take a tenth of a whole verification.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let (high, low) = self.halves();
        let (other_high, other_low) = other.halves();
        (high.ct_eq(&other_high) & low.ct_eq(&other_low)).into()
    }

    fn halves(&self) -> (u128, u128) {
        let half =
            |start| u128::from_be_bytes(*self.0[start..].first_chunk().expect("16 of 32 bytes are left"));
        (half(0), half(16))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Redacted: the valid signature of a refused request, read from a log, would be a way to forge it.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// The value of a hex digit; above 15 for any other byte.
const fn hex_value(byte: u8) -> u8 {
    let (digit, letter) = (byte.wrapping_sub(b'0'), (byte | 0x20).wrapping_sub(b'a'));
    let value = if letter < 6 { letter + 10 } else { 0xff };
    if digit < 10 { digit } else { value }
}

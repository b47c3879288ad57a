//! History digest: a short text that identifies the first N orders of a bank, their content and sequence.
//!
//! A digest noted outside the bank lets a later audit prove that those orders are unchanged.

use std::fmt::{self, Write as _};
use std::str::FromStr;

/// Number of orders and the digest over them; written as `12345-` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HistoryDigest {
    /// Number of orders.
    pub orders: u64,
    /// Digest over all of them.
    pub digest: [u8; 32],
}

/// Parse error of a [`HistoryDigest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a digest of a history: a number of orders, a hyphen, and 64 hexadecimal digits")]
pub struct InvalidHistoryDigest;

impl fmt::Display for HistoryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut word = format!("{}-", self.orders);
        for byte in self.digest {
            write!(word, "{byte:02x}")?;
        }
        // Written as one text, so that a format width pads it.
        f.pad(&word)
    }
}

impl fmt::Debug for HistoryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HistoryDigest {
    type Err = InvalidHistoryDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (orders, digits) = text.split_once('-').ok_or(InvalidHistoryDigest)?;
        let is_number = !orders.is_empty() && orders.bytes().all(|byte| byte.is_ascii_digit());
        let orders = orders.parse().ok().filter(|_| is_number).ok_or(InvalidHistoryDigest)?;
        let digits: &[u8; 64] = digits.as_bytes().try_into().map_err(|_| InvalidHistoryDigest)?;
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.as_chunks::<2>().0) {
            *byte = hex_byte(*pair).ok_or(InvalidHistoryDigest)?;
        }
        Ok(Self { orders, digest })
    }
}

fn hex_byte(pair: [u8; 2]) -> Option<u8> {
    let text = std::str::from_utf8(&pair).ok()?;
    // `from_str_radix` accepts a sign; a digest has none.
    if text.bytes().all(|digit| digit.is_ascii_hexdigit()) { u8::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_round_trips_and_rejects_malformed() {
        let digest = std::array::from_fn(|at| u8::try_from(at * 7).unwrap());
        let history = HistoryDigest { orders: 12_345, digest };
        let word = history.to_string();
        assert!(word.starts_with("12345-00070e15"), "{word}");
        assert_eq!(word.parse(), Ok(history));
        assert_eq!(word.to_uppercase().parse(), Ok(history), "upper-case digits parse too");

        let digits = &word[6..];
        for wrong in [
            String::new(),
            "-".to_owned(),
            digits.to_owned(),
            format!("-{digits}"),
            format!("+1-{digits}"),
            format!("1_0-{digits}"),
            format!("18446744073709551616-{digits}"),
            format!("5-{}", &digits[1..]),
            format!("5-{digits}0"),
            format!("5-+{}", &digits[1..]),
            format!("5-g{}", &digits[1..]),
            format!(" {word}"),
        ] {
            assert_eq!(wrong.parse::<HistoryDigest>(), Err(InvalidHistoryDigest), "{wrong}");
        }
    }
}

//! Short text types: identifiers of apps, offers, players, zones and orders.
//!
//! They are stored inline, without a heap allocation, because every present carries five of them through the bank.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Reason why a text is not valid for its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidText {
    /// Maximum length in characters.
    pub max: usize,
    /// Characters allowed besides ASCII digits and letters.
    pub allowed: &'static str,
    /// The rule that the text breaks.
    pub problem: TextProblem,
}

/// Rule that a text breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextProblem {
    /// It is empty.
    Empty,
    /// It is longer than the type allows; its length in bytes.
    TooLong(usize),
    /// It contains this disallowed character.
    Character(char),
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            TextProblem::Empty => f.write_str("is empty")?,
            TextProblem::TooLong(length) => write!(f, "is {length} bytes long")?,
            TextProblem::Character(c) => write!(f, "holds {c:?}")?,
        }
        write!(f, "; 1 to {} digits, letters or any of {} are allowed", self.max, self.allowed)
    }
}

impl std::error::Error for InvalidText {}

/// Up to `MAX` ASCII bytes, inline.
#[derive(Clone, Copy)]
struct InlineAscii<const MAX: usize> {
    length: u8,
    bytes: [u8; MAX],
}

impl<const MAX: usize> InlineAscii<MAX> {
    fn new(text: &str, allowed: &'static str) -> Result<Self, InvalidText> {
        let fail = |problem| Err(InvalidText { max: MAX, allowed, problem });
        if text.is_empty() {
            return fail(TextProblem::Empty);
        }
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || allowed.as_bytes().contains(byte);
        if !text.as_bytes().iter().all(is_allowed) {
            let is_other = |c: &char| !c.is_ascii_alphanumeric() && !allowed.contains(*c);
            return fail(text.chars().find(is_other).map_or(TextProblem::Empty, TextProblem::Character));
        }
        // The text is ASCII here, so bytes are characters.
        let Some(length) = u8::try_from(text.len()).ok().filter(|length| usize::from(*length) <= MAX) else {
            return fail(TextProblem::TooLong(text.len()));
        };
        let mut bytes = [0; MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { length, bytes })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("the constructor admits only ASCII")
    }
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name(InlineAscii<$max>);

        impl $name {
            /// Maximum length in characters.
            pub const MAX: usize = $max;

            /// Checks length and characters of `text`.
            pub fn new(text: &str) -> Result<Self, InvalidText> {
                InlineAscii::new(text, $allowed).map(Self)
            }

            /// The value as text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The value as ASCII bytes; cheaper than `as_str`, which checks UTF-8.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_bytes().cmp(other.as_bytes())
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_bytes().hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidText;

            fn try_from(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, InvalidText> {
                Self::new(text)
            }
        }
    };
}

text_type! {
    /// Identifier of a mini game: the platform's `appid`, such as `wx1234567`.
    AppId, 64, "_-"
}

text_type! {
    /// Identifier of an offer, the coin of an app; the platform assigns it (`offer_id`).
    OfferId, 64, "_-"
}

text_type! {
    /// Identifier of a player: the platform's `openid` for a user of one app.
    OpenId, 64, "_-"
}

text_type! {
    /// Zone: the game server of an account, `1` for games without zones; `_` joins a role.
    ZoneId, 64, "_-.:|*@"
}

text_type! {
    /// Bill number: the caller's idempotency key of one order, unique for ever within an app and environment.
    ///
    /// Length and characters follow the vendor's rule for `bill_no`.
    BillNo, 63, "_-|*@"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bill_no_accepts_only_vendor_characters() {
        for good in ["a", "BillNo_123", "A-z_0|9*@", &"x".repeat(63)] {
            assert_eq!(BillNo::new(good).unwrap().as_str(), good);
        }
        let cases = [
            ("", TextProblem::Empty),
            (&*"x".repeat(64), TextProblem::TooLong(64)),
            (&*"x".repeat(5000), TextProblem::TooLong(5000)),
            ("a b", TextProblem::Character(' ')),
            ("宝", TextProblem::Character('宝')),
            ("a\0", TextProblem::Character('\0')),
            ("a&b=c", TextProblem::Character('&')),
        ];
        for (bad, problem) in cases {
            assert_eq!(BillNo::new(bad).unwrap_err().problem, problem, "{bad:?}");
        }
    }

    #[test]
    fn eq_ord_and_hash_follow_the_text() {
        use std::collections::HashMap;
        let map = HashMap::from([(OpenId::new("ab").unwrap(), 1)]);
        assert_eq!(map.get(&OpenId::new("ab").unwrap()), Some(&1));
        assert!(OpenId::new("a").unwrap() < OpenId::new("aa").unwrap());
        assert!(OpenId::new("aa").unwrap() < OpenId::new("b").unwrap());
    }

    #[test]
    fn error_lists_allowed_characters() {
        let error = BillNo::new("a b").unwrap_err().to_string();
        assert_eq!(error, "holds ' '; 1 to 63 digits, letters or any of _-|*@ are allowed");
    }
}

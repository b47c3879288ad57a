//! Values that only the wire has: the caller's clock, the platform, and free text.
//!
//! Values shared with the ledger (`OpenId`, `BillNo`, `Amount` …) are in `pactolus-types`.

use std::fmt;
use std::num::NonZeroU64;

use pactolus_types::{Coins, InvalidText, TextProblem};

use crate::midas::parameter::Parameter;

/// Why a value is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidValue {
    /// 0, or above 2^53 - 1, the largest integer that every JSON reader holds exactly.
    UnixSeconds,
    /// Not 1 to 32 digits, letters, `_` or `-`.
    Pf,
    /// Empty, or longer than 1,024 bytes.
    FreeText,
    /// It holds U+0000, which databases cannot store in a text.
    Nul,
    /// It holds `&`, the name of this parameter and `=`, so that a signed text would read in two ways.
    AbsorbsParameter(Parameter),
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnixSeconds => write!(f, "is not unix seconds; it must be 1 to {}", Coins::MAX),
            Self::Pf => write!(f, "is not 1 to {} digits, letters or any of _-", Pf::MAX),
            Self::FreeText => write!(f, "is not 1 to {} bytes", FreeText::MAX),
            Self::Nul => f.write_str("holds U+0000, which no text may hold"),
            Self::AbsorbsParameter(parameter) => write!(
                f,
                "holds &{parameter}= in its text, which the signed text could not tell from the parameter {parameter}"
            ),
        }
    }
}

impl std::error::Error for InvalidValue {}

/// The problem of a text, without any character of it: errors are logged, and a log holds no text of a body.
pub(crate) struct WithoutInput(pub(crate) InvalidText);

impl fmt::Display for WithoutInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidText { max, allowed, problem } = self.0;
        let what = match problem {
            TextProblem::Character(' ') => "holds a space",
            TextProblem::Character(c) if c.is_control() => "holds a control character",
            TextProblem::Character(c) if c.is_ascii() => "holds a character that is not allowed",
            TextProblem::Character(_) => "holds a character outside ASCII",
            TextProblem::Empty | TextProblem::TooLong(_) => return self.0.fmt(f),
        };
        write!(f, "{what}; 1 to {max} digits, letters or any of {allowed} are allowed")
    }
}

/// The caller's clock, `ts`: whole seconds since 1970, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(NonZeroU64);

impl UnixSeconds {
    /// Checks that `seconds` since 1970 are in range.
    pub const fn new(seconds: u64) -> Result<Self, InvalidValue> {
        match NonZeroU64::new(seconds) {
            Some(positive) if seconds <= Coins::MAX.get() => Ok(Self(positive)),
            Some(_) | None => Err(InvalidValue::UnixSeconds),
        }
    }

    /// The seconds.
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

/// The platform, `pf`, such as `android`. Each app's settings list those it allows.
///
/// Stored inline, without a heap allocation, because every call carries one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pf {
    length: u8,
    /// Zero past `length`, so that equal texts are equal bytes.
    bytes: [u8; Self::MAX],
}

impl Pf {
    /// Maximum length in characters.
    pub const MAX: usize = 32;

    /// Checks that `text` is 1 to 32 digits, letters, `_` or `-`.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let length = u8::try_from(text.len()).map_err(|_| InvalidValue::Pf)?;
        if text.is_empty() || text.len() > Self::MAX || !text.bytes().all(is_allowed) {
            return Err(InvalidValue::Pf);
        }
        let mut bytes = [0; Self::MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { length, bytes })
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("only ASCII gets in")
    }
}

impl fmt::Display for Pf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Pf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pf({:?})", self.as_str())
    }
}

/// The caller's note on a pay, `pay_item` or `app_remark`: 1 to 1,024 bytes of text without U+0000.
///
/// PostgreSQL cannot store U+0000, so it is refused on every engine. Invariant: no text holds `&`, a parameter's name and `=`. Nothing is escaped in a signed text, so one signature
/// would cover a second order too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FreeText(Box<str>);

impl FreeText {
    /// Maximum length in bytes of UTF-8: enough for a sentence, and a bound on the bytes that a signature hashes.
    pub const MAX: usize = 1024;

    /// Checks the length of `text`, and that it holds neither U+0000 nor a pair of a parameter.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        if !(1..=Self::MAX).contains(&text.len()) {
            return Err(InvalidValue::FreeText);
        }
        if text.contains('\0') {
            return Err(InvalidValue::Nul);
        }
        match Parameter::absorbed_in(text) {
            None => Ok(Self(text.into())),
            Some(parameter) => Err(InvalidValue::AbsorbsParameter(parameter)),
        }
    }

    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_enforce_their_bounds() {
        for good in ["android", "a", "iOS_15-x", &"x".repeat(32)] {
            assert_eq!(Pf::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "an droid", "安卓", &"x".repeat(33), &"x".repeat(300)] {
            assert_eq!(Pf::new(bad), Err(InvalidValue::Pf), "{bad}");
        }
        assert_eq!(UnixSeconds::new(0), Err(InvalidValue::UnixSeconds));
        assert_eq!(UnixSeconds::new(1 << 53), Err(InvalidValue::UnixSeconds));
        assert_eq!(UnixSeconds::new(1_507_530_737).unwrap().get(), 1_507_530_737);
        assert!(FreeText::new(&"x".repeat(1024)).is_ok());
        assert_eq!(FreeText::new(&"x".repeat(1025)), Err(InvalidValue::FreeText));
        assert_eq!(FreeText::new(""), Err(InvalidValue::FreeText));
        for nul in ["\0", "a\0", "\0a", "剑\0剑"] {
            assert_eq!(FreeText::new(nul), Err(InvalidValue::Nul), "{nul:?}");
        }
        assert!(FreeText::new("\u{1}\u{7f}\u{fffe}").is_ok(), "other control characters can be stored");
        assert!(FreeText::new("a&b=c&bill_no").is_ok());
        assert_eq!(FreeText::new("&sig=0"), Err(InvalidValue::AbsorbsParameter(Parameter::Sig)));
    }
}

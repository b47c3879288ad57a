//! The raw value of a member, as it was sent.

use std::borrow::Cow;
use std::fmt;

use super::scan::{Span, ValueKind};

/// The value of a field, as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// A number, with its digits as sent.
    Number(Cow<'a, str>),
    /// `true`, `false` or `null`.
    Literal(&'a str),
    /// An object or an array. No call reads one and no signature covers one, so its content is skipped.
    Nested,
}

impl<'a> Value<'a> {
    /// Decodes the value at `span`.
    #[inline]
    pub(crate) fn decode(text: &'a str, span: Span) -> Result<Self, LoneSurrogate> {
        Ok(match span.kind {
            ValueKind::Plain | ValueKind::Escaped => Self::Text(decode_string(text, span)?),
            ValueKind::Number => Self::Number(Cow::Borrowed(&text[span.start..span.end])),
            ValueKind::Literal => Self::Literal(&text[span.start..span.end]),
            ValueKind::Nested => Self::Nested,
        })
    }

    /// The text that a signature covers; none for a nested value.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Literal(text) => Some(text),
            Self::Nested => None,
        }
    }

    /// Whether `omitempty` and its like would leave it out.
    pub fn is_empty_or_zero(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Number(digits) => digits == "0",
            Self::Literal(_) | Self::Nested => false,
        }
    }

    /// The text of a string.
    pub fn text(&self) -> Result<&str, FormError<'_>> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Number(_) | Self::Literal(_) | Self::Nested => Err(FormError::NotAString(self.describe())),
        }
    }

    /// The digits of an integer, sent as a JSON number or, by some clients, as a string.
    pub fn integer(&self) -> Result<&str, FormError<'_>> {
        match self {
            Self::Text(text) if text.is_empty() || is_decimal(text) => Ok(text),
            Self::Text(_) => Err(FormError::NotDecimal),
            Self::Number(digits) if is_decimal(digits) => Ok(digits),
            Self::Number(digits) if digits.contains(['.', 'e', 'E']) => Err(FormError::Fraction),
            Self::Number(_) => Err(FormError::Negative),
            Self::Literal(_) | Self::Nested => Err(FormError::NotAnInteger(self.describe())),
        }
    }

    /// The text of a string, or the digits of an integer in its place.
    pub fn text_or_digits(&self) -> Result<&str, FormError<'_>> {
        self.text().or_else(|_| self.integer().map_err(|_| FormError::NotAString(self.describe())))
    }

    /// The value's type, as named in an error.
    pub fn describe(&self) -> &str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Literal(text) => text,
            Self::Nested => "an object or an array",
        }
    }
}

/// The only error that a syntactically valid string can have.
pub(crate) struct LoneSurrogate;

/// Decodes the string or the key at `span`.
#[inline]
pub(crate) fn decode_string(text: &str, span: Span) -> Result<Cow<'_, str>, LoneSurrogate> {
    match span.kind {
        ValueKind::Escaped => unescape(&text[span.start..span.end]).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(&text[span.start + 1..span.end - 1])),
    }
}

#[cold]
fn unescape(quoted: &str) -> Result<String, LoneSurrogate> {
    serde_json::from_str(quoted).map_err(|_| LoneSurrogate)
}

/// Whether `text` is a non-negative JSON integer: digits without a leading zero.
fn is_decimal(text: &str) -> bool {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits && (text == "0" || !text.starts_with('0'))
}

/// Why a value has not the JSON form of its member.
pub enum FormError<'b> {
    /// Another value, described, where a string must be.
    NotAString(&'b str),
    /// Another value, described, where an integer must be.
    NotAnInteger(&'b str),
    /// A string without decimal digits where an integer must be.
    NotDecimal,
    /// A number with a fraction or an exponent.
    Fraction,
    /// A negative number.
    Negative,
}

impl fmt::Display for FormError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAString(sent) => write!(f, "is {sent}; it must be a string"),
            Self::NotAnInteger(sent) => write!(f, "is {sent}; it must be an integer"),
            Self::NotDecimal => f.write_str("is a string that is no decimal integer; it must be an integer"),
            Self::Fraction => f.write_str("has a fraction or an exponent; it must be an integer"),
            Self::Negative => f.write_str("is negative; it must be at least 1"),
        }
    }
}

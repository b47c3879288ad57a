//! A top-level field of a body: its key and its raw value.

use std::borrow::Cow;

use super::scan::{Span, ValueKind};
use crate::midas::parameter::Parameter;

#[derive(Clone, Copy)]
pub(crate) struct Field<'b> {
    /// The name, unescaped.
    pub key: &'b str,
    /// The parameter of this name, if any call documents it.
    pub parameter: Option<Parameter>,
    pub value: &'b Value<'b>,
}

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
    pub(super) fn decode(text: &'a str, span: Span) -> Result<Self, LoneSurrogate> {
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
pub(super) struct LoneSurrogate;

/// Decodes the string or the key at `span`.
#[inline]
pub(super) fn decode_string(text: &str, span: Span) -> Result<Cow<'_, str>, LoneSurrogate> {
    match span.kind {
        ValueKind::Escaped => unescape(&text[span.start..span.end]).map(Cow::Owned),
        _ => Ok(Cow::Borrowed(&text[span.start + 1..span.end - 1])),
    }
}

#[cold]
fn unescape(quoted: &str) -> Result<String, LoneSurrogate> {
    serde_json::from_str(quoted).map_err(|_| LoneSurrogate)
}

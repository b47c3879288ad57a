//! A top-level field of a body: its key and its value, as they were sent.

use std::borrow::Cow;

use super::scan::{Span, ValueKind};
use crate::parameter::Parameter;

/// One top-level field.
#[derive(Clone, Copy)]
pub(crate) struct Field<'b> {
    /// The name, its escapes decoded.
    pub key: &'b str,
    /// The parameter that the key names, if any call documents it.
    pub parameter: Option<Parameter>,
    /// What it was sent with.
    pub value: &'b Value<'b>,
}

/// The value of a field, as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string, its escapes decoded.
    Text(Cow<'a, str>),
    /// A number, as written.
    Number(Cow<'a, str>),
    /// `true`, `false` or `null`.
    Literal(&'a str),
    /// An object or an array. No call reads one and no signature covers one, so what is in it is passed over.
    Nested,
}

impl<'a> Value<'a> {
    /// The value that stands there in `text`.
    #[inline]
    pub(super) fn decode(text: &'a str, span: Span) -> Result<Self, LoneSurrogate> {
        Ok(match span.kind {
            ValueKind::Plain | ValueKind::Escaped => Self::Text(decode_string(text, span)?),
            ValueKind::Number => Self::Number(Cow::Borrowed(&text[span.start..span.end])),
            ValueKind::Literal => Self::Literal(&text[span.start..span.end]),
            ValueKind::Nested => Self::Nested,
        })
    }

    /// The text that a signature covers: of every value but a nested one.
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Literal(text) => Some(text),
            Self::Nested => None,
        }
    }

    /// Whether it is what `omitempty` and its like leave out.
    pub fn is_empty_or_zero(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Number(digits) => digits == "0",
            Self::Literal(_) | Self::Nested => false,
        }
    }

    /// What a refusal calls it.
    pub fn describe(&self) -> &str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Literal(text) => text,
            Self::Nested => "an object or an array",
        }
    }
}

/// All that can still be wrong with a string whose form is right.
pub(super) struct LoneSurrogate;

/// The string, or the key, that stands there in `text`.
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

//! One top-level field of a body: its key and its value, as they were sent.

use std::borrow::Cow;

use super::malformed;
use crate::error::Refusal;
use crate::parameter::Parameter;

/// One top-level field.
#[derive(Clone)]
pub struct Field<'a> {
    /// The name, its escapes decoded.
    pub key: Cow<'a, str>,
    /// The parameter that the key names, if any call documents it.
    pub parameter: Option<Parameter>,
    /// What it was sent with.
    pub value: Value<'a>,
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

impl<'a> Field<'a> {
    /// A field that this side sends.
    pub fn new(parameter: Parameter, value: Value<'a>) -> Self {
        Self { key: Cow::Borrowed(parameter.name()), parameter: Some(parameter), value }
    }

    /// The field whose value is written by `raw`: well-formed JSON without space around it.
    pub(super) fn decode(key: Cow<'a, str>, raw: &'a str) -> Result<Self, Refusal> {
        let parameter = Parameter::from_name(&key);
        let value = Value::decode(raw)?;
        Ok(Self { key, parameter, value })
    }
}

impl<'a> Value<'a> {
    fn decode(raw: &'a str) -> Result<Self, Refusal> {
        Ok(match raw.as_bytes() {
            [b'"', .., b'"'] => Self::Text(decode_string(raw)?),
            [b'{' | b'[', ..] => Self::Nested,
            [b't' | b'f' | b'n', ..] => Self::Literal(raw),
            _ => Self::Number(Cow::Borrowed(raw)),
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

/// A string without escapes is its own text; in one with escapes only a lone surrogate can still be wrong.
fn decode_string(raw: &str) -> Result<Cow<'_, str>, Refusal> {
    let inner = &raw[1..raw.len() - 1];
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let text =
        serde_json::from_str(raw).map_err(|_| malformed("a string of the body has a lone surrogate"))?;
    Ok(Cow::Owned(text))
}

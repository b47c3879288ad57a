//! Parameter reader: checks a parameter's JSON form, then its presence, then its own rule.
//!
//! Every error is 90018. Its detail starts with the parameter's name and states the rule.

use std::fmt;

use pactolus_types::{Amount, InvalidAmount};

use crate::body::{Body, Value};
use crate::error::ErrorReply;
use crate::midas::parameter::{JsonForm, Parameter};

pub(crate) struct ParameterReader<'b, 'a> {
    body: &'b Body<'a>,
}

impl<'b, 'a> ParameterReader<'b, 'a> {
    pub(crate) fn new(body: &'b Body<'a>) -> Self {
        Self { body }
    }

    /// A parameter that must be present and not empty.
    pub(crate) fn required<T, E: fmt::Display>(
        &self,
        parameter: Parameter,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ErrorReply> {
        self.optional(parameter, rule)?.ok_or_else(|| self.missing(parameter))
    }

    /// 90018 for a missing parameter. It says so if a field has the name in other letter case, as `openId`.
    pub(crate) fn missing(&self, parameter: Parameter) -> ErrorReply {
        let is_same_name = |key: &str| {
            let letters = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
            letters(key) == letters(parameter.name())
        };
        if self.body.others().any(|field| is_same_name(field.key)) {
            return ErrorReply::invalid_parameter(
                parameter,
                format_args!(
                    "is missing; a field has this name in another spelling, and only {parameter} is read"
                ),
            );
        }
        ErrorReply::invalid_parameter(parameter, "is missing")
    }

    /// A parameter that may be absent or empty.
    pub(crate) fn optional<T, E: fmt::Display>(
        &self,
        parameter: Parameter,
        rule: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ErrorReply> {
        match self.raw_text(parameter)? {
            None | Some("") => Ok(None),
            Some(text) => {
                rule(text).map(Some).map_err(|error| ErrorReply::invalid_parameter(parameter, error))
            }
        }
    }

    /// The raw text of a parameter, after the check of its JSON form.
    pub(crate) fn raw_text(&self, parameter: Parameter) -> Result<Option<&'b str>, ErrorReply> {
        let Some(value) = self.body.get(parameter) else {
            return Ok(None);
        };
        let text = match parameter.form() {
            JsonForm::Text => text(value),
            JsonForm::Integer => integer(value),
            JsonForm::TextOrDigits => text(value).or_else(|_| digits_for_text(value)),
        };
        text.map(Some).map_err(|problem| ErrorReply::invalid_parameter(parameter, problem))
    }
}

/// Parses decimal digits as an amount.
pub(crate) fn amount(digits: &str) -> Result<Amount, InvalidAmount> {
    digits.parse().map_err(|_| InvalidAmount::TooLarge).and_then(Amount::new)
}

fn text<'b>(value: &'b Value<'_>) -> Result<&'b str, FormError<'b>> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Number(_) | Value::Literal(_) | Value::Nested => Err(FormError::NotAString(value.describe())),
    }
}

/// The digits of an integer, sent as a JSON number or, by some clients, as a string.
fn integer<'b>(value: &'b Value<'_>) -> Result<&'b str, FormError<'b>> {
    match value {
        Value::Text(text) if text.is_empty() || is_decimal(text) => Ok(text),
        Value::Text(_) => Err(FormError::NotDecimal),
        Value::Number(digits) if is_decimal(digits) => Ok(digits),
        Value::Number(digits) if digits.contains(['.', 'e', 'E']) => Err(FormError::Fraction),
        Value::Number(_) => Err(FormError::Negative),
        Value::Literal(_) | Value::Nested => Err(FormError::NotAnInteger(value.describe())),
    }
}

fn digits_for_text<'b>(value: &'b Value<'_>) -> Result<&'b str, FormError<'b>> {
    integer(value).map_err(|_| FormError::NotAString(value.describe()))
}

/// Whether `text` is a non-negative JSON integer: digits without a leading zero.
fn is_decimal(text: &str) -> bool {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits && (text == "0" || !text.starts_with('0'))
}

enum FormError<'b> {
    NotAString(&'b str),
    NotAnInteger(&'b str),
    NotDecimal,
    Fraction,
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

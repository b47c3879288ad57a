//! Parsers of settings: each turns a raw value into a typed one, or describes the problem.
//!
//! Parsers are functions and compose: `list(secret(AccessToken::new))`.
//! Invariant: an error of a secret's parser holds no part of the value.

use std::fmt;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::placeholder::is_placeholder;
use super::problem::ParseError;
use super::sources::{RawValue, SourceValue, type_name};

/// A string for `parse`.
pub(super) fn text<T, E: fmt::Display>(
    parse: impl Fn(&str) -> Result<T, E>,
) -> impl Fn(&RawValue<'_>) -> Result<T, ParseError> {
    move |given| parse(given.text()?).map_err(ParseError::new)
}

/// One of a few words.
pub(super) fn choice<T: Copy>(choices: &[(&str, T)]) -> impl Fn(&RawValue<'_>) -> Result<T, ParseError> {
    move |given| {
        let text = given.text()?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        chosen.ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            ParseError::new(format!("is {text:?}; it must be {}", join_alternatives(&words)))
        })
    }
}

/// Whole seconds: 1 to `max`.
pub(super) fn seconds(max: Duration) -> impl Fn(&RawValue<'_>) -> Result<Duration, ParseError> {
    move |given| {
        let digits = digits(given, "a plain number of seconds")?;
        let seconds = digits.parse().ok().filter(|seconds| (1..=max.as_secs()).contains(seconds));
        seconds.map(Duration::from_secs).ok_or_else(|| {
            ParseError::new(format!("is {digits:?}; it must be 1 to {} seconds", max.as_secs()))
        })
    }
}

/// A whole number in a range.
pub(super) fn count<T: FromStr + PartialOrd + fmt::Display>(
    range: RangeInclusive<T>,
) -> impl Fn(&RawValue<'_>) -> Result<T, ParseError> {
    move |given| {
        let digits = digits(given, "a plain number")?;
        digits.parse().ok().filter(|count| range.contains(count)).ok_or_else(|| {
            ParseError::new(format!("is {digits:?}; it must be {} to {}", range.start(), range.end()))
        })
    }
}

/// A whole number for `parse`, or `"off"` for no limit.
pub(super) fn limit<T, E: fmt::Display>(
    parse: impl Fn(u64) -> Result<T, E>,
) -> impl Fn(&RawValue<'_>) -> Result<Option<T>, ParseError> {
    const EXPECTED: &str = "a plain number or \"off\"";
    move |given| {
        if given.text().is_ok_and(|text| text == "off") {
            return Ok(None);
        }
        let digits = digits(given, EXPECTED)?;
        let count =
            digits.parse().map_err(|_| ParseError::new(format!("is {digits:?}; it must be {EXPECTED}")))?;
        parse(count).map(Some).map_err(ParseError::new)
    }
}

/// The digits of a decimal integer. A variable is returned as it is.
fn digits<'a>(given: &RawValue<'a>, expected: &str) -> Result<&'a str, ParseError> {
    match given.value {
        SourceValue::Variable(text) => Ok(text),
        SourceValue::File(DeValue::Integer(integer)) if integer.radix() == 10 => Ok(integer.as_str()),
        SourceValue::File(other) => {
            Err(ParseError::new(format!("is {}; it must be {expected}", type_name(other))))
        }
    }
}

/// A list of `item`s; comma-separated in a variable.
pub(super) fn list<T>(
    item: impl Fn(&RawValue<'_>) -> Result<T, ParseError>,
) -> impl Fn(&RawValue<'_>) -> Result<Vec<T>, ParseError> {
    move |given| {
        let values: Vec<_> = match given.value {
            SourceValue::Variable(text) if text.trim().is_empty() => Vec::new(),
            SourceValue::Variable(text) => {
                text.split(',').map(str::trim).map(SourceValue::Variable).collect()
            }
            SourceValue::File(DeValue::Array(items)) => {
                items.iter().map(|item| SourceValue::File(item.get_ref())).collect()
            }
            SourceValue::File(other) => {
                return Err(ParseError::new(format!(
                    "is {}; it must be a list in brackets",
                    type_name(other)
                )));
            }
        };
        let items = values.into_iter().enumerate().map(|(index, value)| {
            item(&RawValue { value, sources: given.sources })
                .map_err(|wrong| ParseError::new(format!("item {} {wrong}", index + 1)))
        });
        items.collect()
    }
}

/// A secret: the text itself, or in the file also `{ env = "NAME" }` or `{ file = "PATH" }`.
pub(super) fn secret<T, E: fmt::Display>(
    parse: impl Fn(&str) -> Result<T, E>,
) -> impl Fn(&RawValue<'_>) -> Result<T, ParseError> {
    move |given| {
        let text = secret_text(given)?;
        if is_placeholder(&text) {
            return Err(ParseError::new(format!("is still a placeholder; it must be {SECRET_FORMS}")));
        }
        parse(&text).map_err(ParseError::new)
    }
}

/// A secret, or `"off"` for none.
pub(super) fn secret_or_off<T, E: fmt::Display>(
    parse: impl Fn(&str) -> Result<T, E>,
) -> impl Fn(&RawValue<'_>) -> Result<Option<T>, ParseError> {
    let parse = secret(parse);
    move |given| {
        if given.text().is_ok_and(|text| text == "off") { Ok(None) } else { parse(given).map(Some) }
    }
}

const SECRET_FORMS: &str = "the secret in quotes, { env = \"NAME\" } or { file = \"PATH\" }";

fn secret_text(given: &RawValue<'_>) -> Result<Zeroizing<String>, ParseError> {
    match given.value {
        SourceValue::Variable(text) => Ok(Zeroizing::new(text.to_owned())),
        SourceValue::File(DeValue::String(text)) => Ok(Zeroizing::new(text.to_string())),
        SourceValue::File(DeValue::Table(table)) => match secret_reference(table) {
            Some(("env", name)) => secret_variable(name, given),
            Some(("file", path)) => secret_file(&given.base_folder().join(path)),
            Some(_) | None => {
                Err(ParseError::new(format!("is a table of another form; it must be {SECRET_FORMS}")))
            }
        },
        SourceValue::File(other) => {
            Err(ParseError::new(format!("is {}; it must be {SECRET_FORMS}", type_name(other))))
        }
    }
}

/// Key and text of a table with exactly one key.
fn secret_reference<'a>(table: &'a DeTable<'_>) -> Option<(&'a str, &'a str)> {
    let (key, value) = table.iter().next().filter(|_| table.len() == 1)?;
    Some((key.get_ref().as_ref(), value.get_ref().as_str()?))
}

fn secret_variable(name: &str, given: &RawValue<'_>) -> Result<Zeroizing<String>, ParseError> {
    let in_variable =
        |wrong| ParseError::new(format!("is in the environment variable {name}, which {wrong}"));
    match given.sources.variable(name) {
        Some(Ok(text)) => Ok(Zeroizing::new(text.to_owned())),
        Some(Err(wrong)) => Err(in_variable(wrong)),
        None => Err(in_variable(ParseError::new("is not set"))),
    }
}

/// Contents of the file, without the trailing line end of editors and `echo`.
fn secret_file(path: &Path) -> Result<Zeroizing<String>, ParseError> {
    let mut text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        ParseError::new(format!("is in the file {}, which cannot be read: {error}", path.display()))
    })?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    Ok(text)
}

/// `a`, `a or b`, `a, b or c`.
fn join_alternatives(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

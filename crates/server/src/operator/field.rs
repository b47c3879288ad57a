//! Text fields of the operator API that hold domain types, and their schemas.
//!
//! [`TextParam::parse`] parses a text of a request and names the field if it is invalid. A text of a reply is a
//! domain type already. Both take their schema from the type's own rule, so that document and parser cannot differ.

use std::borrow::Cow;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use pactolus_types::{AppId, BillNo, Environment, InvalidText, OfferId, OpenId, ZoneId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::problem::Problem;

/// A text in a request that has to parse as a `T`.
#[derive(Deserialize, Serialize)]
#[serde(transparent, bound = "")]
pub(crate) struct TextParam<T>(String, #[serde(skip)] PhantomData<T>);

/// A `T` in a reply, as text.
pub(crate) struct AsText<T>(pub(crate) T);

/// A type that travels as text.
pub(crate) trait TextValue: FromStr<Err: Display> + Display {
    fn schema() -> Schema;
}

impl<T: TextValue> TextParam<T> {
    /// 422, naming the field, if the text is not a `T`.
    pub(crate) fn parse(&self, name: &'static str) -> Result<T, Problem> {
        self.0.parse().map_err(|error| Problem::invalid(name, error))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: TextValue> From<&str> for TextParam<T> {
    fn from(text: &str) -> Self {
        Self(text.to_owned(), PhantomData)
    }
}

impl<T: TextValue> Serialize for AsText<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

macro_rules! impl_text_schema {
    ($($wrapper:ident),*) => {$(
        impl<T: TextValue> JsonSchema for $wrapper<T> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($wrapper).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                T::schema()
            }
        }
    )*};
}

impl_text_schema!(TextParam, AsText);

macro_rules! impl_text_value {
    ($($noun:ident),*) => {$(
        impl TextValue for $noun {
            fn schema() -> Schema {
                let refused = $noun::new("").expect_err("no noun is an empty text");
                json_schema!({ "type": "string", "pattern": pattern(&refused) })
            }
        }
    )*};
}

impl_text_value!(AppId, BillNo, OfferId, OpenId, ZoneId);

impl TextValue for Environment {
    fn schema() -> Schema {
        json_schema!({ "type": "string", "enum": Self::ALL.map(Self::as_str) })
    }
}

/// The rule of a domain type as a regular expression, from its own parse error.
fn pattern(InvalidText { max, allowed, problem: _ }: &InvalidText) -> String {
    // Of the allowed characters, only the hyphen is special between brackets.
    let escaped = allowed.replace('-', r"\-");
    format!("^[0-9A-Za-z{escaped}]{{1,{max}}}$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_pattern_matches_the_parsing_rule() {
        assert_eq!(BillNo::schema().get("pattern").unwrap(), r"^[0-9A-Za-z_\-|*@]{1,63}$");
        assert_eq!(ZoneId::schema().get("pattern").unwrap(), r"^[0-9A-Za-z_\-.:|*@]{1,64}$");
    }
}

//! The body of a call: the top-level fields of one JSON object, as they were sent.
//!
//! A signature covers what was sent, so numbers keep their digits and nothing is ever serialised again.
//! A body must never be logged; its `Debug` says only how many fields it has.
//! Read `call/reader.rs` next for how fields become values.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::error::{ErrorCode, Refusal};
use crate::parameter::Parameter;

mod field;

pub(crate) use field::{Field, Value};

/// The largest body, in bytes: several times what every documented parameter at its longest takes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;

/// The fields of a body, sorted by key in byte order, as signatures want them; no key comes twice.
pub struct Body<'a> {
    fields: Vec<Field<'a>>,
}

impl<'a> Body<'a> {
    /// The body that `bytes` hold: 44002 if there are none, 47001 if they are not one JSON object, 90018 if a
    /// key comes twice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Err(Refusal::new(ErrorCode::EmptyPostData));
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err(malformed(format!("the body is larger than {BODY_BYTES_MAX} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8"))?;
        let fields = raw_fields(text)?
            .into_iter()
            .map(|(key, raw)| Field::decode(key, raw.get()))
            .collect::<Result<_, _>>()?;
        Self::from_fields(fields)
    }

    /// 47001 for a body above [`BODY_BYTES_MAX`], for a reader that stops there.
    pub fn too_large() -> Refusal {
        malformed(format!("the body is larger than {BODY_BYTES_MAX} bytes"))
    }

    /// The body with these fields, which come in any order.
    pub(crate) fn from_fields(mut fields: Vec<Field<'a>>) -> Result<Self, Refusal> {
        fields.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        match fields.windows(2).find(|pair| pair[0].key == pair[1].key) {
            None => Ok(Self { fields }),
            Some(pair) => Err(sent_twice(&pair[0])),
        }
    }

    pub(crate) fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The keys in the order in which they were sent, each with its value as it was written.
    pub(crate) fn written(bytes: &'a [u8]) -> Result<Vec<(Cow<'a, str>, &'a str)>, Refusal> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8"))?;
        Ok(raw_fields(text)?.into_iter().map(|(key, raw)| (key, raw.get())).collect())
    }

    /// The value of the field `key`, for calls that have no table of parameters.
    pub(crate) fn field(&self, key: &str) -> Option<&Value<'a>> {
        self.fields.iter().find(|field| field.key == key).map(|field| &field.value)
    }

    pub(crate) fn get(&self, parameter: Parameter) -> Option<&Value<'a>> {
        self.fields.iter().find(|field| field.parameter == Some(parameter)).map(|field| &field.value)
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} fields)", self.fields.len())
    }
}

fn malformed(detail: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::because(ErrorCode::DataFormat, detail)
}

/// 90018: a parameter keeps its plain name; any other key is quoted, and cut, for it may be most of a body.
fn sent_twice(field: &Field<'_>) -> Refusal {
    if let Some(parameter) = field.parameter {
        return Refusal::parameter(parameter, "is sent twice");
    }
    let start: String = field.key.chars().take(64).collect();
    Refusal::because(ErrorCode::InvalidParameter, format!("{start:?} is sent twice"))
}

type RawField<'a> = (Cow<'a, str>, &'a RawValue);

fn raw_fields(text: &str) -> Result<Vec<RawField<'_>>, Refusal> {
    let mut json = serde_json::Deserializer::from_str(text);
    let fields = json.deserialize_map(FieldsVisitor).map_err(|error| match error.classify() {
        Category::Data => malformed("the body is not a JSON object"),
        Category::Eof => malformed("the body ends before its JSON does"),
        Category::Syntax | Category::Io => {
            malformed(format!("the body is not JSON at line {}, column {}", error.line(), error.column()))
        }
    })?;
    json.end().map_err(|_| malformed("something follows the JSON object in the body"))?;
    Ok(fields)
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<RawField<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // Room for every documented parameter of the longest call, its signatures and a few more.
        let mut fields = Vec::with_capacity(16);
        while let Some(key) = map.next_key_seed(Key)? {
            fields.push((key, map.next_value()?));
        }
        Ok(fields)
    }
}

/// A key, borrowed from the body where it has no escapes; serde's own `Cow` always copies.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Vec<(String, Value<'_>)> {
        let body = Body::parse(json.as_bytes()).unwrap();
        body.fields.into_iter().map(|field| (field.key.into_owned(), field.value)).collect()
    }

    #[test]
    fn values_stay_as_they_were_sent() {
        let sent =
            r#" {"z":1e0,"\u0061":"\u5b9d\/剑","b":-0,"c":null,"d":{"sig":[]},"e":"\ud83d\ude00","_":""} "#;
        let expected = [
            ("_", Value::Text("".into())),
            ("a", Value::Text("宝/剑".into())),
            ("b", Value::Number("-0".into())),
            ("c", Value::Literal("null")),
            ("d", Value::Nested),
            ("e", Value::Text("😀".into())),
            ("z", Value::Number("1e0".into())),
        ];
        assert_eq!(fields(sent), expected.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn texts_without_escapes_are_borrowed() {
        let body = Body::parse(br#"{"openid":"abc"}"#).unwrap();
        assert!(matches!(
            &body.fields[0],
            Field { key: Cow::Borrowed(_), value: Value::Text(Cow::Borrowed(_)), .. }
        ));
    }

    #[test]
    fn what_is_no_body_is_refused_and_the_detail_says_why() {
        let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(BODY_BYTES_MAX));
        let cases: &[(&[u8], i32, &str)] = &[
            (b"", 44002, ""),
            (large.as_bytes(), 47001, "the body is larger than 16384 bytes"),
            (b"{\"a\":\"\xff\"}", 47001, "the body is not UTF-8"),
            (b" ", 47001, "the body ends before its JSON does"),
            (b"{\"a\":1", 47001, "the body ends before its JSON does"),
            (b"[]", 47001, "the body is not a JSON object"),
            (b"\"secret\"", 47001, "the body is not a JSON object"),
            (b"1507530737", 47001, "the body is not a JSON object"),
            (b"null", 47001, "the body is not a JSON object"),
            (b"\xef\xbb\xbf{}", 47001, "the body is not JSON at line"),
            (b"{} {}", 47001, "something follows the JSON object in the body"),
            (b"{\"a\":1},", 47001, "something follows the JSON object in the body"),
            (b"{\"a\":01}", 47001, "the body is not JSON at line"),
            (b"{\"a\":1,}", 47001, "the body is not JSON at line"),
            (b"{'a':1}", 47001, "the body is not JSON at line"),
            (b"{\"a\":NaN}", 47001, "the body is not JSON at line"),
            (b"{1:1}", 47001, "the body is not JSON at line"),
            (b"a=1&b=2", 47001, "the body is not JSON at line"),
            (b"{\"a\":\"\n\"}", 47001, "the body is not JSON at line"),
            (br#"{"a":"\ud83d"}"#, 47001, "a string of the body has a lone surrogate"),
            (br#"{"a":"\ude00\ud83d"}"#, 47001, "a string of the body has a lone surrogate"),
            (br#"{"sig":1,"sig":1}"#, 90018, "sig is sent twice"),
            (br#"{"sig":1,"s\u0069g":2}"#, 90018, "sig is sent twice"),
            (br#"{"x y":1,"a":[],"x y":2}"#, 90018, "\"x y\" is sent twice"),
        ];
        for (bytes, code, detail) in cases {
            let refusal = Body::parse(bytes).expect_err(detail);
            let told = refusal.detail().unwrap_or_default();
            assert_eq!(refusal.code().code(), *code, "{detail}");
            assert!(told.starts_with(detail), "{told}, not {detail}");
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let open = format!(r#"{{"a":{}"#, "[".repeat(10_000));
        assert_eq!(Body::parse(open.as_bytes()).unwrap_err().code(), ErrorCode::DataFormat);
        let closed = format!(r#"{{"a":{}{}}}"#, "[".repeat(8_000), "]".repeat(8_000));
        assert_eq!(fields(&closed), [("a".to_owned(), Value::Nested)]);
    }
}

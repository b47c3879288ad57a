//! The body of a call of the first wire: the top-level fields of one JSON object, as they were sent.
//!
//! A signature covers the raw values, so numbers keep their digits and nothing is ever serialised again.
//! A body must never be logged; its `Debug` shows only the number of fields.
//! Read next: `object.rs` for the JSON object, `midas/call/reader.rs` for how fields become values.

use std::borrow::Cow;
use std::fmt;

use crate::error::{ErrorCode, ErrorReply};
use crate::midas::parameter::Parameter;
pub use crate::object::BODY_BYTES_MAX;
pub(crate) use crate::object::Value;
use crate::object::{
    self, LoneSurrogate, as_text, decode_string, first_by_name, lone_surrogate_in_key_error, malformed,
    members, next_member,
};

#[cfg(test)]
mod differential;

#[derive(Clone, Copy)]
pub(crate) struct Field<'b> {
    /// The name, unescaped.
    pub key: &'b str,
    /// The parameter of this name, if any call documents it.
    pub parameter: Option<Parameter>,
    pub value: &'b Value<'b>,
}

/// The fields of a body. Keys are unique.
pub struct Body<'a> {
    /// The value of each parameter, in name order.
    parameters: [Option<Value<'a>>; Parameter::ALL.len()],
    /// The undocumented fields, sorted by key in byte order.
    others: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Body<'a> {
    /// Parses a body. Errors: 44002 if it is empty, 47001 if it is not one JSON object, 90018 if a key occurs
    /// twice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ErrorReply> {
        object::check_size(bytes)?;
        Self::parse_object(bytes).map_err(|error| object::name_wrapping(bytes, error))
    }

    fn parse_object(bytes: &'a [u8]) -> Result<Self, ErrorReply> {
        let text = as_text(bytes)?;
        let mut body = Self::empty();
        // Reported at the end, because a JSON syntax error anywhere takes precedence over both.
        let (mut has_lone_surrogate, mut duplicate) = (false, None);
        let mut members = members(text)?;
        while let Some(member) = next_member(&mut members, text)? {
            let Ok(key) = decode_string(text, member.key) else {
                return Err(lone_surrogate_in_key_error(text, &member));
            };
            let Ok(value) = Value::decode(text, member.value) else {
                has_lone_surrogate = true;
                continue;
            };
            match Parameter::from_name(&key) {
                None => body.others.push((key, value)),
                Some(parameter) => {
                    if body.parameters[parameter as usize].replace(value).is_some() {
                        duplicate = first_by_name(duplicate, Some(parameter.name()));
                    }
                }
            }
        }
        if has_lone_surrogate {
            return Err(malformed("a string of the body has a lone surrogate"));
        }
        body.others.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let other_duplicate =
            body.others.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| &*pair[0].0);
        match first_by_name(duplicate, other_duplicate) {
            None => Ok(body),
            Some(key) => Err(duplicate_field(key)),
        }
    }

    /// 47001 for a body above [`BODY_BYTES_MAX`], for a reader that stops at the limit.
    pub fn too_large() -> ErrorReply {
        object::too_large()
    }

    /// 47001 for a body that its header calls compressed.
    pub fn compressed() -> ErrorReply {
        object::compressed()
    }

    /// Whether a body is an HTML form in place of a JSON object.
    pub fn is_form(bytes: &[u8]) -> bool {
        object::is_form(bytes)
    }

    /// A body of these parameters, given in any order.
    pub(crate) fn from_parameters(parameters: impl IntoIterator<Item = (Parameter, Value<'a>)>) -> Self {
        let mut body = Self::empty();
        for (parameter, value) in parameters {
            let before = body.parameters[parameter as usize].replace(value);
            assert!(before.is_none(), "no request type writes a field twice");
        }
        body
    }

    /// The fields sorted by key in byte order, as signatures need them.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        let mut parameters =
            Parameter::ALL.iter().filter_map(|parameter| self.parameter(*parameter)).peekable();
        let mut others = self.others().peekable();
        std::iter::from_fn(move || match (parameters.peek(), others.peek()) {
            (Some(parameter), Some(other)) if other.key < parameter.key => others.next(),
            (Some(_), _) => parameters.next(),
            (None, _) => others.next(),
        })
    }

    pub(crate) fn parameter(&self, parameter: Parameter) -> Option<Field<'_>> {
        let value = self.get(parameter)?;
        Some(Field { key: parameter.name(), parameter: Some(parameter), value })
    }

    /// The undocumented fields, sorted by key.
    pub(crate) fn others(&self) -> impl Iterator<Item = Field<'_>> {
        self.others.iter().map(|(key, value)| Field { key, parameter: None, value })
    }

    /// The keys in the order sent, each with its raw JSON value.
    pub(crate) fn raw_fields(bytes: &'a [u8]) -> Result<Vec<(Cow<'a, str>, &'a str)>, ErrorReply> {
        let text = as_text(bytes)?;
        let mut raw_fields = Vec::new();
        let mut members = members(text)?;
        while let Some(member) = next_member(&mut members, text)? {
            let key = decode_string(text, member.key)
                .map_err(|LoneSurrogate| lone_surrogate_in_key_error(text, &member))?;
            raw_fields.push((key, &text[member.value.start..member.value.end]));
        }
        Ok(raw_fields)
    }

    /// The value of the field `key`, for calls without a parameter table.
    pub(crate) fn field(&self, key: &str) -> Option<&Value<'a>> {
        match Parameter::from_name(key) {
            Some(parameter) => self.get(parameter),
            None => self.others.iter().find(|(other, _)| other == key).map(|(_, value)| value),
        }
    }

    /// Whether a body holds a parameter, with any value but an empty one.
    pub fn holds(&self, parameter: Parameter) -> bool {
        self.get(parameter).is_some_and(|value| *value != Value::Text("".into()))
    }

    pub(crate) fn get(&self, parameter: Parameter) -> Option<&Value<'a>> {
        self.parameters[parameter as usize].as_ref()
    }

    fn empty() -> Self {
        Self { parameters: [const { None }; Parameter::ALL.len()], others: Vec::new() }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} fields)", self.fields().count())
    }
}

/// Error 90018. Only a parameter is named: any other key is the caller's text, and errors are logged.
fn duplicate_field(key: &str) -> ErrorReply {
    match Parameter::from_name(key) {
        Some(parameter) => ErrorReply::invalid_parameter(parameter, "is sent twice"),
        None => ErrorReply::with_detail(ErrorCode::InvalidParameter, "an undocumented field is sent twice"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_fields(json: &str, expected: &[(&str, Value<'_>)]) {
        let body = Body::parse(json.as_bytes()).unwrap();
        let fields: Vec<_> = body.fields().map(|field| (field.key, field.value.clone())).collect();
        assert_eq!(fields, expected, "{json}");
    }

    #[test]
    fn values_are_preserved_verbatim() {
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
        assert_fields(sent, &expected);
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let body = Body::parse(br#"{"openid":"abc","other":"\/"}"#).unwrap();
        assert!(matches!(body.get(Parameter::OpenId), Some(Value::Text(Cow::Borrowed("abc")))));
        assert!(matches!(&body.others[..], [(Cow::Borrowed("other"), Value::Text(Cow::Owned(_)))]));
    }

    #[test]
    fn invalid_body_is_rejected_with_its_reason() {
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
            (b"\xef\xbb\xbf", 47001, "the body ends before its JSON does"),
            (b"\xef\xbb\xbf\xef\xbb\xbf{}", 47001, "the body is not JSON at line"),
            (b"\xff\xfe{\x00}\x00", 47001, "the body is not UTF-8"),
            (b"\x1f\x8b\x08\x00\x00", 47001, "the body is compressed; send one JSON object"),
            (b"\x78\x9c\xab\x56", 47001, "the body is compressed; send one JSON object"),
            (b"\x28\xb5\x2f\xfd\x04", 47001, "the body is compressed; send one JSON object"),
            (
                b"--x\r\nContent-Disposition: form-data; name=\"openid\"\r\n\r\na\r\n--x--\r\n",
                47001,
                "the body is a multipart form; send one JSON object",
            ),
            (b"openid=a", 47001, "the body is a form; send one JSON object"),
            (b"a%5Bb%5D=\xff", 47001, "the body is a form; send one JSON object"),
            (b"[a]=1", 47001, "the body is not a JSON object"),
            (b"--", 47001, "the body is not JSON at line"),
            (b"{} {}", 47001, "something follows the JSON object in the body"),
            (b"{\"a\":1},", 47001, "something follows the JSON object in the body"),
            (b"{\"a\":01}", 47001, "the body is not JSON at line"),
            (b"{\"a\":1,}", 47001, "the body is not JSON at line"),
            (b"{'a':1}", 47001, "the body is not JSON at line"),
            (b"{\"a\":NaN}", 47001, "the body is not JSON at line"),
            (b"{1:1}", 47001, "the body is not JSON at line"),
            (b"a=1&b=2", 47001, "the body is a form; send one JSON object"),
            (b"{\"a\":\"\n\"}", 47001, "the body is not JSON at line"),
            (br#"{"a":"\ud83d"}"#, 47001, "a string of the body has a lone surrogate"),
            (br#"{"a":"\ude00\ud83d"}"#, 47001, "a string of the body has a lone surrogate"),
            (br#"{"sig":1,"sig":1}"#, 90018, "sig is sent twice"),
            (br#"{"sig":1,"s\u0069g":2}"#, 90018, "sig is sent twice"),
            (br#"{"x y":1,"a":[],"x y":2}"#, 90018, "an undocumented field is sent twice"),
        ];
        for (bytes, code, detail) in cases {
            let refusal = Body::parse(bytes).expect_err(detail);
            let actual = refusal.detail().unwrap_or_default();
            assert_eq!(refusal.code().code(), *code, "{detail}");
            assert!(actual.starts_with(detail), "{actual}, not {detail}");
        }
    }

    #[test]
    fn byte_order_mark_is_skipped() {
        let sent = b"\xef\xbb\xbf{\"a\":1}";
        let body = Body::parse(sent).unwrap();
        assert_eq!(body.field("a"), Some(&Value::Number("1".into())));
        assert_eq!(Body::raw_fields(sent).unwrap(), [("a".into(), "1")]);
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let open = format!(r#"{{"a":{}"#, "[".repeat(10_000));
        assert_eq!(Body::parse(open.as_bytes()).unwrap_err().code(), ErrorCode::DataFormat);
        let closed = format!(r#"{{"a":{}{}}}"#, "[".repeat(8_000), "]".repeat(8_000));
        assert_fields(&closed, &[("a", Value::Nested)]);
    }
}

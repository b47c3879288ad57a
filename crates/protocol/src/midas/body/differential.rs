//! Differential test of the body scanner against serde_json, its predecessor: both refuse the same bodies in the
//! same words, and keep the same fields of the others.
//!
//! They disagree on the place of some errors, and on the kind of a few: see [`messages_differ`].

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::{Body, Value};

/// The fields sorted by key, or the error code with its detail. `None` for a detail that is not compared.
type ParseResult = Result<Vec<(String, String)>, (i32, Option<String>)>;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

fn parse_with_serde(bytes: &[u8]) -> ParseResult {
    if bytes.is_empty() {
        return Err((44002, None));
    }
    let malformed = |words: &str| Err((47001, Some(words.to_owned())));
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        // What looks like a form or like compressed bytes is named as such.
        return if bytes.starts_with(b"{") { malformed("the body is not UTF-8") } else { Err((47001, None)) };
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let raw = match json.deserialize_map(RawFieldVisitor) {
        Ok(raw) => raw,
        Err(error) if messages_differ(text, &error) => return Err((47001, None)),
        Err(error) => {
            return malformed(&match error.classify() {
                Category::Data => "the body is not a JSON object".to_owned(),
                Category::Eof => "the body ends before its JSON does".to_owned(),
                Category::Syntax | Category::Io => {
                    format!("the body is not JSON at line {}, column {}", error.line(), error.column())
                }
            });
        }
    };
    if json.end().is_err() {
        return malformed("something follows the JSON object in the body");
    }
    let mut fields = Vec::new();
    for (key, raw) in raw {
        let raw = raw.get();
        let value = match raw.as_bytes()[0] {
            b'"' => match serde_json::from_str::<String>(raw) {
                Ok(text) => format!("text {text}"),
                Err(_) => return malformed("a string of the body has a lone surrogate"),
            },
            b'{' | b'[' => "nested".to_owned(),
            b't' | b'f' | b'n' => format!("literal {raw}"),
            _ => format!("number {raw}"),
        };
        fields.push((key, value));
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    match fields.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(fields),
        Some(pair) => Err((90018, Some(duplicate_message(&pair[0].0)))),
    }
}

fn duplicate_message(key: &str) -> String {
    match crate::Parameter::from_name(key) {
        Some(parameter) => format!("{parameter} is sent twice"),
        None => "an undocumented field is sent twice".to_owned(),
    }
}

/// Whether the scanner reports an error in other words than serde_json.
///
/// In a string it names the wrong byte, where serde_json may name one before or after. It names a line end by its own
/// line, not as column 0 of the next. A number cut off at the end of the body is an unexpected end. A body that is a
/// single number or string is only "not an object".
fn messages_differ(text: &str, error: &serde_json::Error) -> bool {
    let message = error.to_string();
    let in_a_string =
        ["control character", "invalid escape", "lone leading surrogate", "unexpected end of hex"];
    let is_bare = !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    in_a_string.iter().any(|kind| message.starts_with(kind))
        || error.is_syntax() && error.column() == 0
        || message.starts_with("invalid number") && text.ends_with(['-', '+', '.', 'e', 'E'])
        || is_bare && error.is_syntax()
}

fn parse_with_scanner(bytes: &[u8]) -> ParseResult {
    let body =
        Body::parse(bytes).map_err(|refusal| (refusal.code().code(), refusal.detail().map(str::to_owned)))?;
    let value = |value: &Value<'_>| match value {
        Value::Text(text) => format!("text {text}"),
        Value::Number(digits) => format!("number {digits}"),
        Value::Literal(literal) => format!("literal {literal}"),
        Value::Nested => "nested".to_owned(),
    };
    Ok(body.fields().map(|field| (field.key.to_owned(), value(field.value))).collect())
}

#[track_caller]
fn assert_parsers_agree(bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    match (parse_with_serde(bytes), parse_with_scanner(bytes)) {
        (Err((code, None)), Err((actual, _))) => assert_eq!(actual, code, "{shown}"),
        (expected, seen) => assert_eq!(seen, expected, "{shown}"),
    }
    // The explanation of a signature parses the body a second time, in the order sent.
    let written = Body::raw_fields(bytes).map(|pairs| pairs.len()).ok();
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let raw = std::str::from_utf8(bytes).ok().and_then(|text| {
        let mut json = serde_json::Deserializer::from_str(text);
        let raw = json.deserialize_map(RawFieldVisitor).ok()?;
        json.end().ok().map(|()| raw.len())
    });
    assert_eq!(written, raw, "{shown}");
}

struct RawFieldVisitor;

impl<'de> Visitor<'de> for RawFieldVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}

/// Pieces of JSON, well-formed and malformed.
const JSON_FRAGMENTS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    " ",
    "\t",
    "\n",
    "\r",
    "\"sig\"",
    "\"s\\u0069g\"",
    "\"ts\":",
    "\"a\"",
    "\"zz\":1,",
    "\"\"",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E",
    "12",
    "-0",
    "0.50",
    "1e400",
    "-1.5E-7",
    "123456789012345678901234567890",
    "true",
    "false",
    "null",
    "tru",
    "nul",
    "NaN",
    "\\u",
    "\\u5b9d",
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\ude00",
    "\\/",
    "\\x",
    "d8",
    "宝",
    "😀",
    "\u{feff}",
    "\u{7f}",
    "\u{1f}",
    "\0",
    "{\"a\":[{}]}",
    "[[],{}]",
    "abcdefgh",
    "'a'",
    "//",
];

const BODY: &str = r#"{"openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","ts":1507530737, "zone_id":"1", "pay_item":"\u5b9d\/剑 \ud83d\ude00","deep":[{"a":[1.5e3,null]},{}],"ok":true,"amt":-0.1E+2,"_":"","sig":"0123456789abcdef"}"#;

fn json_string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => r#"[^"\\\x00-\x1f]{0,20}"#,
        1 => select(&["\\n", "\\\"", "\\\\", "\\/", "\\u0000", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\udE00"][..])
            .prop_map(str::to_owned),
    ];
    vec(part, 0..4).prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn json_key() -> impl Strategy<Value = String> {
    prop_oneof![
        select(crate::Parameter::ALL).prop_map(|parameter| format!("\"{parameter}\"")),
        "\"[a-z_]{0,3}\"",
        json_string(),
    ]
}

fn json_object(value: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let space = || "[ \t\n\r]{0,2}";
    let member = (json_key(), space(), space(), value, space())
        .prop_map(|(key, a, b, value, c)| format!("{a}{key}{b}:{c}{value}{a}"));
    vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn json_value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        json_string(),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?",
        select(&["true", "false", "null"][..]).prop_map(str::to_owned),
    ];
    scalar.prop_recursive(6, 40, 4, |value| {
        let array = vec(value.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(" ,")));
        prop_oneof![array, json_object(value).boxed()]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn parsers_agree_on_any_object(json in json_object(json_value())) {
        assert_parsers_agree(json.as_bytes());
    }

    #[test]
    fn parsers_agree_on_corrupted_objects(
        json in json_object(json_value()), place in any::<Index>(), piece in select(JSON_FRAGMENTS), taken in 0..3_usize,
    ) {
        let mut bytes = json.into_bytes();
        let place = place.index(bytes.len() + 1);
        let end = bytes.len().min(place + taken);
        bytes.splice(place..end, piece.bytes());
        assert_parsers_agree(&bytes);
    }

    #[test]
    fn parsers_agree_on_json_fragments(pieces in vec(select(JSON_FRAGMENTS), 0..12), is_open in any::<bool>()) {
        assert_parsers_agree(pieces.concat().as_bytes());
        let open = if is_open { "{\"b\":" } else { "{" };
        assert_parsers_agree(format!("{open}{}", pieces.concat()).as_bytes());
        assert_parsers_agree(format!("{open}{}}}", pieces.concat()).as_bytes());
    }

    #[test]
    fn parsers_agree_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..40), within in any::<Index>()) {
        assert_parsers_agree(&bytes);
        let mut body = BODY.as_bytes().to_vec();
        let place = within.index(body.len());
        body.splice(place..place, bytes);
        assert_parsers_agree(&body);
    }
}

/// Every offset of a body, with every single-byte edit.
#[test]
fn parsers_agree_on_every_single_byte_edit() {
    let body = BODY.as_bytes();
    assert_parsers_agree(body);
    for place in 0..body.len() {
        assert_parsers_agree(&body[..place]);
        assert_parsers_agree(&[&body[..place], &body[place + 1..]].concat());
        for byte in b"\"\\{}[],:0e-.tu \n\0\x1f\x80\xff" {
            assert_parsers_agree(&[&body[..place], &[*byte], &body[place..]].concat());
            assert_parsers_agree(&[&body[..place], &[*byte], &body[place + 1..]].concat());
        }
    }
}

#[test]
fn parsers_agree_on_deep_and_unclosed_nesting() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        for depth in [1, 2, 127, 128, 129, 1000] {
            let (opened, closed) = (open.repeat(depth), close.repeat(depth));
            for value in ["", "1", "{}", "[]", "\"\\ud800\"", ",", "{", "]"] {
                assert_parsers_agree(format!("{{\"a\":{opened}{value}{closed}}}").as_bytes());
                assert_parsers_agree(format!("{{\"a\":{opened}{value}").as_bytes());
                assert_parsers_agree(format!("{{\"a\":{opened}{value}{closed}{close}").as_bytes());
            }
        }
    }
}

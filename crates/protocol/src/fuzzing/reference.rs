//! Reference implementation of `docs/protocol/midas.md`, plain and slow: the oracle of the fuzz targets.
//!
//! It must not call the code under test: serde reads the bodies, the tables are written again, and HMAC is built from
//! SHA-256 as in RFC 2104.

use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::error::ErrorCode;
use crate::midas::call::{CallKind, CallPath};
use crate::midas::sign::dialect::SafeChars;
use crate::midas::sign::{Dialect, DialectPolicy, Encoding, Selection};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReferenceValue {
    Text(String),
    Number(String),
    Literal(String),
    Nested,
}

/// The fields of a body sorted by key, or the error code.
pub(super) fn fields(bytes: &[u8]) -> Result<Vec<(String, ReferenceValue)>, ErrorCode> {
    if bytes.is_empty() {
        return Err(ErrorCode::EmptyPostData);
    }
    if bytes.len() > 16 * 1024 {
        return Err(ErrorCode::DataFormat);
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let RawPairs(pairs) = serde_json::from_slice(bytes).map_err(|_| ErrorCode::DataFormat)?;
    let mut fields = Vec::new();
    for (key, raw) in pairs {
        let raw = raw.get();
        let value = match raw.as_bytes()[0] {
            b'"' => ReferenceValue::Text(serde_json::from_str(raw).map_err(|_| ErrorCode::DataFormat)?),
            b'{' | b'[' => ReferenceValue::Nested,
            b't' | b'f' | b'n' => ReferenceValue::Literal(raw.to_owned()),
            _ => ReferenceValue::Number(raw.to_owned()),
        };
        fields.push((key, value));
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    if fields.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(ErrorCode::InvalidParameter);
    }
    Ok(fields)
}

struct RawPairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawPairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairVisitor;

        impl<'de> Visitor<'de> for PairVisitor {
            type Value = RawPairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(RawPairs(pairs))
            }
        }

        deserializer.deserialize_map(PairVisitor)
    }
}

/// The text of a string field.
pub(super) fn text_field<'f>(fields: &'f [(String, ReferenceValue)], key: &str) -> Option<&'f str> {
    match fields.iter().find(|(known, _)| known == key)? {
        (_, ReferenceValue::Text(text)) => Some(text),
        _ => None,
    }
}

fn documented(kind: CallKind) -> &'static [&'static str] {
    match kind {
        CallKind::Present => {
            &["openid", "appid", "offer_id", "ts", "zone_id", "pf", "user_ip", "bill_no", "present_counts"]
        }
        CallKind::GetBalance => &["openid", "appid", "offer_id", "ts", "zone_id", "pf", "user_ip"],
        CallKind::Pay => &[
            "openid",
            "appid",
            "offer_id",
            "ts",
            "zone_id",
            "pf",
            "user_ip",
            "bill_no",
            "amt",
            "pay_item",
            "app_remark",
        ],
        CallKind::CancelPay => {
            &["openid", "appid", "offer_id", "ts", "zone_id", "pf", "user_ip", "bill_no", "pay_item"]
        }
    }
}

/// The pairs that a dialect signs and the extra ones, sorted and joined.
fn pairs(
    path: CallPath,
    fields: &[(String, ReferenceValue)],
    dialect: Dialect,
    extra_pairs: &[(&str, &str)],
) -> String {
    let mut signed = BTreeMap::new();
    for (key, value) in fields {
        let (text, is_empty) = match value {
            ReferenceValue::Text(text) => (text, text.is_empty()),
            ReferenceValue::Number(digits) => (digits, digits == "0"),
            ReferenceValue::Literal(word) => (word, false),
            ReferenceValue::Nested => continue,
        };
        let is_documented = documented(path.kind).contains(&&**key);
        let is_order = ["bill_no", "present_counts", "amt"].contains(&&**key);
        let is_signed = match dialect.selection {
            Selection::Documented => is_documented,
            Selection::EveryField => !PROOFS.contains(&&**key),
            Selection::WithoutEmpty => is_documented && (is_order || !is_empty),
        };
        if is_signed {
            signed.insert(key.as_str(), text.as_str());
        }
    }
    signed.extend(extra_pairs.iter().copied());
    let pairs = signed.iter().map(|(key, value)| format!("{key}={}", encoded(value, dialect.encoding)));
    pairs.collect::<Vec<_>>().join("&")
}

fn encoded(value: &str, encoding: Encoding) -> String {
    let (unescaped, is_upper) = match encoding {
        Encoding::Raw => return value.to_owned(),
        Encoding::FormUpper(unescaped) => (unescaped, true),
        Encoding::FormLower(unescaped) => (unescaped, false),
    };
    let marks = match unescaped {
        SafeChars::Star => "-._*",
        SafeChars::Tilde => "-._~",
        SafeChars::None => "-._",
        SafeChars::StarAndBrackets => "-._*!()",
    };
    let one = |byte: u8| match char::from(byte) {
        ' ' => "+".to_owned(),
        c if c.is_ascii_alphanumeric() || marks.contains(c) => c.to_string(),
        _ if is_upper => format!("%{byte:02X}"),
        _ => format!("%{byte:02x}"),
    };
    value.bytes().map(one).collect()
}

pub(super) fn sig(
    path: CallPath,
    fields: &[(String, ReferenceValue)],
    dialect: Dialect,
    key: &str,
) -> String {
    let pairs = pairs(path, fields, dialect, &[]);
    let text = format!("{pairs}&org_loc={path}&method=POST&secret={key}");
    hex(&hmac_sha256(key.as_bytes(), text.as_bytes()))
}

pub(super) fn mp_sig(
    path: CallPath,
    fields: &[(String, ReferenceValue)],
    dialect: Dialect,
    sig: &str,
    token: &str,
    key: &str,
) -> String {
    let pairs = pairs(path, fields, dialect, &[("access_token", token), ("sig", sig)]);
    let text = format!("{pairs}&org_loc={path}&method=POST&session_key={key}");
    hex(&hmac_sha256(key.as_bytes(), text.as_bytes()))
}

/// The first accepted dialect that reproduces the signature `sent`.
pub(super) fn dialect(
    path: CallPath,
    fields: &[(String, ReferenceValue)],
    dialects: DialectPolicy,
    sent: &str,
    sign: impl Fn(Dialect) -> String,
) -> Option<Dialect> {
    let reads_in_one_way = |dialect: &Dialect| {
        let is_ambiguous = |(key, value): &(String, ReferenceValue)| {
            let is_checked = documented(path.kind).contains(&&**key) || PROOFS.contains(&&**key);
            let absorbs = matches!(value, ReferenceValue::Text(text) if absorbs_parameter(text));
            !is_checked
                && !matches!(value, ReferenceValue::Nested)
                && (key.contains(['&', '=']) || absorbs && dialect.encoding == Encoding::Raw)
        };
        dialect.selection != Selection::EveryField || !fields.iter().any(is_ambiguous)
    };
    dialects.accepted().filter(reads_in_one_way).find(|dialect| sign(*dialect).eq_ignore_ascii_case(sent))
}

const PROOFS: [&str; 3] = ["sig", "mp_sig", "access_token"];

/// Whether a raw text could stand for a parameter that follows it.
pub(super) fn absorbs_parameter(text: &str) -> bool {
    let others = ["amt", "present_counts"];
    let names = documented(CallKind::Pay).iter().chain(&PROOFS).chain(&others);
    names.into_iter().any(|name| text.contains(&format!("&{name}=")))
}

/// RFC 2104, for keys of at most one block (64 bytes).
pub(super) fn hmac_sha256(key: &[u8], text: &[u8]) -> [u8; 32] {
    let padded = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// The first value named `name`, unescaped; `None` if it is empty or not UTF-8.
pub(super) fn query(text: &str, name: &str) -> Option<String> {
    let value = text.split('&').find_map(|pair| match pair.find('=') {
        Some(at) => (&pair[..at] == name).then(|| &pair[at + 1..]),
        None => (pair == name).then_some(""),
    })?;
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some(c) = rest.chars().next() {
        let escape = rest.strip_prefix('%').and_then(|after| after.get(..2));
        let escape = escape.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (c, escape.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (_, Some(byte)) => {
                bytes.push(byte);
                rest = &rest[3..];
                continue;
            }
            ('+', None) => bytes.push(b' '),
            (c, None) => bytes.extend(c.to_string().bytes()),
        }
        rest = &rest[c.len_utf8()..];
    }
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// Whether a text is 16 bytes in base64. Unused bits may be set: the key is used as text.
pub(super) fn is_session_key(text: &str) -> bool {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.strip_suffix("==");
    digits.is_some_and(|digits| digits.len() == 22 && digits.chars().all(|c| DIGITS.contains(c)))
}

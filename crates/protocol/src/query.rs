//! The query of a request: `access_token=…&…`, percent-decoded.
//!
//! It holds secrets, so it must never be logged.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A query, without the leading `?`.
#[derive(Clone, Copy)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Wraps any text.
    pub const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The first value named `name`, decoded; `None` if it is absent, empty or not UTF-8.
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let pair = |part: &'a str| part.split_once('=').unwrap_or((part, ""));
        let (_, value) = self.0.split('&').map(pair).find(|(key, _)| *key == name)?;
        decode(value).filter(|text| !text.is_empty())
    }
}

/// `name=value`, with the value percent-encoded except for unreserved characters.
pub(crate) fn pair(name: &str, value: &str) -> String {
    let mut pair = format!("{name}=");
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            pair.push(char::from(byte));
        } else {
            write!(pair, "%{byte:02X}").expect("a String takes everything");
        }
    }
    pair
}

/// Decodes `%` escapes and `+`. A `%` without two hex digits stays, as in browsers.
fn decode(value: &str) -> Option<Cow<'_, str>> {
    if !value.contains(['%', '+']) {
        return Some(Cow::Borrowed(value));
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = if byte == b'%' { after.first_chunk().copied().and_then(hex_byte) } else { None };
        decoded.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn get_decodes_the_first_value_of_a_name() {
        let query = Query::new("a=1&b=%E5%AE%9d+x&a=2&c&d=&e=%zz%4&f=%ff&=g&h=i=j");
        let cases = [
            ("a", Some("1")),
            ("b", Some("宝 x")),
            ("c", None),
            ("d", None),
            ("e", Some("%zz%4")),
            ("f", None),
            ("h", Some("i=j")),
            ("i", None),
        ];
        for (name, value) in cases {
            assert_eq!(query.get(name).as_deref(), value, "{name}");
        }
        assert_eq!(Query::new("").get("a"), None);
    }

    #[test]
    fn encoded_pair_round_trips() {
        assert_eq!(pair("access_token", "A-Z_0.9~"), "access_token=A-Z_0.9~");
        for value in ["a&b=c", "1+1", "50%", "\u{5b9d}", "A/B+C=="] {
            let query = format!("x=1&{}", pair("secret", value));
            assert_eq!(Query::new(&query).get("secret").as_deref(), Some(value), "{query}");
        }
    }
}

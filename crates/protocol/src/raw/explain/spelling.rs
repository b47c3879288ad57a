//! Other spellings of a JSON text: spaces, order of members, escapes, line ends.

use super::mistake::BodyForm;
use crate::object;

/// The texts that differ from `body` in the line end alone.
pub(super) fn line_ends(body: &str) -> Vec<(String, BodyForm)> {
    let trimmed = body.trim_end_matches(['\r', '\n']);
    let mut texts = vec![
        (format!("{body}\n"), BodyForm::LineEndNotSent),
        (format!("{body}\r\n"), BodyForm::LineEndNotSent),
    ];
    if trimmed.len() < body.len() {
        texts.push((trimmed.to_owned(), BodyForm::LineEndNotSigned));
    }
    texts
}

/// Spaces and order of members.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    AsSent,
    /// `{"a":1,"b":2}`
    Compact,
    /// `{"a": 1, "b": 2}`, as Python writes it.
    Spaced,
    SortedCompact,
    SortedSpaced,
}

impl Layout {
    pub(super) const ALL: &'static [Self] =
        &[Self::AsSent, Self::Compact, Self::Spaced, Self::SortedCompact, Self::SortedSpaced];

    pub(super) fn is_sorted(self) -> bool {
        matches!(self, Self::SortedCompact | Self::SortedSpaced)
    }

    /// The text in this layout; `None` if it has none.
    pub(super) fn apply(self, body: &str) -> Option<String> {
        match self {
            Self::AsSent => Some(body.to_owned()),
            Self::Compact => Some(without_spaces(body, "")),
            Self::Spaced => Some(without_spaces(body, " ")),
            Self::SortedCompact => sorted(body).map(|text| without_spaces(&text, "")),
            Self::SortedSpaced => sorted(body).map(|text| without_spaces(&text, " ")),
        }
    }
}

/// The text without spaces between its tokens, but with `space` after each colon and comma.
fn without_spaces(body: &str, space: &str) -> String {
    let mut text = String::with_capacity(body.len() + 32);
    for (c, is_in_string) in with_strings(body) {
        match c {
            _ if is_in_string => text.push(c),
            ' ' | '\t' | '\r' | '\n' => {}
            ':' | ',' => {
                text.push(c);
                text.push_str(space);
            }
            _ => text.push(c),
        }
    }
    text
}

/// Each character, and whether it is part of a string.
fn with_strings(body: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut is_open, mut is_escaped) = (false, false);
    body.chars().map(move |c| {
        let was_open = is_open;
        if is_open {
            if is_escaped {
                is_escaped = false;
            } else if c == '\\' {
                is_escaped = true;
            } else if c == '"' {
                is_open = false;
            }
        } else if c == '"' {
            is_open = true;
        }
        (c, was_open || is_open)
    })
}

fn sorted(body: &str) -> Option<String> {
    let mut members = object::raw_members(body).ok()?;
    members.sort_unstable();
    let members: Vec<_> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    Some(format!("{{{}}}", members.join(",")))
}

/// Escapes of the strings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    AsSent,
    /// `/` as `\/`, as PHP writes it.
    Slash,
    /// `\/` as `/`.
    PlainSlash,
    /// All but ASCII as `\u5b9d`, as Python writes it.
    Ascii,
    /// `<`, `>` and `&` as `\u003c`, `\u003e` and `\u0026`, as Go writes them.
    Html,
    /// `\u5b9d` as the character itself.
    Plain,
}

impl Escapes {
    pub(super) const ALL: &'static [Self] =
        &[Self::AsSent, Self::Slash, Self::PlainSlash, Self::Ascii, Self::Html, Self::Plain];

    pub(super) fn apply(self, body: &str) -> String {
        match self {
            Self::AsSent => body.to_owned(),
            Self::Slash => body.replace("\\/", "/").replace('/', "\\/"),
            Self::PlainSlash => body.replace("\\/", "/"),
            Self::Ascii => escape(body, |c| !c.is_ascii()),
            Self::Html => escape(body, |c| matches!(c, '<' | '>' | '&')),
            Self::Plain => unescape(body),
        }
    }
}

fn escape(body: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(body.len());
    for c in body.chars() {
        if is_escaped(c) {
            let mut units = [0; 2];
            text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    text
}

/// Replaces each `\u` escape by its character, except for quotes, backslashes and control characters.
fn unescape(body: &str) -> String {
    let mut units = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find("\\u") {
        units.extend(rest[..at].encode_utf16());
        let hex = rest.get(at + 2..at + 6).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        if let Some(unit) = hex.filter(|unit| *unit >= 0x20 && ![0x22, 0x5c].contains(unit)) {
            units.push(unit);
            rest = &rest[at + 6..];
        } else {
            units.extend("\\u".encode_utf16());
            rest = &rest[at + 2..];
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

/// Longest body whose single escapes are tried: their number times their length must stay far below the work limit.
const SINGLE_ESCAPES_BYTES_MAX: usize = 512;

/// The texts with one letter of a string written as an escape.
pub(super) fn single_escapes(body: &str) -> impl Iterator<Item = String> {
    let is_short = body.len() <= SINGLE_ESCAPES_BYTES_MAX;
    let places = with_strings(body).zip(body.char_indices());
    let letters =
        places.filter(move |((c, is_in_string), _)| is_short && *is_in_string && c.is_ascii_alphanumeric());
    letters.map(move |((c, _), (at, _))| format!("{}\\u{:04x}{}", &body[..at], u32::from(c), &body[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_keep_strings() {
        let body = "{\"b\": \"x , :y\\\" z\",\n \"a\":[1, 2]}";
        assert_eq!(Layout::Compact.apply(body).unwrap(), r#"{"b":"x , :y\" z","a":[1,2]}"#);
        assert_eq!(Layout::Spaced.apply(body).unwrap(), r#"{"b": "x , :y\" z", "a": [1, 2]}"#);
        assert_eq!(Layout::SortedCompact.apply(body).unwrap(), r#"{"a":[1,2],"b":"x , :y\" z"}"#);
    }

    #[test]
    fn escapes_are_added_and_removed() {
        assert_eq!(Escapes::Ascii.apply("宝😀a"), "\\u5b9d\\ud83d\\ude00a");
        assert_eq!(
            Escapes::Plain.apply("\\u5b9d\\ud83d\\ude00\\u0022\\u000a\\u12"),
            "宝😀\\u0022\\u000a\\u12"
        );
        assert_eq!(Escapes::Slash.apply("a/b\\/c"), "a\\/b\\/c");
        assert_eq!(Escapes::PlainSlash.apply("a/b\\/c"), "a/b/c");
        assert_eq!(Escapes::Html.apply("<&>"), "\\u003c\\u0026\\u003e");
        assert_eq!(single_escapes(r#"{"a":1}"#).collect::<Vec<_>>(), [r#"{"\u0061":1}"#]);
    }

    #[test]
    fn line_end_is_added_and_removed() {
        let forms = |body| line_ends(body).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        assert_eq!(forms("{}"), ["{}\n", "{}\r\n"]);
        assert_eq!(forms("{}\r\n"), ["{}\r\n\n", "{}\r\n\r\n", "{}"]);
    }
}

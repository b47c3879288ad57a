//! Dialects: the variants of the signed text that public clients build.
//!
//! The documented dialect is tried first; a strict app accepts no other.

use std::fmt;

/// A variant of the signed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The fields of the body that it covers.
    pub selection: Selection,
    /// The encoding of their values.
    pub encoding: Encoding,
}

/// The fields of a body that a signed text covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The call's documented parameters.
    Documented,
    /// Every scalar except the proofs, undocumented fields included.
    EveryField,
    /// The documented parameters except those with the value `""` or `0`; the order's own are always covered.
    WithoutEmpty,
}

/// The encoding of a value in a signed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As sent.
    Raw,
    /// As in an HTML form, with uppercase hex.
    FormUpper(SafeChars),
    /// As in an HTML form, with lowercase hex.
    FormLower(SafeChars),
}

/// The characters besides `-`, `.` and `_` that a form encoder does not escape; encoders differ in these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafeChars {
    /// `*`: browsers, Java.
    Star,
    /// `~`: Go, Python.
    Tilde,
    /// None: PHP.
    None,
    /// `*`, `!` and brackets: .NET.
    StarAndBrackets,
}

/// An app's setting for the dialects that it accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DialectPolicy {
    /// All known dialects.
    #[default]
    Lenient,
    /// The documented dialect only.
    Strict,
}

impl Dialect {
    /// The vendor's documented dialect.
    pub const DOCUMENTED: Self = Self { selection: Selection::Documented, encoding: Encoding::Raw };

    /// Its name in logs and counters, without the safe characters.
    pub const fn name(self) -> &'static str {
        match (self.selection, self.encoding) {
            (Selection::Documented, Encoding::Raw) => "documented",
            (Selection::EveryField, Encoding::Raw) => "every-field",
            (Selection::WithoutEmpty, Encoding::Raw) => "without-empty",
            (Selection::Documented, Encoding::FormUpper(_) | Encoding::FormLower(_)) => "form-encoded",
            (Selection::EveryField, Encoding::FormUpper(_) | Encoding::FormLower(_)) => {
                "every-field form-encoded"
            }
            (Selection::WithoutEmpty, Encoding::FormUpper(_) | Encoding::FormLower(_)) => {
                "without-empty form-encoded"
            }
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl DialectPolicy {
    /// The accepted dialects, in the order of the attempts.
    pub fn accepted(self) -> impl Iterator<Item = Dialect> {
        let accepted = match self {
            Self::Lenient => ENCODINGS.len() * SELECTIONS.len(),
            Self::Strict => 1,
        };
        let all = ENCODINGS.into_iter().flat_map(|encoding| {
            SELECTIONS.into_iter().map(move |selection| Dialect { selection, encoding })
        });
        all.take(accepted)
    }
}

const SELECTIONS: [Selection; 3] = [Selection::Documented, Selection::EveryField, Selection::WithoutEmpty];

const ENCODINGS: [Encoding; 8] = [
    Encoding::Raw,
    Encoding::FormUpper(SafeChars::Star),
    Encoding::FormUpper(SafeChars::Tilde),
    Encoding::FormUpper(SafeChars::None),
    Encoding::FormLower(SafeChars::Star),
    Encoding::FormLower(SafeChars::Tilde),
    Encoding::FormLower(SafeChars::None),
    Encoding::FormLower(SafeChars::StarAndBrackets),
];

impl SafeChars {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Star => b"*",
            Self::Tilde => b"~",
            Self::None => b"",
            Self::StarAndBrackets => b"*!()",
        }
    }
}

impl Encoding {
    /// Appends `value` to `text`.
    pub(crate) fn write(self, value: &str, text: &mut String) {
        match self {
            Self::Raw => text.push_str(value),
            Self::FormUpper(unescaped) => write_form_encoded(value, text, unescaped, b"0123456789ABCDEF"),
            Self::FormLower(unescaped) => write_form_encoded(value, text, unescaped, b"0123456789abcdef"),
        }
    }
}

fn write_form_encoded(value: &str, text: &mut String, unescaped: SafeChars, hex_digits: &[u8; 16]) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) || unescaped.as_bytes().contains(&byte) {
            text.push(char::from(byte));
        } else if byte == b' ' {
            text.push('+');
        } else {
            let (high, low) = (hex_digits[usize::from(byte >> 4)], hex_digits[usize::from(byte & 15)]);
            text.extend(['%', char::from(high), char::from(low)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_policy_accepts_only_documented() {
        assert_eq!(DialectPolicy::Strict.accepted().collect::<Vec<_>>(), [Dialect::DOCUMENTED]);
        let names: Vec<_> = DialectPolicy::Lenient.accepted().map(Dialect::name).collect();
        assert_eq!(names.len(), 24);
        assert_eq!(names[..4], ["documented", "every-field", "without-empty", "form-encoded"]);
    }

    #[test]
    fn form_encoders_leave_their_safe_chars_alone() {
        let cases = [
            (Encoding::Raw, "a b*~!()宝"),
            (Encoding::FormUpper(SafeChars::Star), "a+b*%7E%21%28%29%E5%AE%9D"),
            (Encoding::FormUpper(SafeChars::Tilde), "a+b%2A~%21%28%29%E5%AE%9D"),
            (Encoding::FormUpper(SafeChars::None), "a+b%2A%7E%21%28%29%E5%AE%9D"),
            (Encoding::FormLower(SafeChars::StarAndBrackets), "a+b*%7e!()%e5%ae%9d"),
        ];
        for (encoding, expected) in cases {
            let mut text = String::new();
            encoding.write("a b*~!()宝", &mut text);
            assert_eq!(text, expected);
        }
    }
}

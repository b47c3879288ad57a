//! Escaping of text for terminals and logs: a text from a caller, a file or a host must not move the cursor, change
//! colours, reorder what is read, or begin a line of its own.
//!
//! `output` and `logging` apply it to everything that they write, `table` to each cell. An unsafe character becomes
//! `\u001b`, as in JSON: so the same escape is right inside a JSON text, where it stands for the same character.

use std::fmt::{self, Display, Write};

/// Whether a character is escaped: controls (C0, DEL and C1), bidirectional and invisible formatting, line separators.
///
/// The joiners U+200C and U+200D stay: several scripts and emoji need them.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text on one line: every unsafe character is escaped, line feeds too.
pub(crate) struct EscapedText<T>(pub(crate) T);

impl<T: Display> Display for EscapedText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(EscapingWriter { inner: f, keeps_layout: false }, "{}", self.0)
    }
}

/// A text as a line of its own.
pub(crate) fn escaped_line(text: impl Display) -> String {
    EscapedText(text).to_string() + "\n"
}

/// A text of several lines that the program laid out: line feeds and tabs stay.
pub(crate) struct EscapedLines<T>(pub(crate) T);

impl<T: Display> Display for EscapedLines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(EscapingWriter { inner: f, keeps_layout: true }, "{}", self.0)
    }
}

struct EscapingWriter<'a, 'b> {
    inner: &'a mut fmt::Formatter<'b>,
    keeps_layout: bool,
}

impl Write for EscapingWriter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        let keeps_layout = self.keeps_layout;
        let is_escaped = |c: char| is_unsafe(c) && !(keeps_layout && matches!(c, '\n' | '\t'));
        while let Some(at) = rest.find(is_escaped) {
            let (before, from) = rest.split_at(at);
            self.inner.write_str(before)?;
            let mut after = from.chars();
            for unit in after.next().iter().flat_map(|c| c.encode_utf16(&mut [0; 2]).to_vec()) {
                write!(self.inner, "\\u{unit:04x}")?;
            }
            rest = after.as_str();
        }
        self.inner.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_become_visible() {
        for (text, visible) in [
            ("", ""),
            ("odkx20 宝 é 👨\u{200d}👩", "odkx20 宝 é 👨\u{200d}👩"),
            ("\x1b[31mred", "\\u001b[31mred"),
            ("a\r\nb\tc", "a\\u000d\\u000ab\\u0009c"),
            ("\u{9b}2J\u{7f}", "\\u009b2J\\u007f"),
            ("\u{202e}gnp.exe\u{2066}", "\\u202egnp.exe\\u2066"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(EscapedText(text).to_string(), visible);
        }
        assert_eq!(EscapedLines("a\tb\r\n\x1bc\n").to_string(), "a\tb\\u000d\n\\u001bc\n");
    }

    /// A JSON text with escaped characters is the same text.
    #[test]
    fn json_keeps_its_meaning() {
        for c in (0..=0x000e_01ff).filter_map(char::from_u32).filter(|c| is_unsafe(*c)) {
            let json = serde_json::json!({ "text": format!("a{c}b") });
            let escaped = EscapedLines(&json).to_string();
            assert!(!escaped.contains(is_unsafe), "{escaped}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), json);
        }
    }
}

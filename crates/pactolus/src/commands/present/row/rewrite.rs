//! Numbers that a spreadsheet or a program rewrote. They are refused with the likely cause, and never guessed.

use crate::cli::i18n::{Lang, tr};

/// How a number was rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rewrite {
    /// `5.0`
    Decimal,
    /// `1E+05`
    Scientific,
    /// `1,000`
    Thousands,
    /// `５`
    FullWidth,
    /// A space other than U+0020, or an invisible character.
    SpecialSpace,
    /// `'5`
    Apostrophe,
}

impl Rewrite {
    /// The rewriting that `text` looks like.
    pub(super) fn of(text: &str) -> Option<Self> {
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_special = |c: char| {
            c != ' ' && (c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'))
        };
        if text.contains(is_special) {
            return Some(Self::SpecialSpace);
        }
        if text.contains(|c| matches!(c, '０'..='９')) {
            return Some(Self::FullWidth);
        }
        if text.starts_with(['\'', '’', '‘', '`']) {
            return Some(Self::Apostrophe);
        }
        if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
            let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
            let exponent = exponent.trim_start_matches(['+', '-']);
            return [whole, part, exponent].into_iter().all(is_digits).then_some(Self::Scientific);
        }
        if let Some((whole, part)) = text.split_once('.')
            && is_digits(whole)
            && is_digits(part)
        {
            return Some(Self::Decimal);
        }
        let mut groups = text.split([',', ' ', '\'', '.', '，']);
        let is_grouped = groups.next().is_some_and(|first| is_digits(first) && first.len() <= 3)
            && text.contains([',', ' ', '\'', '.', '，'])
            && groups.all(|group| is_digits(group) && group.len() == 3);
        is_grouped.then_some(Self::Thousands)
    }

    /// Whether `text` is a whole number with `.0` behind it, as programs write whole numbers of a column with gaps.
    pub(super) fn is_whole_decimal(text: &str) -> bool {
        let zeros = |part: &str| part.bytes().all(|byte| byte == b'0');
        Self::of(text) == Some(Self::Decimal) && text.split_once('.').is_some_and(|(_, part)| zeros(part))
    }

    pub(super) fn localized(self, lang: Lang) -> String {
        match self {
            Self::Decimal => tr!(
                lang,
                "it looks like a number that a program wrote as a decimal",
                "像是被程序改写成小数的数字"
            ),
            Self::Scientific => tr!(
                lang,
                "it looks like scientific notation of a spreadsheet; format the column as text",
                "像是电子表格的科学计数法；请将该列设为文本格式"
            ),
            Self::Thousands => {
                tr!(lang, "it looks like a number with thousands separators", "像是带千位分隔符的数字")
            }
            Self::FullWidth => tr!(lang, "it holds full-width digits", "含有全角数字"),
            Self::SpecialSpace => tr!(
                lang,
                "it holds a non-breaking, full-width or invisible space",
                "含有不间断空格、全角空格或不可见字符"
            ),
            Self::Apostrophe => tr!(
                lang,
                "it begins with an apostrophe, with which a spreadsheet marks text",
                "以撇号开头，这是电子表格的文本标记"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewritten_numbers_are_recognised() {
        for (text, rewrite) in [
            ("5.0", Rewrite::Decimal),
            ("5.25", Rewrite::Decimal),
            ("1E+05", Rewrite::Scientific),
            ("1.2e5", Rewrite::Scientific),
            ("1.23457E+17", Rewrite::Scientific),
            ("1,000", Rewrite::Thousands),
            ("1,000,000", Rewrite::Thousands),
            ("1 000", Rewrite::Thousands),
            ("1.000.000", Rewrite::Thousands),
            ("１２", Rewrite::FullWidth),
            ("5\u{a0}", Rewrite::SpecialSpace),
            ("\u{3000}5", Rewrite::SpecialSpace),
            ("5\u{200b}", Rewrite::SpecialSpace),
            ("'1", Rewrite::Apostrophe),
        ] {
            assert_eq!(Rewrite::of(text), Some(rewrite), "{text:?}");
        }
        for text in ["", "5", "abc", "one", "odkxE5", "1,00", "-1", "5 coins", "1:2", "."] {
            assert_eq!(Rewrite::of(text), None, "{text:?}");
        }
        for (text, is_whole) in [("1.0", true), ("2.00", true), ("1.2", false), ("1", false), ("a.0", false)]
        {
            assert_eq!(Rewrite::is_whole_decimal(text), is_whole, "{text:?}");
        }
    }
}

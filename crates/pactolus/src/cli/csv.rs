//! CSV output, in two styles: exact cells for programs, and cells that a spreadsheet shows instead of running them.

use std::borrow::Cow;

/// Style of a CSV output, for every command that writes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CsvStyle {
    /// The exact texts.
    #[default]
    Plain,
    /// A byte order mark, by which spreadsheets recognise UTF-8, and `'` before each cell that they take for a formula.
    Spreadsheet,
}

/// The style on the command line.
#[derive(clap::Args)]
pub(crate) struct CsvArgs {
    /// Write CSV for spreadsheets: a byte order mark, and ' before cells that would run as a formula
    #[arg(long)]
    spreadsheet: bool,
}

impl CsvArgs {
    pub(crate) const fn style(&self) -> CsvStyle {
        CsvStyle::of_flag(self.spreadsheet)
    }
}

impl CsvStyle {
    pub(crate) const fn of_flag(spreadsheet: bool) -> Self {
        if spreadsheet { Self::Spreadsheet } else { Self::Plain }
    }

    /// The bytes before the header.
    pub(crate) const fn start(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Spreadsheet => "\u{feff}",
        }
    }

    /// A cell in this style, before quoting.
    pub(crate) fn cell(self, text: Cow<'_, str>) -> Cow<'_, str> {
        match self {
            Self::Spreadsheet if text.starts_with(starts_formula) => format!("'{text}").into(),
            Self::Spreadsheet | Self::Plain => text,
        }
    }
}

/// Whether a spreadsheet may take a cell with this first character for a formula. It passes over white space, and in
/// East Asian locales the full-width forms are the same characters.
const fn starts_formula(first: char) -> bool {
    matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formula_gets_an_apostrophe() {
        let cell = |style: CsvStyle, text: &str| style.cell(text.to_owned().into()).into_owned();
        for text in ["=1+1", "+1", "-c14a", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＋1", "－1", "＠x"]
        {
            assert_eq!(cell(CsvStyle::Spreadsheet, text), format!("'{text}"));
            assert_eq!(cell(CsvStyle::Plain, text), text);
        }
        for text in ["", "宝剑", "a=1", "'=1", "5", "odkx20"] {
            assert_eq!(cell(CsvStyle::Spreadsheet, text), text);
        }
    }
}

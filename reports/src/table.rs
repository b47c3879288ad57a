//! Markdown tables and number formatting.

use std::fmt::{self, Write as _};

/// A Markdown table, built row by row.
pub struct MarkdownTable {
    columns: usize,
    text: String,
}

impl MarkdownTable {
    /// A table with these headings and no rows.
    pub fn new<S: AsRef<str>>(headings: &[S]) -> Self {
        let mut table = Self { columns: headings.len(), text: String::new() };
        table.push_row(headings);
        table.push_row(&vec!["---"; headings.len()]);
        table
    }

    /// Adds a row. Panics unless it has as many cells as there are headings.
    pub fn push_row<S: AsRef<str>>(&mut self, cells: &[S]) {
        assert_eq!(cells.len(), self.columns, "a row has as many cells as there are headings");
        for cell in cells {
            self.text.push_str("| ");
            self.text.push_str(&cell.as_ref().replace('|', "\\|"));
            self.text.push(' ');
        }
        self.text.push_str("|\n");
    }
}

impl fmt::Display for MarkdownTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Formats a number with thousands separators: `38,578`, `1,234.50`.
pub fn format_number(value: f64, decimals: usize) -> String {
    let written = format!("{value:.decimals$}");
    let whole_end = written.find('.').unwrap_or(written.len());
    let mut grouped = String::with_capacity(written.len() + 4);
    for (index, digit) in written.char_indices() {
        let left = whole_end.saturating_sub(index);
        let is_digit_before = grouped.ends_with(|c: char| c.is_ascii_digit());
        if left > 0 && left % 3 == 0 && is_digit_before {
            grouped.push(',');
        }
        // Writing to a `String` cannot fail.
        let _ = grouped.write_char(digit);
    }
    grouped
}

/// Converts a count for division. Above 2^53 it loses digits that no table shows.
#[expect(clippy::cast_precision_loss, reason = "figures are shown with a few digits")]
pub fn to_f64(count: u64) -> f64 {
    count as f64
}

/// Converts bytes to MiB.
pub fn mebibytes(bytes: u64) -> f64 {
    to_f64(bytes) / (1024.0 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated_by_commas() {
        let cases = [
            (0.0, 0, "0"),
            (999.4, 0, "999"),
            (1000.0, 0, "1,000"),
            (-1000.0, 0, "-1,000"),
            (-100.0, 0, "-100"),
            (1_234_567.891, 2, "1,234,567.89"),
            (0.123_456, 3, "0.123"),
        ];
        for (value, decimals, written) in cases {
            assert_eq!(format_number(value, decimals), written);
        }
    }

    #[test]
    fn table_renders_as_markdown() {
        let mut table = MarkdownTable::new(&["What", "Goal"]);
        table.push_row(&["a|b", ""]);
        assert_eq!(table.to_string(), "| What | Goal |\n| --- | --- |\n| a\\|b |  |\n");
    }
}

//! Text tables: a header, columns as wide as their widest cell, numbers right-aligned. A cell is one line: unsafe
//! characters in it are escaped.

use std::fmt;

use crate::cli::escape::EscapedText;

/// A table of `N` columns.
pub(crate) struct Table<const N: usize> {
    header: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub(crate) const fn new(head: [&'static str; N]) -> Self {
        Self { header: head, rows: Vec::new() }
    }

    pub(crate) fn push_row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| EscapedText(cell).to_string()));
    }

    fn line(
        f: &mut fmt::Formatter<'_>,
        cells: [&str; N],
        widths: &[usize; N],
        is_right: &[bool; N],
    ) -> fmt::Result {
        let mut line = String::new();
        for (index, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[index] - cell.chars().count());
            if index > 0 {
                line.push_str("  ");
            }
            let parts = if is_right[index] { [&pad, *cell] } else { [*cell, &pad] };
            line.extend(parts);
        }
        writeln!(f, "{}", line.trim_end())
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = |index: usize| self.rows.iter().map(move |row| row[index].as_str());
        let mut widths = [0; N];
        let mut is_right = [false; N];
        for index in 0..N {
            let cells = std::iter::once(self.header[index]).chain(column(index));
            widths[index] = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
            is_right[index] = column(index).all(|cell| cell.bytes().all(|byte| byte.is_ascii_digit()));
        }
        Self::line(f, self.header, &widths, &is_right)?;
        for row in &self.rows {
            Self::line(f, row.each_ref().map(String::as_str), &widths, &is_right)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["openid", "coins", "note"]);
        table.push_row(["one".to_owned(), "5".to_owned(), String::new()]);
        table.push_row(["another".to_owned(), "12345678".to_owned(), "宝".to_owned()]);
        let expected = "\
openid      coins  note
one             5
another  12345678  宝
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn cell_is_one_line_without_controls() {
        let mut table = Table::new(["item", "coins"]);
        table.push_row(["a\nb\x1b".to_owned(), "5".to_owned()]);
        assert_eq!(table.to_string(), "item            coins\na\\u000ab\\u001b      5\n");
    }
}

//! Line ends of a gift file: CRLF and CR become LF, and a blank line becomes a row of one empty cell.
//!
//! The CSV reader counts a CRLF in the row after it, and passes over blank lines before it notes the number of a
//! line. With these bytes its line numbers are those of an editor.

use std::io::{self, Read};

/// A row of one empty cell. Inside quotes it is one quote, so it never ends a cell.
const EMPTY_CELL: &[u8] = b"\"\"";

/// Bytes read at once.
const CHUNK_BYTES: usize = 8192;

pub(crate) struct NewlineReader<R> {
    inner: R,
    /// Bytes for the caller, from `at`.
    ready: Vec<u8>,
    at: usize,
    follows_cr: bool,
    is_line_start: bool,
}

impl<R: Read> NewlineReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, ready: Vec::new(), at: 0, follows_cr: false, is_line_start: true }
    }

    fn push(&mut self, byte: u8) {
        let is_second_half = byte == b'\n' && self.follows_cr;
        self.follows_cr = byte == b'\r';
        if is_second_half {
            return;
        }
        let is_end = matches!(byte, b'\r' | b'\n');
        if is_end && self.is_line_start {
            self.ready.extend(EMPTY_CELL);
        }
        self.ready.push(if is_end { b'\n' } else { byte });
        self.is_line_start = is_end;
    }
}

impl<R: Read> Read for NewlineReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            let mut chunk = [0; CHUNK_BYTES];
            let count = self.inner.read(&mut chunk)?;
            if count == 0 {
                return Ok(0);
            }
            self.ready.clear();
            self.at = 0;
            chunk[..count].iter().for_each(|byte| self.push(*byte));
        }
        let count = into.len().min(self.ready.len() - self.at);
        into[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_lf_and_blank_lines_a_cell() {
        for (before, after) in [
            ("a\nb\n", "a\nb\n"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\rb\r", "a\nb\n"),
            ("a\n\nb", "a\n\"\"\nb"),
            ("\r\n\r\na", "\"\"\n\"\"\na"),
            ("a\r\r\nb", "a\n\"\"\nb"),
        ] {
            let mut text = String::new();
            NewlineReader::new(before.as_bytes()).read_to_string(&mut text).unwrap();
            assert_eq!(text, after, "{before:?}");
        }
    }
}

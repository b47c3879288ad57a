//! Output of commands on stdout and stderr.
//!
//! Every command writes through this file. It escapes unsafe characters, because an output may hold the text of a
//! caller, a file or a remote host: see `escape`.
//!
//! A reader such as `head` may close the output early. Then the rest of the output is dropped, and the command ends
//! quietly: [`is_closed`] tells `main` about it.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use serde::Serialize;

use crate::cli::escape::{EscapedLines, escaped_line};
use crate::cli::exit::CliError;

/// Output format of a command.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[value(name = "table", alias = "text")]
    Text,
    /// For scripts; the same in every language
    Json,
}

/// Whether a write found that the reader of stdout or stderr is gone.
static IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether the reader of stdout or stderr closed it before the end of the output.
pub(crate) fn is_closed() -> bool {
    IS_CLOSED.load(Ordering::Relaxed)
}

/// Remembers a write that failed because the reader is gone.
pub(crate) fn note_closed(result: &io::Result<impl Sized>) {
    if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        IS_CLOSED.store(true, Ordering::Relaxed);
    }
}

/// Stdout for the data of an export, which programs read as it is. On a terminal it is escaped.
///
/// A write fails once the reader is gone, so that a long output ends early.
pub(crate) fn data_stdout() -> impl Write {
    let stdout = io::stdout().lock();
    let is_terminal = stdout.is_terminal();
    DataWriter { inner: stdout, is_terminal, incomplete: Vec::new() }
}

struct DataWriter<W> {
    inner: W,
    is_terminal: bool,
    /// The first bytes of a character whose other bytes are still to come.
    incomplete: Vec<u8>,
}

impl<W: Write> DataWriter<W> {
    fn write_escaped(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.incomplete.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.incomplete) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Ok(_) | Err(_) => self.incomplete.len(),
        };
        let text: Vec<u8> = self.incomplete.drain(..whole).collect();
        write!(self.inner, "{}", EscapedLines(String::from_utf8_lossy(&text)))
    }
}

impl<W: Write> Write for DataWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.is_terminal {
            self.write_escaped(bytes).map(|()| bytes.len())
        } else {
            self.inner.write(bytes)
        };
        note_closed(&written);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        note_closed(&flushed);
        flushed
    }
}

/// Writes `text` to stdout, with its line feeds. A reader that is gone is no error: the outcome of the command stands.
pub(crate) fn print(text: impl Display) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    let written = write!(stdout, "{}", EscapedLines(text)).and_then(|()| stdout.flush());
    note_closed(&written);
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout").map_err(CliError::from)
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A value as one line of JSON.
pub(crate) fn to_json_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("no map has keys other than texts") + "\n"
}

/// Writes lines to stdout. A line feed in one of them is escaped.
pub(crate) fn print_lines<T: Display>(lines: impl IntoIterator<Item = T>) -> Result<(), CliError> {
    print(lines.into_iter().map(escaped_line).collect::<String>())
}

/// Writes `text` to stderr, with its line feeds. There is no other place to report that it cannot be written.
pub(crate) fn eprint(text: impl Display) {
    note_closed(&write!(io::stderr(), "{}", EscapedLines(text)));
}

/// Writes one line to stderr.
pub(crate) fn eprintln(line: impl Display) {
    eprint(escaped_line(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_escaped_on_a_terminal_only() {
        let text = "宝\x1b[31m,\u{202e}é\n".as_bytes();
        for (is_terminal, expected) in [(false, text), (true, "宝\\u001b[31m,\\u202eé\n".as_bytes())] {
            // However the bytes are split.
            for split in 0..=text.len() {
                let mut data = DataWriter { inner: Vec::new(), is_terminal, incomplete: Vec::new() };
                data.write_all(&text[..split]).unwrap();
                data.write_all(&text[split..]).unwrap();
                assert_eq!(data.inner, expected);
            }
        }
    }
}

//! Output of commands on stdout and stderr.
//!
//! A reader such as `head` may close the output early. Then the rest of the output is dropped, and the command ends
//! quietly: [`is_closed`] tells `main` about it.

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use serde::Serialize;

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

/// Stdout. A write fails once the reader is gone, so that a long output ends early.
pub(crate) struct Stdout(io::StdoutLock<'static>);

pub(crate) fn stdout() -> Stdout {
    Stdout(io::stdout().lock())
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes);
        note_closed(&written);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.0.flush();
        note_closed(&flushed);
        flushed
    }
}

/// Writes `text` to stdout. A reader that is gone is no error: the outcome of the command stands.
pub(crate) fn print(text: impl Display) -> Result<(), CliError> {
    let mut stdout = stdout();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
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

/// Writes `text` to stderr. There is no other place to report that it cannot be written.
pub(crate) fn eprint(text: impl Display) {
    note_closed(&write!(io::stderr(), "{text}"));
}

/// Writes a line to stderr.
pub(crate) fn eprintln(line: impl Display) {
    eprint(format_args!("{line}\n"));
}

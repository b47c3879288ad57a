//! Escaping of log lines: a path, a header or an error of a remote host may stand in one.
//!
//! Text lines are escaped field by field, because the formatter itself writes colours. JSON lines are escaped whole.

use std::io::{self, Write};

use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

use crate::cli::escape::{EscapedLines, EscapedText};

/// Formats the message and the fields of a text line. They stay on that line.
pub(super) struct EscapedFields;

impl<'writer> FormatFields<'writer> for EscapedFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'writer>, fields: R) -> std::fmt::Result {
        let mut text = String::new();
        DefaultFields::new().format_fields(Writer::new(&mut text), fields)?;
        write!(writer, "{}", EscapedText(text))
    }
}

/// Writer of JSON lines. The formatter writes each line in one call.
pub(super) struct EscapingWriter<W>(pub(super) W);

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let escaped = EscapedLines(String::from_utf8_lossy(line)).to_string();
        self.0.write_all(escaped.as_bytes()).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::cli::escape::is_unsafe;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const HOSTILE: &str = "\x1b]0;x\x07\u{9b}31m\u{202e}\u{2066}\x7f\r\nforged";

    fn log(subscriber: impl tracing::Subscriber + Send + Sync, sink: &Sink) -> String {
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::error_span!("call", path = %HOSTILE).entered();
            tracing::error!(display = %HOSTILE, debug = ?HOSTILE, text = HOSTILE, "message {HOSTILE}");
            drop(span);
        });
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn log_line_is_one_line_without_controls() {
        let sink = Sink::default();
        let writer = sink.clone();
        let text = tracing_subscriber::fmt().fmt_fields(EscapedFields).with_ansi(false);
        let text = log(text.with_writer(move || writer.clone()).finish(), &sink);
        let sink = Sink::default();
        let writer = sink.clone();
        let json = tracing_subscriber::fmt().json().flatten_event(true);
        let json = log(json.with_writer(move || EscapingWriter(writer.clone())).finish(), &sink);
        for line in [&text, &json] {
            assert!(line.matches("forged").count() >= 5, "{line}");
            let line = line.strip_suffix('\n').unwrap();
            assert!(!line.contains(is_unsafe), "{line:?}");
        }
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["display"], HOSTILE);
    }
}

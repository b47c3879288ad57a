//! Logs on stderr: text for people, or JSON for machines.
//!
//! Invariant: no log line holds a request body, a key or a token. Every log statement has to keep it.
//! A server logs through a thread of its own: `logging/writer.rs`. Text of callers is escaped: `logging/escape.rs`.

mod escape;
pub(crate) mod filter;
mod writer;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::reload::Handle;

use self::escape::{EscapedFields, EscapingWriter};
use self::filter::{LogFilter, SERVER_FILTER, has_level, parse_filter};
use self::writer::{DropNotice, LogWriter};
use crate::cli::escape::EscapedLines;
use crate::cli::output;

/// Filter and format of the logs.
#[derive(clap::Args)]
#[command(next_help_heading = "Logs, on stderr")]
pub(crate) struct Args {
    /// Log filter: error, warn, info, debug, or module=level, comma-separated; RUST_LOG works too
    #[arg(long, global = true, value_name = "FILTER", env = "PACTOLUS_LOG", hide_env_values = true, value_parser = parse_filter)]
    log: Option<LogFilter>,
    /// Log format
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        env = "PACTOLUS_LOG_FORMAT",
        hide_env_values = true,
        default_value = "text"
    )]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Kind of command, which decides the default filter and the writer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandKind {
    /// Logs its events, and must go on when stderr is full, unread or closed.
    Server,
    /// Logs problems only, each before the command goes on.
    Other,
}

/// The writer of a server's logs.
static SERVER_WRITER: OnceLock<LogWriter> = OnceLock::new();

/// Starts logging. The filter is that of `args`, else `RUST_LOG`, else the default of `kind`.
pub(crate) fn start(args: Args, kind: CommandKind) {
    let default_filter = if kind == CommandKind::Server { SERVER_FILTER } else { "warn" };
    let (filter, is_default) = match (args.log, std::env::var("RUST_LOG")) {
        (Some(filter), _) => (filter.to_env_filter(), false),
        // All Rust programs share this variable, so it may hold directives that only another program understands.
        (None, Ok(text)) if text.split(',').any(has_level) => (EnvFilter::builder().parse_lossy(text), false),
        (None, _) => (EnvFilter::new(default_filter), true),
    };
    // The formatter would print its own errors by `eprintln!`, which panics when stderr is closed.
    let logs = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false);
    let ansi = io::stderr().is_terminal() && !no_color();
    match (server_writer(kind, args.log_format), args.log_format) {
        (Some(writer), LogFormat::Text) => {
            let logs =
                logs.with_ansi(ansi).fmt_fields(EscapedFields).with_writer(writer).with_filter_reloading();
            keep_handle(logs.reload_handle(), is_default);
            logs.init();
        }
        (Some(writer), LogFormat::Json) => {
            let logs = logs.json().flatten_event(true).with_writer(move || EscapingWriter(writer.clone()));
            let logs = logs.with_filter_reloading();
            keep_handle(logs.reload_handle(), is_default);
            logs.init();
        }
        (None, LogFormat::Text) => {
            logs.with_ansi(ansi).fmt_fields(EscapedFields).with_writer(io::stderr).init();
        }
        (None, LogFormat::Json) => {
            logs.json().flatten_event(true).with_writer(|| EscapingWriter(io::stderr())).init();
        }
    }
}

/// Replaces the filter of a server.
type SetFilter = Box<dyn Fn(EnvFilter) + Send + Sync>;

static SET_FILTER: OnceLock<SetFilter> = OnceLock::new();

/// Keeps the handle of a filter that the configuration may set: neither the command line nor the environment has.
fn keep_handle<S: 'static>(handle: Handle<EnvFilter, S>, is_default: bool) {
    if is_default {
        // An error means that the logger is gone, and the filter with it.
        SET_FILTER.get_or_init(|| Box::new(move |filter| drop(handle.reload(filter))));
    }
}

/// Sets the filter of the configuration, unless the command line or the environment sets another.
pub(crate) fn set_filter(filter: &LogFilter) {
    if let Some(set) = SET_FILTER.get() {
        set(filter.to_env_filter());
    }
}

/// The writer of a server. `None` for other commands, and if the system refuses a thread.
fn server_writer(kind: CommandKind, format: LogFormat) -> Option<LogWriter> {
    if kind != CommandKind::Server {
        return None;
    }
    let notice: DropNotice = match format {
        LogFormat::Text => drop_notice_text,
        LogFormat::Json => drop_notice_json,
    };
    let writer = LogWriter::start(io::stderr(), notice).ok()?;
    // The hook of the standard library writes to stderr itself, and waits for it.
    std::panic::set_hook(Box::new(log_panic));
    Some(SERVER_WRITER.get_or_init(|| writer).clone())
}

const DROP_MESSAGE: &str = "log lines were dropped: stderr did not take them";

fn drop_notice_text(dropped: u64) -> String {
    format!("{}  WARN {}: {DROP_MESSAGE} dropped={dropped}\n", timestamp(), module_path!())
}

fn drop_notice_json(dropped: u64) -> String {
    let timestamp = timestamp();
    let line = serde_json::json!({
        "timestamp": timestamp, "level": "WARN", "message": DROP_MESSAGE, "dropped": dropped, "target": module_path!()
    });
    format!("{line}\n")
}

/// The time of a log line, in the formatter's own format.
fn timestamp() -> String {
    let mut text = String::new();
    // A String takes everything; without a time the line is still of use.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

/// Logs a panic. Its text is logged only if it is a literal, because any other may hold a piece of the input.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or_default();
    let mut location = String::new();
    if let Some(place) = panic.location() {
        let _ = write!(location, "{place}");
    }
    tracing::error!(location, thread = std::thread::current().name(), "panicked: {message}");
}

/// Longest wait for stderr at the end of a server, which may have no reader.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Longest wait for stderr when a second signal ends the process.
const FLUSH_AT_ONCE_TIMEOUT: Duration = Duration::from_millis(50);

/// Log lines of a server that stderr did not take.
pub(crate) fn dropped_lines() -> u64 {
    SERVER_WRITER.get().map_or(0, LogWriter::dropped)
}

/// Writes the queued log lines before the process ends at once.
pub(crate) fn finish_at_once() {
    if let Some(writer) = SERVER_WRITER.get() {
        writer.flush(FLUSH_AT_ONCE_TIMEOUT);
    }
}

/// Prints the last words of the process on stderr, after every log line. Errors are ignored, because there is no
/// other place to report them.
pub(crate) fn finish(last_words: Option<&str>) {
    let Some(writer) = SERVER_WRITER.get() else {
        if let Some(words) = last_words {
            output::eprint(format_args!("{words}\n"));
        }
        return;
    };
    if let Some(words) = last_words {
        writer.push(format!("{}\n", EscapedLines(words)).as_bytes());
    }
    writer.flush(FLUSH_TIMEOUT);
}

/// Whether the terminal asks for no colours: <https://no-color.org>.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

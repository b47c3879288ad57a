//! Logs on stderr: text for people, or JSON for machines.
//!
//! Invariant: no log line holds a request body, a key or a token. Every log statement has to keep it.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

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

/// A filter that [`EnvFilter`] parses.
#[derive(Clone)]
struct LogFilter(String);

fn parse_filter(text: &str) -> Result<LogFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::try_new(text).map(|_| LogFilter(text.to_owned()))
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Starts logging. The filter is that of `args`, else `RUST_LOG`, else `default_filter`.
pub(crate) fn start(args: Args, default_filter: &str) {
    let filter = match (args.log, std::env::var("RUST_LOG")) {
        (Some(LogFilter(text)), _) => EnvFilter::new(text),
        // All Rust programs share this variable, so it may hold directives that only another program understands.
        (None, Ok(text)) if !text.is_empty() => EnvFilter::builder().parse_lossy(text),
        (None, _) => EnvFilter::new(default_filter),
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal() && !no_color()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

/// Whether the terminal asks for no colours: <https://no-color.org>.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

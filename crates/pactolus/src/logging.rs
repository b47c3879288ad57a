//! Logs: lines on stderr, as text for people or as JSON for machines.
//!
//! Nothing logged ever holds a request's body, a key or a token; that is the duty of whoever logs.

use std::io::{self, IsTerminal as _};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// What is logged, and how.
#[derive(clap::Args)]
#[command(next_help_heading = "Logs, on stderr")]
pub(crate) struct Args {
    /// Which: error, warn, info, debug, or module=level, with commas between; RUST_LOG does the same
    #[arg(long, global = true, value_name = "FILTER", env = "PACTOLUS_LOG", hide_env_values = true, value_parser = parse_filter)]
    log: Option<LogFilter>,
    /// How they are written
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

/// A text that [`EnvFilter`] understands.
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

/// Logs from now on: what `args` says, else what `RUST_LOG` says, else the `usual`.
pub(crate) fn start(args: Args, default_filter: &str) {
    let filter = match (args.log, std::env::var("RUST_LOG")) {
        (Some(LogFilter(text)), _) => EnvFilter::new(text),
        // A variable that all Rust programs share may hold what only another understands.
        (None, Ok(text)) if !text.is_empty() => EnvFilter::builder().parse_lossy(text),
        (None, _) => EnvFilter::new(default_filter),
    };
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match args.log_format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal() && !no_color()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
}

/// Whether the terminal's owner wants no colours: <https://no-color.org>.
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

//! Output of commands on stdout.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Context as _;

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

/// Writes `text` to stdout.
pub(crate) fn print(text: impl Display) -> Result<(), CliError> {
    Ok(write!(io::stdout(), "{text}").context("cannot write to stdout")?)
}

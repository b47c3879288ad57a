//! How commands print.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::Context as _;

use crate::cli::exit::CliError;

/// How a command prints what it found: for people, or for scripts.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[value(name = "table", alias = "text")]
    Text,
    /// For scripts; it is the same in every language
    Json,
}

/// Puts what a command was asked for on stdout.
pub(crate) fn print(text: impl Display) -> Result<(), CliError> {
    Ok(write!(io::stdout(), "{text}").context("stdout cannot be written to")?)
}

//! The commands, and what `--help` says of them all.
//!
//! To add a command: a file beside this one with its `clap::Args` and a function `run`, a variant of [`Command`], and
//! its arm in [`Cli::run`].

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::failure::{Failure, exit_codes};
use crate::{audit, demo, explain, init, logging, serve};

/// A coin bank for games that speaks WeChat's Midas virtual-payment protocol.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 80, after_help = after_help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logging: logging::Args,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Serve(serve::Args),
    Audit(audit::Args),
    Explain(explain::Args),
}

impl Cli {
    /// Does what was asked for.
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Whoever serves wants to read what happens; whoever runs anything else, only what goes wrong.
        let usual = if matches!(self.command, Command::Serve(_)) { "info" } else { "warn" };
        logging::start(self.logging, usual);
        match self.command {
            Command::Demo(args) => demo::run(&args),
            Command::Init(args) => init::run(&args),
            Command::Serve(args) => serve::run(args),
            Command::Audit(args) => audit::run(args),
            Command::Explain(args) => explain::run(args),
        }
    }
}

/// Where the configuration is, for every command that reads or writes it.
#[derive(clap::Args)]
pub(crate) struct ConfigPath {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "pactolus.toml",
        env = "PACTOLUS_CONFIG",
        hide_env_values = true
    )]
    pub(crate) config: PathBuf,
}

/// How a command prints what it found: for people, or for scripts.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

fn after_help() -> String {
    format!(
        "\
Examples:
  pactolus demo     a bank with sample values, called in the ways that matter
  pactolus init     write a pactolus.toml with fresh keys
  pactolus serve    serve the bank that the file describes
  pactolus audit    prove the books of a bank that is not being served
  pactolus explain  say why a call was refused, by the rid of its errmsg

Exit codes:
{}",
        exit_codes()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}

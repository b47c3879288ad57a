//! The command line, and the only binary. `main.rs` only calls [`main`], so tests and fuzzers run this code without a
//! process. No other crate may depend on this one.
//!
//! Read next: `cli`, the commands and their help; `cli/exit`, the exit codes; then the file of a command.

mod cli;
mod commands;
mod config;
mod connect;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod logging;
mod operator;
mod player;
mod runtime;
mod store;

use std::process::ExitCode;

use crate::cli::i18n::{Lang, tr};

/// Runs the process's arguments, prints an error to stderr, and returns the exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let lang = Lang::detect(&arguments, |name| std::env::var_os(name));
    match cli::Cli::parse_from(lang, arguments).run(lang) {
        Ok(()) => {
            logging::finish(None);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let words = failure.localized(lang);
            logging::finish(Some(&tr!(lang, "error: {words}", "错误：{words}")));
            failure.exit_code().into()
        }
    }
}

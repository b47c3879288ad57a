//! The command line, and the only binary. `main.rs` only calls [`main`], so tests and fuzzers run this code without a
//! process. No other crate may depend on this one.
//!
//! Read next: `cli`, the commands and their help; `cli/exit`, the exit codes; then the file of a command.

mod accounts;
mod cli;
mod commands;
mod config;
mod connect;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod logging;
mod player;
mod runtime;
mod store;

use std::process::ExitCode;

use crate::cli::i18n::{Lang, tr};
use crate::cli::{exit, output};

/// Runs the process's arguments, prints an error to stderr, and returns the exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let lang = Lang::detect(&arguments, |name| std::env::var_os(name));
    let done = cli::Cli::parse_from(lang, arguments).run(lang);
    let own_code = done.as_ref().map_or_else(|failure| failure.exit_code().as_u8(), |()| 0);
    let code = || if output::is_closed() { exit::code_of_closed_output(own_code) } else { own_code };
    let last_words = match done {
        // Else the error is that of the write, or one about output that no reader wanted.
        Err(failure) if code() != exit::EXIT_SIGPIPE => {
            let words = failure.localized(lang);
            Some(tr!(lang, "error: {words}", "错误：{words}"))
        }
        Ok(()) | Err(_) => None,
    };
    logging::finish(last_words.as_deref());
    code().into()
}

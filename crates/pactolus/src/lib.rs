//! The command line of the bank; the only binary. Its `main.rs` only starts what is here: a library can be tested and
//! fuzzed without a process. Nobody else may depend on it.
//!
//! Read next: `cli`, the commands and their help; `cli/exit`, how each can end; then a command's own file.

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

/// Does what the process's arguments ask, and says how it ended.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let lang = Lang::detect(&arguments, |name| std::env::var_os(name));
    match cli::Cli::parse_from(lang, arguments).run(lang) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let words = failure.localized(lang);
            eprintln!("{}", tr!(lang, "error: {words}", "错误：{words}"));
            failure.exit_code().into()
        }
    }
}

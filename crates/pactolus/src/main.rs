//! The command line of the bank; the only binary.
//!
//! Read next: `cli`, the commands and their help; `failure`, how each can end; then a command's own file.

mod audit;
mod backup;
mod balance;
mod cancelpay;
mod cli;
mod completions;
mod config;
mod copy;
mod demo;
mod digest;
mod doctor;
mod explain;
mod export;
mod failure;
mod http;
mod init;
mod lang;
mod logging;
mod migrate;
mod operator;
mod order;
mod pay;
mod player;
mod present;
mod receipt;
mod reseal;
mod runtime;
mod serve;
mod sign;
mod statement;
mod store;
mod table;
mod target;
mod token;

use std::process::ExitCode;

use crate::lang::{Lang, words};

/// Requests make small allocations on every thread, and free them on others; mimalloc is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let lang = Lang::of(&arguments, |name| std::env::var_os(name));
    match cli::Cli::parse_from(lang, arguments).run(lang) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let words = failure.in_words(lang);
            eprintln!("{}", words!(lang, "error: {words}", "错误：{words}"));
            failure.kind().into()
        }
    }
}

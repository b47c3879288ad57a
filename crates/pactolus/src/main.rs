//! The command line of the bank; the only binary.
//!
//! Read next: `cli`, the commands and their help; `failure`, how each can end; then a command's own file.

mod audit;
mod cli;
mod config;
mod demo;
mod explain;
mod failure;
mod http;
mod init;
mod logging;
mod runtime;
mod serve;
mod store;

use std::process::ExitCode;

use clap::Parser as _;

/// Requests make small allocations on every thread, and free them on others; mimalloc is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.in_words());
            failure.kind().into()
        }
    }
}

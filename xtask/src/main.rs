//! Developer and CI commands: `cargo xtask <command>`.
//!
//! A command does its own set-up, so it runs on a machine with only a Rust toolchain and the registries.
//! Nothing here is part of the bank, and no crate of the bank may depend on it.
//!
//! To add a command (such as a check that need not run every day): a file beside this one with its `clap::Args` and a
//! function `run`, a variant of [`XtaskCommand`], and its arm in `main`.
//! Read next: `test`, the one command that must pass before a merge.

mod bench;
mod binaries;
mod debian;
mod fuzz;
mod fuzz_http;
mod package;
mod postgres;
mod step;
mod test;
mod tool;
mod torture;
mod venv;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer and CI commands of Pactolus.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: XtaskCommand,
}

#[derive(Subcommand)]
enum XtaskCommand {
    Bench(bench::Args),
    Fuzz(fuzz::Args),
    FuzzHttp(fuzz_http::Args),
    Package(package::Args),
    Soak(torture::SoakArgs),
    Test(test::Args),
    Torture(torture::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        XtaskCommand::Bench(args) => bench::run(&args),
        XtaskCommand::Fuzz(args) => fuzz::run(&args),
        XtaskCommand::FuzzHttp(args) => fuzz_http::run(&args),
        XtaskCommand::Package(args) => package::run(&args),
        XtaskCommand::Soak(args) => torture::soak(&args),
        XtaskCommand::Test(args) => test::run(&args),
        XtaskCommand::Torture(args) => torture::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

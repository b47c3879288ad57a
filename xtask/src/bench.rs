//! `cargo xtask bench`: builds the benchmarks in release mode and runs all of them, or the named one.

use std::process::Command;

use crate::postgres;
use crate::step::{CommandStep, TaskError, workspace_root};

/// Measure the bank: everything, or one benchmark, such as `cargo xtask bench engine --orders 10000000`.
///
/// Single figures of a shared machine mean little. Compare figures that one run measured interleaved.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Benchmark and options; `cargo xtask bench --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    measure: Vec<String>,
}

/// Runs the benchmarks. It prints nothing of its own, because their stdout may be JSON for another program.
pub(crate) fn run(args: &Args) -> Result<(), TaskError> {
    const NAME: &str = "benchmark";
    if args.measure.iter().any(|word| word == "postgres") {
        postgres::install()?;
    }
    let mut words = vec!["run", "--quiet", "--release", "--package", "pactolus-bench", "--"];
    words.extend(args.measure.iter().map(String::as_str));
    let command = CommandStep::new(NAME, "cargo", &words).to_string();
    match Command::new("cargo").args(&words).current_dir(workspace_root()).status() {
        Err(source) => Err(TaskError::SpawnFailed { name: NAME, source, command }),
        Ok(status) if !status.success() => Err(TaskError::Failed { name: NAME, status, command }),
        Ok(_) => Ok(()),
    }
}

//! `cargo xtask bench`: builds the benchmarks as a release and runs them, or the one that is named.

use std::process::Command;

use crate::postgres;
use crate::step::{CommandStep, TaskError, workspace_root};

/// Measure the bank: everything, or one part, such as `cargo xtask bench engine --orders 10000000`.
///
/// Figures of a shared machine are worth little one by one; compare what was measured in turn in one run.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// What to measure and how; `cargo xtask bench --help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    measure: Vec<String>,
}

/// Runs the benchmarks. Nothing is printed beside what they print, which may be JSON for another program.
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

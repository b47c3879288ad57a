//! `cargo xtask bench`: builds the benchmarks as a release and runs the one that is named.

use crate::step::{Failure, Step};

/// Measure the bank: `cargo xtask bench engine --orders 10000000`.
///
/// Figures of a shared machine are worth little one by one; compare what was measured in turn in one run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to measure and how; `--help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    measure: Vec<String>,
}

/// Runs a benchmark.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut words = vec!["run", "--quiet", "--release", "--package", "pactolus-bench", "--"];
    words.extend(args.measure.iter().map(String::as_str));
    Step::new("benchmark", "cargo", &words).run()
}

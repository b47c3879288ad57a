//! `cargo xtask torture` and `cargo xtask soak`: build the bank and its attacks, and run them.

use crate::binaries::{self, BuildProfile};
use crate::postgres;
use crate::step::{CommandStep, TaskError};

/// Attack the bank: everything, or one attack, such as `cargo xtask torture power --cuts 10000`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// Attack and options; `cargo xtask torture --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    attack: Vec<String>,
}

/// Run the bank under load for hours, with kills, and check for leaks and stalls.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SoakArgs {
    /// Options; `cargo xtask soak --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    soak: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<(), TaskError> {
    attack(BuildProfile::Release, &as_strs(&args.attack))
}

pub(crate) fn soak(args: &SoakArgs) -> Result<(), TaskError> {
    attack(BuildProfile::Release, &[&["soak"], &*as_strs(&args.soak)].concat())
}

/// Runs every attack briefly, and then the soak.
pub(crate) fn run_short() -> Result<(), TaskError> {
    attack(BuildProfile::Dev, &["--short"])?;
    attack(BuildProfile::Dev, &["soak", "--short"])
}

fn attack(profile: BuildProfile, words: &[&str]) -> Result<(), TaskError> {
    postgres::install()?;
    binaries::build(profile)?;
    let [torture, pactolus] =
        ["torture", "pactolus"].map(|name| binaries::path(profile, name).display().to_string());
    let words = [words, &["--pactolus", &pactolus]].concat();
    CommandStep::new("torture", &torture, &words).run()
}

fn as_strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

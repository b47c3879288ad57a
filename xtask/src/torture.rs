//! `cargo xtask torture` and `cargo xtask soak`: build the bank and its attacks, and run them, or the one that is named.

use crate::binaries::{self, Profile};
use crate::postgres;
use crate::step::{Failure, Step};

/// Attack the bank: everything, or one attack, such as `cargo xtask torture power --cuts 10000`.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// What to attack with and for how long; `cargo xtask torture --help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    attack: Vec<String>,
}

/// Let the bank work for hours, with kills, and see whether it leaks or stalls.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SoakArgs {
    /// For how long and how; `cargo xtask soak --help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, num_args = 0..)]
    soak: Vec<String>,
}

/// Runs the attacks.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    attack(Profile::Release, &borrowed(&args.attack))
}

/// Runs the soak.
pub(crate) fn soak(args: &SoakArgs) -> Result<(), Failure> {
    attack(Profile::Release, &[&["soak"], &*borrowed(&args.soak)].concat())
}

/// Runs every attack, and then the soak, for a moment.
pub(crate) fn short() -> Result<(), Failure> {
    attack(Profile::Dev, &["--short"])?;
    attack(Profile::Dev, &["soak", "--short"])
}

fn attack(profile: Profile, words: &[&str]) -> Result<(), Failure> {
    postgres::install()?;
    binaries::build(profile)?;
    let [torture, pactolus] =
        ["torture", "pactolus"].map(|name| binaries::executable(profile, name).display().to_string());
    let words = [words, &["--pactolus", &pactolus]].concat();
    Step::new("torture", &torture, &words).run()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

//! `cargo xtask test`: every check that must pass, in the order that fails soonest.
//!
//! It may require no more than a Rust toolchain, Python, PostgreSQL and the package registries. The attacks also need
//! Linux and `/dev/fuse`.
//! To add a check, add a [`CommandStep`] to the list in [`run`].

use std::process::{Command, Stdio};

use crate::step::{CommandStep, TaskError};
use crate::venv::CHECKERS;
use crate::{debian, fuzz_http, postgres, torture};

/// Run every check, locally and in CI alike, and stop at the first that fails.
#[derive(clap::Args)]
#[command(after_help = "\
Prints the name of each step, and the command to repeat it alone if it fails.
The first run also installs programs from PyPI into target/tools.")]
pub(crate) struct Args {
    /// Also check dependencies for known vulnerabilities; fetches the advisory database
    #[arg(long)]
    advisories: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), TaskError> {
    install_components()?;
    postgres::install()?;
    debian::install()?;
    // `clippy` and `doc` share one build of the dependencies; `test` makes the other. Warnings are denied by
    // arguments, because `RUSTFLAGS` would rebuild everything.
    let cargo = [
        CommandStep::new("format", "cargo", &["fmt", "--all", "--check"]),
        CommandStep::new(
            "lints",
            "cargo",
            &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        ),
        // A bank on one machine must build without the database driver.
        CommandStep::new(
            "embedded only",
            "cargo",
            &["clippy", "--package", "pactolus", "--no-default-features", "--", "-D", "warnings"],
        ),
        CommandStep::new("docs", "cargo", &["doc", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
        CommandStep::new("tests", "cargo", &["test", "--workspace"]),
    ];
    cargo.iter().try_for_each(CommandStep::run)?;
    fuzz_http::run(&fuzz_http::Args::default())?;
    torture::run_short()?;

    check_dependencies(args)
}

fn check_dependencies(args: &Args) -> Result<(), TaskError> {
    CHECKERS.install()?;
    let [shear, deny] = ["cargo-shear", "cargo-deny"].map(|name| CHECKERS.program(name));
    CommandStep::new("unused dependencies", &shear, &["--locked"]).run()?;
    CommandStep::new("dependencies", &deny, &["check", "licenses", "bans", "sources"]).run()?;
    if args.advisories {
        CommandStep::new("advisories", &deny, &["check", "advisories"]).run()?;
    }
    Ok(())
}

/// The minimal toolchain lacks `rustfmt` and `clippy`. rustup adds them.
fn install_components() -> Result<(), TaskError> {
    let missing = ["fmt", "clippy"].into_iter().any(|component| {
        Command::new("cargo")
            .args([component, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_or(true, |status| !status.success())
    });
    if missing {
        CommandStep::new("set-up", "rustup", &["component", "add", "rustfmt", "clippy"]).run()?;
    }
    Ok(())
}

//! The PostgreSQL that tests and benchmarks start their servers from.
//!
//! `PACTOLUS_TEST_POSTGRES=postgres://…` points most tests at another server; those that kill theirs start it all the
//! same.
//!
//! It is no part of a Rust toolchain; where packages may be installed, as in CI, it is.

use std::fs;

use crate::step::{CommandStep, TaskError, can_install_packages};

/// Installs Debian's package unless some PostgreSQL is there.
pub(crate) fn install() -> Result<(), TaskError> {
    if is_installed() {
        return Ok(());
    }
    if can_install_packages() {
        CommandStep::new("set-up", "apt-get", &["update"]).run()?;
        let packages = ["install", "-y", "--no-install-recommends", "postgresql", "postgresql-contrib"];
        CommandStep::new("set-up", "apt-get", &packages).env("DEBIAN_FRONTEND", "noninteractive").run()?;
        if is_installed() {
            return Ok(());
        }
    }
    Err(TaskError::MissingTool {
        what: "the programs of PostgreSQL 13 or newer (on Debian: apt-get install postgresql)",
    })
}

/// Whether there is a server to start: where Debian puts it, or on the path.
fn is_installed() -> bool {
    let debian_dirs = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    debian_dirs
        .map(|entry| entry.path().join("bin"))
        .chain(std::env::split_paths(&paths))
        .any(|folder| folder.join("initdb").exists())
}

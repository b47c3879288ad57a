//! The PostgreSQL that tests and benchmarks start their servers from.
//!
//! `PACTOLUS_TEST_POSTGRES=postgres://…` points most tests at another server; those that kill theirs start it all the
//! same.
//!
//! It is no part of a Rust toolchain; where packages may be installed, as in CI, it is.

use std::fs;

use crate::step::{Failure, Step, may_install};

/// Installs Debian's package unless some PostgreSQL is there.
pub(crate) fn install() -> Result<(), Failure> {
    if is_there() {
        return Ok(());
    }
    if may_install() {
        Step::new("set-up", "apt-get", &["update"]).run()?;
        let packages = ["install", "-y", "--no-install-recommends", "postgresql", "postgresql-contrib"];
        Step::new("set-up", "apt-get", &packages).with("DEBIAN_FRONTEND", "noninteractive").run()?;
        if is_there() {
            return Ok(());
        }
    }
    Err(Failure::Missing {
        what: "the programs of PostgreSQL 13 or newer (on Debian: apt-get install postgresql)",
    })
}

/// Whether there is a server to start: where Debian puts it, or on the path.
fn is_there() -> bool {
    let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    of_debian
        .map(|entry| entry.path().join("bin"))
        .chain(std::env::split_paths(&paths))
        .any(|folder| folder.join("initdb").exists())
}

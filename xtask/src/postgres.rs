//! PostgreSQL and PgBouncer installation for the servers of tests and benchmarks.
//!
//! `PACTOLUS_TEST_POSTGRES=postgres://…` points most tests at another server. Tests that kill their server start
//! their own regardless.
//!
//! PostgreSQL is not part of a Rust toolchain. Where packages may be installed, as in CI, this installs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::step::{CommandStep, TaskError, can_install_packages};

/// Installs Debian's packages unless some PostgreSQL and PgBouncer are installed.
pub(crate) fn install() -> Result<(), TaskError> {
    if is_installed() {
        return Ok(());
    }
    if can_install_packages() {
        CommandStep::new("set-up", "apt-get", &["update"]).run()?;
        let install = ["install", "-y", "--no-install-recommends"];
        let packages = [&install[..], &["postgresql", "postgresql-contrib", "pgbouncer"]].concat();
        CommandStep::new("set-up", "apt-get", &packages).env("DEBIAN_FRONTEND", "noninteractive").run()?;
        if is_installed() {
            return Ok(());
        }
    }
    Err(TaskError::MissingTool {
        what: "the programs of PostgreSQL 13 or newer, and PgBouncer \
               (on Debian: apt-get install postgresql pgbouncer)",
    })
}

/// Looks for a server and a pooler where Debian puts them, and on the path.
fn is_installed() -> bool {
    let debian_dirs = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let has_pooler = Command::new("pgbouncer").arg("--version").output().is_ok()
        || Path::new("/usr/sbin/pgbouncer").exists();
    has_pooler
        && debian_dirs
            .map(|entry| entry.path().join("bin"))
            .chain(std::env::split_paths(&paths))
            .any(|folder| folder.join("initdb").exists())
}

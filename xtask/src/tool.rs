//! Tools that are not part of a Rust toolchain: one version each, the same for everybody.
//!
//! They live in `target/tools`, so that nothing outside the checkout changes; `cargo clean` removes them too.
//! Their source comes from the package registry once, with the versions of their own lock files.

use std::process::{Command, Stdio};

use crate::step::{CommandStep, TaskError, workspace_root};

/// A tool at one version.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    path: &'static str,
}

/// Finds dependencies that no code uses. Builds in about a minute.
pub(crate) const MACHETE: Tool =
    Tool { name: "cargo-machete", version: "0.9.2", path: "target/tools/bin/cargo-machete" };

/// Checks licences, duplicates, sources and advisories of dependencies. Builds in about four minutes.
pub(crate) const DENY: Tool =
    Tool { name: "cargo-deny", version: "0.20.2", path: "target/tools/bin/cargo-deny" };

/// Builds programs for the fuzzer. Builds in about a minute.
pub(crate) const FUZZ: Tool =
    Tool { name: "cargo-fuzz", version: "0.13.2", path: "target/tools/bin/cargo-fuzz" };

impl Tool {
    /// Where its executable is, from the workspace's folder.
    pub(crate) const fn path(&self) -> &'static str {
        self.path
    }

    /// Installs it unless it is there in the right version.
    pub(crate) fn install(&self) -> Result<(), TaskError> {
        if self.is_installed() {
            return Ok(());
        }
        let Self { name, version, .. } = self;
        CommandStep::new(
            "set-up",
            "cargo",
            &["install", name, "--version", version, "--locked", "--root", "target/tools"],
        )
        .run()
    }

    fn is_installed(&self) -> bool {
        Command::new(workspace_root().join(self.path))
            .arg("--version")
            .stderr(Stdio::null())
            .output()
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(self.version))
    }
}

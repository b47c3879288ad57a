//! Tools outside the Rust toolchain, each pinned to one version for all developers and CI.
//!
//! They are installed in `target/tools`, so that nothing outside the checkout changes; `cargo clean` removes them.
//! Their source comes from the package registry once, with the versions of their own lock files.

use std::process::{Command, Stdio};

use crate::step::{CommandStep, TaskError, workspace_root};

pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    path: &'static str,
}

/// Builds programs for the fuzzer. Builds in about a minute.
pub(crate) const FUZZ: Tool =
    Tool { name: "cargo-fuzz", version: "0.13.2", path: "target/tools/bin/cargo-fuzz" };

impl Tool {
    /// Path of the executable, relative to the workspace.
    pub(crate) const fn path(&self) -> &'static str {
        self.path
    }

    /// Installs the tool unless this version is there.
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

//! Executables of the bank and of its attacks.
//!
//! One build makes both, so that all commands share the build of the dependencies.

use std::path::{Path, PathBuf};

use crate::step::{CommandStep, TaskError, workspace_root};

#[derive(Clone, Copy)]
pub(crate) enum BuildProfile {
    /// For production and for figures.
    Release,
    /// Shared with the tests.
    Dev,
}

pub(crate) fn build(profile: BuildProfile) -> Result<(), TaskError> {
    let packages = ["build", "--quiet", "--package", "pactolus", "--package", "pactolus-torture"];
    let release: &[&str] = match profile {
        BuildProfile::Release => &["--release"],
        BuildProfile::Dev => &[],
    };
    CommandStep::new("build", "cargo", &[&packages, release].concat()).run()
}

/// Path of the executable `name` in the target folder.
pub(crate) fn path(profile: BuildProfile, name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let folder = match profile {
        BuildProfile::Release => "release",
        BuildProfile::Dev => "debug",
    };
    workspace_root().join(target).join(Path::new(folder)).join(name)
}

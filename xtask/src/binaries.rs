//! The bank and its attacks, as executables.
//!
//! They are built together, so that all who want one of them share one build of the dependencies.

use std::path::{Path, PathBuf};

use crate::step::{CommandStep, TaskError, workspace_root};

/// How they are built.
#[derive(Clone, Copy)]
pub(crate) enum BuildProfile {
    /// As people run them.
    Release,
    /// As the tests are.
    Dev,
}

/// Builds them.
pub(crate) fn build(profile: BuildProfile) -> Result<(), TaskError> {
    let packages = ["build", "--quiet", "--package", "pactolus", "--package", "pactolus-torture"];
    let release: &[&str] = match profile {
        BuildProfile::Release => &["--release"],
        BuildProfile::Dev => &[],
    };
    CommandStep::new("build", "cargo", &[&packages, release].concat()).run()
}

/// The executable that a build made.
pub(crate) fn path(profile: BuildProfile, name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let folder = match profile {
        BuildProfile::Release => "release",
        BuildProfile::Dev => "debug",
    };
    workspace_root().join(target).join(Path::new(folder)).join(name)
}

//! Python environments with programs from PyPI, each program at one version, the same on every machine.
//!
//! They live in `target/tools`: nothing outside the checkout changes, and `cargo clean` removes them.

use std::fs;
use std::path::Path;

use crate::step::{CommandStep, TaskError, can_install_packages, succeeds, workspace_root};

/// An environment and the file that lists what belongs into it.
pub(crate) struct Venv {
    folder: &'static str,
    requirements: &'static str,
}

/// Sends requests made from an OpenAPI document.
pub(crate) const SCHEMATHESIS: Venv =
    Venv { folder: "target/tools/schemathesis", requirements: "xtask/fuzz-http/requirements.txt" };

/// Checks dependencies. Both are Rust programs that PyPI carries as wheels: seconds to install, minutes to build.
pub(crate) const CHECKERS: Venv =
    Venv { folder: "target/tools/checkers", requirements: "xtask/checkers.txt" };

impl Venv {
    /// One of its programs, from the workspace's folder.
    pub(crate) fn program(&self, name: &str) -> String {
        workspace_root().join(self.folder).join("bin").join(name).display().to_string()
    }

    /// Installs it unless it is there in the right versions.
    pub(crate) fn install(&self) -> Result<(), TaskError> {
        let installed = workspace_root().join(self.folder).join("requirements.txt");
        let required = workspace_root().join(self.requirements);
        let read = |path: &Path| fs::read(path).ok();
        if read(&installed).is_some_and(|installed| Some(installed) == read(&required)) {
            return Ok(());
        }
        require_python()?;
        CommandStep::new("set-up", "python3", &["-m", "venv", "--clear", self.folder]).run()?;
        let pip = self.program("pip");
        CommandStep::new("set-up", &pip, &["install", "--quiet", "--requirement", self.requirements])
            .run()?;
        fs::copy(required, installed)
            .map(drop)
            .map_err(|source| TaskError::Io { what: "cannot record the installed versions", source })
    }
}

/// Python is no part of a Rust toolchain; it is installed where packages may be, as in CI.
fn require_python() -> Result<(), TaskError> {
    let works =
        || succeeds("python3", &["-c", "import venv, ensurepip, sys; assert sys.version_info >= (3, 10)"]);
    if works() {
        return Ok(());
    }
    if can_install_packages() {
        CommandStep::new("set-up", "apt-get", &["install", "-y", "python3-venv"]).run()?;
        if works() {
            return Ok(());
        }
    }
    Err(TaskError::MissingTool {
        what: "Python 3.10 or newer with venv (on Debian: apt-get install python3-venv)",
    })
}

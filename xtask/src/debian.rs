//! Debian packages whose programs the tests run: they are installed where packages may be, as in CI.

use crate::step::{CommandStep, TaskError, can_install_packages, succeeds};

/// A package and a program of it.
struct Package {
    name: &'static str,
    program: &'static str,
    missing: &'static str,
}

const PACKAGES: [Package; 2] = [
    Package {
        name: "prometheus",
        program: "promtool",
        missing: "prometheus and promtool (on Debian: apt-get install prometheus)",
    },
    Package {
        name: "systemd",
        program: "systemd-analyze",
        missing: "systemd-analyze (on Debian: apt-get install systemd)",
    },
];

/// Installs every package whose program is missing.
pub(crate) fn install() -> Result<(), TaskError> {
    PACKAGES.iter().try_for_each(Package::install)
}

impl Package {
    fn install(&self) -> Result<(), TaskError> {
        if self.is_installed() {
            return Ok(());
        }
        if can_install_packages() {
            CommandStep::new("set-up", "apt-get", &["update"]).run()?;
            let arguments = ["install", "-y", "--no-install-recommends", self.name];
            CommandStep::new("set-up", "apt-get", &arguments)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .run()?;
            if self.is_installed() {
                return Ok(());
            }
        }
        Err(TaskError::MissingTool { what: self.missing })
    }

    fn is_installed(&self) -> bool {
        succeeds(self.program, &["--version"])
    }
}

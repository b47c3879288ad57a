//! Prometheus installation for the tests that scrape a served bank and check the alert rules.

use crate::step::{CommandStep, TaskError, can_install_packages, succeeds};

/// Installs Debian's package unless `prometheus` and `promtool` are on the path.
pub(crate) fn install() -> Result<(), TaskError> {
    if is_installed() {
        return Ok(());
    }
    if can_install_packages() {
        CommandStep::new("set-up", "apt-get", &["update"]).run()?;
        let packages = ["install", "-y", "--no-install-recommends", "prometheus"];
        CommandStep::new("set-up", "apt-get", &packages).env("DEBIAN_FRONTEND", "noninteractive").run()?;
        if is_installed() {
            return Ok(());
        }
    }
    Err(TaskError::MissingTool { what: "prometheus and promtool (on Debian: apt-get install prometheus)" })
}

fn is_installed() -> bool {
    ["prometheus", "promtool"].iter().all(|program| succeeds(program, &["--version"]))
}

//! The executable: linked statically with glibc, its symbols apart.

use std::fs;
use std::path::{Path, PathBuf};

use super::output;
use crate::step::{CommandStep, TaskError, workspace_root};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A target folder of its own: other flags would make Cargo build everything again at each change of command.
const TARGET_DIR: &str = "target/package";

/// Largest executable, in bytes: a download of a few seconds.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Builds the executable into `folder`, and its symbols into a file of their own. Returns its path.
pub(super) fn build(folder: &Path, symbols: &Path) -> Result<PathBuf, TaskError> {
    let revision = output("git", &["rev-parse", "--short=12", "HEAD"])?;
    let arguments =
        ["build", "--release", "--package", "pactolus", "--target", TARGET, "--target-dir", TARGET_DIR];
    // The revision is in `pactolus_build_info`.
    CommandStep::new("static build", "cargo", &arguments)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .variable("PACTOLUS_REVISION", revision.trim())
        .run()?;
    let built = workspace_root().join(TARGET_DIR).join(TARGET).join("release/pactolus");
    let executable = folder.join("pactolus");
    let [from, to, debug] = [&built, &executable, symbols].map(|path| path.display().to_string());
    CommandStep::new("symbols", "objcopy", &["--only-keep-debug", &from, &debug]).run()?;
    let link = format!("--add-gnu-debuglink={debug}");
    CommandStep::new("strip", "objcopy", &["--strip-all", &link, &from, &to]).run()?;
    report_size(&executable)?;
    Ok(executable)
}

fn report_size(executable: &Path) -> Result<(), TaskError> {
    let size =
        fs::metadata(executable).map_err(|source| TaskError::Io { what: "no executable", source })?.len();
    println!("the executable has {size} bytes");
    if size > BYTES_MAX {
        return Err(TaskError::MissingTool { what: "an executable of at most 16 MiB; it has grown" });
    }
    Ok(())
}

//! Checks of a package: its sums, that its executable needs no library and no other file, and that it serves.
//!
//! A bank needs `/dev/urandom`, which every container has and an empty root has not: so the demonstration runs outside
//! of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::step::{CommandStep, TaskError};

/// Checks the archive in `packages`.
pub(super) fn run(packages: &Path, archive: &Path, executable: &Path) -> Result<(), TaskError> {
    let io = |what| move |source| TaskError::Io { what, source };
    let (folder, file) = (packages.display().to_string(), archive.display().to_string());
    CommandStep::new("sums", "sh", &["-c", "cd \"$0\" && sha256sum --check SHA256SUMS", &folder]).run()?;
    let linked = Command::new("ldd").arg(executable).output().map_err(io("ldd did not start"))?;
    let linked = [linked.stdout, linked.stderr].concat();
    let linked = String::from_utf8_lossy(&linked);
    if !linked.contains("statically linked") && !linked.contains("not a dynamic executable") {
        return Err(TaskError::MissingTool { what: "a static executable; this one needs libraries" });
    }
    let root = create_root(packages)?;
    let to = root.display().to_string();
    CommandStep::new(
        "unpack",
        "tar",
        &["--extract", "--strip-components=1", "--directory", &to, "--file", &file],
    )
    .run()?;
    run_in_root(&to)?;
    let unpacked = root.join("pactolus").display().to_string();
    CommandStep::new("demonstration", &unpacked, &["demo", "--exit"]).run()?;
    fs::remove_dir_all(root).map_err(io("cannot remove a folder"))
}

/// A command in a root that holds the package alone. Without root, in a user namespace.
fn run_in_root(root: &str) -> Result<(), TaskError> {
    let command = ["/pactolus", "metrics"];
    if crate::step::is_root() {
        return CommandStep::new("empty root", "chroot", &[&[root][..], &command].concat()).run();
    }
    let arguments = [&["--map-root-user", "chroot", root][..], &command].concat();
    CommandStep::new("empty root", "unshare", &arguments).run()
}

fn create_root(packages: &Path) -> Result<std::path::PathBuf, TaskError> {
    let root = packages.join("root");
    fs::create_dir_all(&root).map_err(|source| TaskError::Io { what: "cannot create a folder", source })?;
    Ok(root)
}

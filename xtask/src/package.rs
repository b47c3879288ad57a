//! `cargo xtask package`: a static, stripped executable and a tarball with what an operator needs beside it.
//!
//! Everything lands in `target/packages`. Nothing needs root, a container or the network, but for crates that Cargo
//! lacks. The same executable and commit make the same tarball.

mod check;
mod contents;
mod executable;
mod licences;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{CommandStep, TaskError, workspace_root};

/// Build the packages of a release, and check them
#[derive(clap::Args)]
#[command(after_help = "\
target/packages then holds the tarball, the symbols of its executable, and
SHA256SUMS of both.")]
pub(crate) struct Args {}

/// Folder of the packages, from the workspace's folder.
const FOLDER: &str = "target/packages";

pub(crate) fn run(_: &Args) -> Result<(), TaskError> {
    let packages = workspace_root().join(FOLDER);
    let context = |what| move |source| TaskError::Io { what, source };
    if packages.exists() {
        fs::remove_dir_all(&packages).map_err(context("cannot empty target/packages"))?;
    }
    let name = format!("pactolus-{}-x86_64-linux", env!("CARGO_PKG_VERSION"));
    let folder = packages.join(&name);
    fs::create_dir_all(&folder).map_err(context("cannot create target/packages"))?;

    let symbols = packages.join(format!("{name}.debug"));
    let executable = executable::build(&folder, &symbols)?;
    contents::copy(&folder, &executable)?;
    licences::copy(&folder.join("licences"))?;
    let archive = pack(&packages, &name)?;
    write_sums(&packages, &[&archive, &symbols])?;
    check::run(&packages, &archive, &executable)?;
    println!("{}", archive.display());
    Ok(())
}

/// The time of the commit: that of the build would change the bytes.
fn commit_time() -> Result<String, TaskError> {
    output("git", &["log", "-1", "--format=%ct"]).map(|time| time.trim().to_owned())
}

/// The output of a program in the workspace's folder.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, TaskError> {
    let io = |source| TaskError::Io { what: "a program did not start", source };
    let ended = Command::new(program).args(arguments).current_dir(workspace_root()).output().map_err(io)?;
    if !ended.status.success() {
        return Err(TaskError::Failed {
            name: "package",
            status: ended.status,
            command: format!("{program} {}", arguments.join(" ")),
        });
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

fn pack(packages: &Path, name: &str) -> Result<PathBuf, TaskError> {
    let archive = packages.join(format!("{name}.tar.gz"));
    let (file, parent) = (archive.display().to_string(), packages.display().to_string());
    let mtime = format!("--mtime=@{}", commit_time()?);
    let arguments = [
        "--create",
        "--use-compress-program=gzip -9n",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mode=u+w,go-w,a+rX",
        &mtime,
        "--directory",
        &parent,
        "--file",
        &file,
        name,
    ];
    CommandStep::new("tarball", "tar", &arguments).run()?;
    Ok(archive)
}

/// Writes the sums in the form that `sha256sum --check` reads.
fn write_sums(packages: &Path, files: &[&Path]) -> Result<(), TaskError> {
    let mut sums = String::new();
    for file in files {
        let text = output("sha256sum", &[&file.display().to_string()])?;
        let sum = text.split_whitespace().next().unwrap_or_default();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        sums.extend([sum, "  ", &*name, "\n"]);
    }
    fs::write(packages.join("SHA256SUMS"), sums)
        .map_err(|source| TaskError::Io { what: "cannot write SHA256SUMS", source })
}

//! Licences of the crates that are linked into the executable: each asks for its text to go with the program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::output;
use crate::step::TaskError;

/// Beginnings of the names of licence files.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    /// `None` for a crate of the workspace.
    source: Option<String>,
}

/// Copies the licence texts of all linked crates into `folder`, with a list of them.
pub(super) fn copy(folder: &Path) -> Result<(), TaskError> {
    let linked = linked_crates()?;
    let metadata = output(
        "cargo",
        &["metadata", "--format-version", "1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"],
    )?;
    let metadata: Metadata = serde_json::from_str(&metadata).map_err(|error| TaskError::Io {
        what: "cargo metadata is not read",
        source: io::Error::other(error),
    })?;
    let mut crates: Vec<_> = metadata
        .packages
        .into_iter()
        .filter(|package| {
            package.source.is_some() && linked.contains(&format!("{} v{}", package.name, package.version))
        })
        .collect();
    crates.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    copy_texts(&crates, folder).map_err(|source| TaskError::Io { what: "cannot copy licences", source })
}

/// Name and version of every crate in the executable: normal dependencies, without build scripts and macros' own.
fn linked_crates() -> Result<Vec<String>, TaskError> {
    let tree = output(
        "cargo",
        &[
            "tree",
            "--package",
            "pactolus",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--target",
            "x86_64-unknown-linux-gnu",
        ],
    )?;
    let named = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(tree.lines().map(named).collect())
}

fn copy_texts(crates: &[Package], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut list = String::from("Crates in the executable, and their licences.\n\n");
    for package in crates {
        let licence = package.license.as_deref().unwrap_or("see its files");
        list.extend([&*package.name, " ", &*package.version, ": ", licence, "\n"]);
        let source = package.manifest_path.parent().unwrap_or(Path::new("."));
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_licence = NAMES.iter().any(|known| name.to_uppercase().starts_with(known));
            if is_licence && entry.file_type()?.is_file() {
                fs::copy(entry.path(), folder.join(format!("{}-{}-{name}", package.name, package.version)))?;
            }
        }
    }
    fs::write(folder.join("LIST.txt"), list)
}

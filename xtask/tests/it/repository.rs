//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the checkout is.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The text of a file, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below `folder` with one of these extensions, by their paths from the root.
pub(crate) fn files(folder: &str, extensions: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    visit(&root().join(folder), &mut |path| {
        if path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
            paths.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    });
    paths.sort();
    paths
}

/// All Rust sources of the workspace.
pub(crate) fn sources() -> Vec<String> {
    ["bench", "crates", "fuzz", "reports", "torture", "xtask"]
        .iter()
        .flat_map(|of| files(of, &["rs"]))
        .collect()
}

fn visit(folder: &Path, found: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["target", ".git", "corpus", "crashes"].contains(&name) {
                visit(&path, found);
            }
        } else {
            found(&path);
        }
    }
}

/// A Rust source without its whole-line comments.
pub(crate) fn without_comments(text: &str) -> String {
    let code = |line: &&str| !line.trim_start().starts_with("//");
    text.lines().filter(code).flat_map(|line| [line, "\n"]).collect()
}

/// The words of a text that could be identifiers.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

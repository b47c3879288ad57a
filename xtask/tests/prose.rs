//! Prose that cannot lie: what `ARCHITECTURE.md` and the threat model name is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use pactolus_protocol::ErrorCode;

/// The pages that name files, types and functions, and how many paths and names each has at least.
const PAGES: [(&str, usize, usize); 2] = [("ARCHITECTURE.md", 30, 15), ("docs/threat-model.md", 15, 10)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What stands between backticks.
fn names(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All Rust sources, one after the other.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn files_and_folders_are_there() {
    for (page, paths, _) in PAGES {
        let mut checked = 0;
        for name in names(page) {
            let is_path = name.contains('/') || [".md", ".toml", ".rs"].iter().any(|end| name.ends_with(end));
            if is_path {
                assert!(root().join(&name).exists(), "{page} names {name}, which is not there");
                checked += 1;
            }
        }
        assert!(checked >= paths, "only {checked} paths of {page} were found to check");
    }
}

#[test]
fn types_and_functions_are_there() {
    let mut code = String::new();
    for folder in ["crates", "bench", "reports", "torture", "xtask"] {
        sources(&root().join(folder), &mut code);
    }
    for (page, _, least) in PAGES {
        are_declared(page, least, &code);
    }
}

fn are_declared(page: &str, least: usize, code: &str) {
    let mut checked = 0;
    for name in names(page) {
        let is_type = name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric);
        let declared = if let Some(function) = name.strip_suffix("()") {
            code.contains(&format!("fn {function}("))
        } else if let Some(rule) = name.strip_suffix('!') {
            code.contains(&format!("macro_rules! {rule} "))
        } else if is_type {
            // Nouns and error codes are declared by macros of this workspace.
            let forms = [format!("struct {name}"), format!("enum {name}"), format!("trait {name}")];
            forms.iter().any(|form| code.contains(form)) || code.contains(&format!("    {name}, "))
        } else {
            continue;
        };
        assert!(declared, "{page} names {name}, which no source declares");
        checked += 1;
    }
    assert!(checked >= least, "only {checked} names of {page} were found to check");
}

#[test]
fn every_crate_is_on_the_map() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!("| `crates/{name}` |")), "crates/{name} is not on the map");
    }
}

#[test]
fn error_codes_are_those_of_the_protocol() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let numbers = page.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 5);
    for digits in numbers {
        let code = digits.parse().unwrap();
        assert!(ErrorCode::from_code(code).is_some(), "{code} is no error code");
    }
}

//! Prose that cannot lie: what `ARCHITECTURE.md` and the threat model name is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use pactolus_protocol::ErrorCode;

/// The pages that name files, types and functions, and how many paths and names each has at least.
const PAGES: [(&str, usize, usize); 2] = [("ARCHITECTURE.md", 30, 15), ("docs/threat-model.md", 15, 10)];

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// What stands between backticks.
fn code_spans(page: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace_root().join(page)).unwrap();
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All Rust sources, one after the other.
fn append_sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().unwrap() != "target" {
            append_sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn mentioned_paths_exist() {
    for (page, paths, _) in PAGES {
        let mut checked = 0;
        for name in code_spans(page) {
            let is_path = name.contains('/') || [".md", ".toml", ".rs"].iter().any(|end| name.ends_with(end));
            if is_path {
                assert!(workspace_root().join(&name).exists(), "{page} names {name}, which is not there");
                checked += 1;
            }
        }
        assert!(checked >= paths, "only {checked} paths of {page} were found to check");
    }
}

#[test]
fn mentioned_names_are_declared() {
    let mut code = String::new();
    for folder in ["crates", "bench", "reports", "torture", "xtask"] {
        append_sources(&workspace_root().join(folder), &mut code);
    }
    for (page, _, least) in PAGES {
        check_declared(page, least, &code);
    }
}

fn check_declared(page: &str, least: usize, code: &str) {
    let mut checked = 0;
    for name in code_spans(page) {
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
fn architecture_lists_every_crate() {
    let page = fs::read_to_string(workspace_root().join("ARCHITECTURE.md")).unwrap();
    for entry in fs::read_dir(workspace_root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!("| `crates/{name}` |")), "crates/{name} is not on the map");
    }
}

#[test]
fn mentioned_error_codes_exist() {
    let page = fs::read_to_string(workspace_root().join("ARCHITECTURE.md")).unwrap();
    let numbers = page.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 5);
    for digits in numbers {
        let code = digits.parse().unwrap();
        assert!(ErrorCode::from_code(code).is_some(), "{code} is no error code");
    }
}

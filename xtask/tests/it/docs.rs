//! Pages that cannot lie: the paths, types, functions, keys, commands and error codes that they name exist.

use std::collections::{BTreeMap, BTreeSet};

use pactolus_protocol::ErrorCode;

use crate::repository::{files, read, root, sources, without_comments, words};

/// Pages that are checked: all but the history of changes, which names what is gone.
fn pages() -> Vec<String> {
    files("", &["md"]).into_iter().filter(|page| page != "CHANGELOG.md").collect()
}

/// Folders at the root; a name that begins with one of them is a path.
const FOLDERS: [&str; 10] =
    ["bench/", "crates/", "deploy/", "docs/", "fuzz/", "reports/", "torture/", "xtask/", ".ci/", ".github/"];

/// What stands between backticks outside of code blocks.
fn code_spans(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            spans.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    spans
}

/// The lines of the code blocks for a shell.
fn shell_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = match block {
                None => Some(language.to_owned()),
                Some(_) => None,
            };
        } else if block.as_deref() == Some("sh") {
            lines.push(line.split(" # ").next().unwrap().to_owned());
        }
    }
    lines
}

/// All code of the workspace, without comments.
fn all_code() -> String {
    sources().iter().map(|path| without_comments(&read(path))).collect()
}

/// Words of code, settings and SQL.
fn known_words() -> BTreeSet<String> {
    let mut text = all_code();
    for path in files("", &["toml", "sql", "json"]) {
        text.push_str(&read(&path));
    }
    words(&text).map(str::to_owned).collect()
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} names of nothing:\n{}", found.len(), found.join("\n"));
}

#[test]
fn named_paths_exist() {
    let mut found = Vec::new();
    let mut checked = 0;
    for page in pages() {
        for span in code_spans(&read(&page)) {
            let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder))
                && !span.contains(|c: char| c.is_whitespace() || "*<>{}".contains(c));
            if is_path {
                checked += 1;
                if !root().join(&span).exists() {
                    found.push(format!("{page}: {span}"));
                }
            }
        }
    }
    assert_none(&found);
    assert!(checked >= 100, "only {checked} paths were found to check");
}

#[test]
fn links_lead_somewhere() {
    let mut found = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let text = read(&page);
        let folder = root().join(&page).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            checked += 1;
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { root().join(&page) } else { folder.join(path) };
            let headings = || std::fs::read_to_string(&file).unwrap_or_default();
            if !file.exists() || (!heading.is_empty() && !anchors(&headings()).contains(heading)) {
                found.push(format!("{page}: {target}"));
            }
        }
    }
    assert_none(&found);
    assert!(checked >= 50, "only {checked} links were found to check");
}

/// The anchors of a page's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

#[test]
fn named_items_exist() {
    let code = all_code();
    let known = known_words();
    let mut found = Vec::new();
    let mut checked = 0;
    for page in pages() {
        for span in code_spans(&read(&page)) {
            let exists = if let Some(function) = span.strip_suffix("()") {
                let name = function.rsplit("::").next().unwrap();
                code.contains(&format!("fn {name}(")) || code.contains(&format!("fn {name}<"))
            } else if let Some(rule) = span.strip_suffix('!').filter(|rule| !rule.is_empty()) {
                code.contains(&format!("macro_rules! {rule} "))
            } else if is_item(&span) {
                span.split("::").all(|part| known.contains(part))
            } else {
                continue;
            };
            checked += 1;
            if !exists {
                found.push(format!("{page}: {span}"));
            }
        }
    }
    assert_none(&found);
    assert!(checked >= 150, "only {checked} names were found to check");
}

/// Whether a span is a type, a variant, a constant, a setting or another name of at least two words.
fn is_item(span: &str) -> bool {
    let is_word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let has_two_words = |part: &str| {
        let has_lowercase = part.chars().any(|c| c.is_ascii_lowercase());
        part.contains('_') || has_lowercase && part.chars().skip(1).any(|c| c.is_ascii_uppercase())
    };
    span.split("::").all(is_word) && (span.contains("::") || has_two_words(span))
}

/// The flags of each command, from the help that a test holds against the program.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let help = read("crates/pactolus/tests/it/help/en.txt");
    let mut commands = BTreeMap::new();
    for section in help.split("$ pactolus ").skip(1) {
        let (head, text) = section.split_once("--help").unwrap();
        let flags = text.split(|c: char| c.is_whitespace() || "=,.;:)`".contains(c));
        let flags = flags.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned);
        commands.insert(head.trim().to_owned(), flags.collect());
    }
    commands
}

#[test]
fn named_commands_and_flags_exist() {
    let commands = commands();
    let tasks = read("xtask/src/main.rs").to_lowercase();
    let mut found = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let text = read(&page);
        let spans = code_spans(&text).into_iter().chain(shell_lines(&text));
        for line in spans {
            let mut parts = line.split_whitespace().skip_while(|part| part.contains('=') || *part == "sudo");
            let Some(program) = parts.next() else { continue };
            let mut parts = parts.peekable();
            if program == "cargo" && parts.next_if_eq(&"xtask").is_some() {
                let Some(task) = parts.next().filter(|task| task.starts_with(char::is_alphabetic)) else {
                    continue;
                };
                checked += 1;
                if !tasks.contains(&format!("{}(", task.replace('-', ""))) {
                    found.push(format!("{page}: {line}"));
                }
            } else if program == "pactolus" || program.ends_with("/pactolus") {
                let Some(command) = parts.next_if(|part| part.starts_with(char::is_alphabetic)) else {
                    continue;
                };
                checked += 1;
                let Some(flags) = commands.get(command) else {
                    found.push(format!("{page}: {line}: no command {command}"));
                    continue;
                };
                for part in parts.take_while(|part| !["|", "&&", ";", ">"].contains(part)) {
                    let flag = part.split('=').next().unwrap().trim_end_matches([',', '.']);
                    if flag.starts_with("--") && !flags.contains(flag) {
                        found.push(format!("{page}: {line}: {command} has no {flag}"));
                    }
                }
            }
        }
    }
    assert_none(&found);
    assert!(checked >= 40, "only {checked} commands were found to check");
}

#[test]
fn every_crate_is_on_the_map() {
    let page = read("ARCHITECTURE.md");
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!("| `crates/{name}` |")), "crates/{name} is not on the map");
    }
}

#[test]
fn error_codes_are_those_of_the_protocol() {
    let page = read("ARCHITECTURE.md");
    let numbers = page.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() == 5);
    for digits in numbers {
        let code = digits.parse().unwrap();
        assert!(ErrorCode::from_midas(code).is_some(), "{code} is no error code");
    }
}

//! The register: words that the project does not use, in comments, pages, help and messages (`CONTRIBUTING.md`).

use crate::repository::{files, read, sources};

/// Each with what to write instead.
const UNUSED: [(&str, &str); 13] = [
    ("whoever", "name the component or the person"),
    ("whomever", "name the component or the person"),
    ("nobody", "name the component: no caller, no reader"),
    ("somebody", "name the component: a caller, a client"),
    ("anew", "again, from the start"),
    ("told", "receives, is given, reports"),
    ("what came of", "the result of, the outcome of"),
    ("let go of", "release, drop"),
    ("lets go of", "releases, drops"),
    ("comes by", "passes through, obtains"),
    ("all the same", "still, nevertheless"),
    ("of which", "a second sentence"),
    ("whatever is", "name it"),
];

/// Where the words are listed as such.
const EXEMPT: [&str; 2] = ["CONTRIBUTING.md", "xtask/tests/it/language.rs"];

fn find_unused(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        for (words, instead) in UNUSED {
            let is_whole = |at: usize| {
                let before = line[..at].chars().next_back();
                let after = line[at + words.len()..].chars().next();
                [before, after].iter().flatten().all(|c| !c.is_alphanumeric())
            };
            if line.match_indices(words).any(|(at, _)| is_whole(at)) {
                found.push((number + 1, words, instead));
            }
        }
    }
    found
}

#[test]
fn unused_words_stay_out() {
    let mut paths = sources();
    paths.extend(files("", &["md", "toml", "sql", "yml"]));
    paths.extend(files("crates/pactolus/tests/it/help", &["txt"]));
    let mut found = Vec::new();
    for path in paths.iter().filter(|path| !EXEMPT.contains(&path.as_str())) {
        for (line, words, instead) in find_unused(&read(path)) {
            found.push(format!("{path}:{line}: \"{words}\"; write: {instead}"));
        }
    }
    assert!(
        found.is_empty(),
        "{} places are not in the project's register:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn words_are_found_whole_and_in_any_case() {
    let found =
        |text| find_unused(text).into_iter().map(|(line, words, _)| (line, words)).collect::<Vec<_>>();
    assert_eq!(found("fine\nWhoever asks, told so"), [(2, "whoever"), (2, "told")]);
    assert_eq!(found("renewed, a toldo, nobody_else"), [(1, "nobody")]);
    assert_eq!(found("it is let go of."), [(1, "let go of")]);
}

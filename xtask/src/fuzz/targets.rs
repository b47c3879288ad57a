//! The targets, and how often each should be tried before its promise is told of.
//!
//! In all that is more than a hundred million times; most of them where one takes a few microseconds.

/// One target.
pub(super) struct Target {
    /// That of its program, of the function in a crate's module `fuzzing`, and of its folders in `fuzz/`.
    pub(super) name: &'static str,
    /// How many inputs it should have withstood.
    pub(super) executions: u64,
}

const fn target(name: &'static str, millions: u64) -> Target {
    Target { name, executions: millions * 1_000_000 }
}

/// All of them.
pub(super) const TARGETS: &[Target] = &[
    // crates/protocol
    target("body", 10),
    target("requests", 1),
    target("signatures", 2),
    target("explain", 1),
    target("query", 15),
    target("answers", 3),
    target("names", 20),
    // crates/ledger
    target("bank", 1),
    // crates/ledger-embedded; journal and index write files.
    target("entry", 20),
    target("frame", 2),
    target("journal", 1),
    target("index", 1),
    target("views", 15),
    target("manifest", 10),
    // crates/ledger-postgres
    target("postgres_url", 6),
    // crates/client
    target("base_url", 1),
    // crates/server
    target("operator", 10),
    // crates/pactolus
    target("config", 1),
    target("store_url", 6),
    target("gifts", 1),
    target("results", 1),
];

/// Their names, for whoever has misspelt one.
pub(super) fn names() -> String {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::step::workspace;

    fn listed(folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(workspace().join(folder)).into_iter().flatten();
        let name =
            |path: std::path::PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        entries.filter_map(|entry| name(entry.unwrap().path())).collect()
    }

    /// A target that is in one place and not in another would be fuzzed and not replayed, or the other way round.
    #[test]
    fn every_target_has_its_program_its_corpus_and_its_test() {
        let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
        assert_eq!(names.len(), TARGETS.len(), "a name is there twice");
        assert_eq!(listed("fuzz/fuzz_targets"), names);
        assert_eq!(listed("fuzz/corpus"), names);
        assert!(listed("fuzz/crashes").is_subset(&names), "crashes of no target");
        let manifest = fs::read_to_string(workspace().join("fuzz/Cargo.toml")).unwrap();
        let crates = fs::read_dir(workspace().join("crates")).unwrap();
        let tests =
            crates.filter_map(|of| fs::read_to_string(of.unwrap().path().join("src/fuzzing.rs")).ok());
        let tests: String = tests.collect();
        for name in names {
            assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} has no program");
            assert!(tests.contains(&format!("replay(\"{name}\", super::{name})")), "{name} has no test");
            let program =
                fs::read_to_string(workspace().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
            assert!(program.contains(&format!("::fuzzing::{name}(bytes)")), "{name} runs another target");
        }
    }

    #[test]
    fn all_are_tried_a_hundred_million_times() {
        assert!(TARGETS.iter().map(|target| target.executions).sum::<u64>() >= 100_000_000);
        assert!(TARGETS.iter().all(|target| target.executions >= 1_000_000));
    }
}

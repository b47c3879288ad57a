//! The targets, and how often each should be tried before its promise is told of.
//!
//! In all that is more than a hundred million times; most of them where one takes a few microseconds.

/// One target.
pub(super) struct FuzzTarget {
    /// That of its program, of the function in a crate's module `fuzzing`, and of its folders in `fuzz/`.
    pub(super) name: &'static str,
    /// How many inputs it should have withstood.
    pub(super) executions: u64,
}

const fn target(name: &'static str, millions: u64) -> FuzzTarget {
    FuzzTarget { name, executions: millions * 1_000_000 }
}

/// All of them.
pub(super) const TARGETS: &[FuzzTarget] = &[
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
    use crate::step::workspace_root;

    fn file_stems(folder: &str) -> BTreeSet<String> {
        let entries = fs::read_dir(workspace_root().join(folder)).into_iter().flatten();
        let name =
            |path: std::path::PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
        entries.filter_map(|entry| name(entry.unwrap().path())).collect()
    }

    /// A target that is in one place and not in another would be fuzzed and not replayed, or the other way round.
    #[test]
    fn every_target_has_program_corpus_and_test() {
        let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
        assert_eq!(names.len(), TARGETS.len(), "a name is there twice");
        assert_eq!(file_stems("fuzz/fuzz_targets"), names);
        assert_eq!(file_stems("fuzz/corpus"), names);
        assert!(file_stems("fuzz/crashes").is_subset(&names), "crashes of no target");
        let manifest = fs::read_to_string(workspace_root().join("fuzz/Cargo.toml")).unwrap();
        let crates = fs::read_dir(workspace_root().join("crates")).unwrap();
        let tests =
            crates.filter_map(|of| fs::read_to_string(of.unwrap().path().join("src/fuzzing.rs")).ok());
        let tests: String = tests.collect();
        for name in names {
            assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} has no program");
            assert!(tests.contains(&format!("replay(\"{name}\", super::{name})")), "{name} has no test");
            let program =
                fs::read_to_string(workspace_root().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
            assert!(program.contains(&format!("::fuzzing::{name}(bytes)")), "{name} runs another target");
        }
    }

    #[test]
    fn executions_total_a_hundred_million() {
        assert!(TARGETS.iter().map(|target| target.executions).sum::<u64>() >= 100_000_000);
        assert!(TARGETS.iter().all(|target| target.executions >= 1_000_000));
    }
}

//! Fuzz targets, with the number of inputs that each must survive before a report.
//!
//! More than a hundred million inputs in total. Most of them go to targets that take a few microseconds each.

pub(super) struct FuzzTarget {
    /// Name of the program, of the function in a crate's module `fuzzing`, and of the folders in `fuzz/`.
    pub(super) name: &'static str,
    /// Inputs in a full run.
    pub(super) executions: u64,
}

const fn target(name: &'static str, millions: u64) -> FuzzTarget {
    FuzzTarget { name, executions: millions * 1_000_000 }
}

pub(super) const TARGETS: &[FuzzTarget] = &[
    // crates/protocol
    target("body", 10),
    target("requests", 1),
    target("signatures", 2),
    target("explain", 1),
    target("query", 15),
    target("raw", 2),
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

/// All names, for the error about an unknown one.
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

    /// A target that is missing in one place would be fuzzed and not replayed, or replayed and not fuzzed.
    #[test]
    fn every_target_has_program_corpus_and_test() {
        let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
        assert_eq!(names.len(), TARGETS.len(), "duplicate name");
        assert_eq!(file_stems("fuzz/fuzz_targets"), names);
        assert_eq!(file_stems("fuzz/corpus"), names);
        assert!(file_stems("fuzz/crashes").is_subset(&names), "a crashes folder has no target");
        let manifest = fs::read_to_string(workspace_root().join("fuzz/Cargo.toml")).unwrap();
        let crates = fs::read_dir(workspace_root().join("crates")).unwrap();
        let tests =
            crates.filter_map(|of| fs::read_to_string(of.unwrap().path().join("src/fuzzing.rs")).ok());
        let tests: String = tests.collect();
        for name in names {
            assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} has no program");
            assert!(tests.contains(&format!("run_corpus(\"{name}\", super::{name})")), "{name} has no test");
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

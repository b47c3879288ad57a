//! Corpus runner: replays the stored inputs of a fuzz target.

use std::fs;
use std::path::{Path, PathBuf};

/// Runs `target` on every stored input in `fuzz/corpus/NAME` and `fuzz/crashes/NAME`.
///
/// It panics where the target does, and where the corpus is empty, because an empty corpus would test nothing.
pub fn run_corpus(name: &str, target: impl Fn(&[u8])) {
    let corpus = input_files("corpus", name);
    assert!(!corpus.is_empty(), "the target {name} has no corpus in fuzz/corpus/{name}");
    for path in corpus.into_iter().chain(input_files("crashes", name)) {
        let bytes = fs::read(&path).expect("a kept input can be read");
        let named = PanicReporter(&path);
        target(&bytes);
        drop(named);
    }
}

/// The files of one target, sorted; empty if it has no folder.
fn input_files(kind: &str, name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(kind).join(name);
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder can be read").path()).collect();
    paths.sort();
    paths
}

/// Prints the path of the input if the target panics.
struct PanicReporter<'a>(&'a Path);

impl Drop for PanicReporter<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is {}", self.0.display());
        }
    }
}

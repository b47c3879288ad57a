//! The inputs that are kept: a corpus, which reaches most of a target, and what ever broke a promise.

use std::fs;
use std::path::{Path, PathBuf};

/// Calls `target`, which is called `name`, with every input that is kept of it in `fuzz/corpus` and `fuzz/crashes`.
///
/// It panics where the target does, and where there is no corpus: a test that finds nothing to do tests nothing.
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

/// The files of one target, in order; none where it has no folder.
fn input_files(kind: &str, name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(kind).join(name);
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder can be read").path()).collect();
    paths.sort();
    paths
}

/// Says which input it was, should the target panic.
struct PanicReporter<'a>(&'a Path);

impl Drop for PanicReporter<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the input is {}", self.0.display());
        }
    }
}

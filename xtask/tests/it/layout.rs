//! Files stay small enough to be read in one go.

use crate::repository::{read, sources};

const LINES_MAX: usize = 450;

#[test]
fn no_source_is_too_long() {
    let too_long = |path: &String| {
        let lines = read(path).lines().count();
        (lines > LINES_MAX).then(|| format!("{path} has {lines} lines"))
    };
    let found: Vec<_> = sources().iter().filter_map(too_long).collect();
    assert!(found.is_empty(), "at most {LINES_MAX} lines; split by subject:\n{}", found.join("\n"));
}

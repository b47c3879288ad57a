//! The systemd unit in `deploy/`: systemd accepts it, and its exposure is low.
//!
//! Needs `systemd-analyze`: `cargo xtask test` installs Debian's package `systemd`.

use std::path::Path;
use std::process::Command;

use crate::process::Folder;

const INSTALL: &str = "needs systemd-analyze (on Debian: apt-get install systemd)";

/// The unit, with the executable and the manual of this build.
fn unit(folder: &Folder) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd/pactolus.service");
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.replace("/usr/local/bin/pactolus", env!("CARGO_BIN_EXE_pactolus"));
    let text: Vec<_> = text.lines().filter(|line| !line.starts_with("Documentation=man:")).collect();
    folder.write("pactolus.service", &(text.join("\n") + "\n"));
    folder.path().join("pactolus.service").display().to_string()
}

fn analyze(arguments: &[&str]) -> (bool, String) {
    let ended = Command::new("systemd-analyze").args(arguments).output().expect(INSTALL);
    let output = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8(output).unwrap())
}

#[test]
fn systemd_accepts_the_unit() {
    let folder = Folder::empty();
    assert_eq!(analyze(&["verify", "--man=no", &unit(&folder)]), (true, String::new()));
}

#[test]
fn exposure_of_the_unit_is_low() {
    let folder = Folder::empty();
    // The threshold is in tenths: 2.0.
    let (is_low, report) = analyze(&["security", "--offline=true", "--threshold=20", &unit(&folder)]);
    assert!(is_low, "{report}");
}

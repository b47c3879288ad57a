//! Golden files of the help and of common messages, in both languages.
//!
//! After an intended change, `PACTOLUS_TEST_BLESS=1 cargo test -p pactolus --test it help` rewrites them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{Folder, Process};

const COMMANDS: &[&str] = &[
    "",
    "audit",
    "backup",
    "balance",
    "cancelpay",
    "clock",
    "completions",
    "copy",
    "debit",
    "demo",
    "digest",
    "doctor",
    "explain",
    "export",
    "faults",
    "gift",
    "init",
    "man",
    "metrics",
    "migrate",
    "order",
    "pay",
    "present",
    "rejections",
    "rotate-keys",
    "restore",
    "serve",
    "session",
    "sign",
    "statement",
    "token",
    "topup",
    "totals",
];

fn golden_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help").join(name)
}

/// Compares `text` with the golden file, or rewrites the file.
#[track_caller]
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = golden_path(name);
    if std::env::var_os("PACTOLUS_TEST_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name} has changed; to accept it, see the top of help.rs");
}

#[test]
fn help_matches_golden_files() {
    let folder = Folder::empty();
    for lang in ["en", "zh"] {
        let mut all = Vec::new();
        for &command in COMMANDS {
            let mut arguments = vec!["--lang", lang];
            arguments.extend([command, "--help"].into_iter().filter(|argument| !argument.is_empty()));
            let ended = Process::start(folder.command(&arguments)).wait();
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
            all.push(format!("$ pactolus {command} --help\n{}\n", ended.stdout));
        }
        let all = all.concat();
        let longest = all.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 80, "a line of {lang} is {longest} characters long");
        assert_golden(&format!("{lang}.txt"), &all);
    }
}

/// Replaces addresses, and numbers that differ between runs and systems.
fn normalize(output: &str) -> String {
    let mut text = output.replace("127.0.0.1:0", "ADDRESS");
    for (before, after) in
        [("gave up after ", " tries"), ("尝试 ", " 次后放弃"), ("(os error ", ")"), ("（os error ", "）")]
    {
        if let Some((start, rest)) = text.split_once(before) {
            let (_, end) = rest.split_once(after).unwrap();
            text = format!("{start}{before}N{after}{end}");
        }
    }
    text
}

#[test]
fn messages_match_golden_files() {
    let folder = crate::campaign::folder_without_mp_sig();
    folder.write("players.csv", "openid,zone_id,coins\n");
    folder.write("rows.csv", "openid,present_counts\none,5\ntwo,\nthree,abc\none,1\n");
    folder.write("good.csv", "openid,zone_id,present_counts\none,1,5\ntwo,2,60\nthree,1,700\n");
    let cases: [&[&str]; 9] = [
        &["balance", "--openid", "one"],
        &["balance", "--openid", "one", "--env", "sandbox", "--url", "http://127.0.0.1:1", "--timeout", "1"],
        &["balance", "--openid", "one", "--env", "sandbox", "--app", "wx7654321"],
        &["present", "--env", "sandbox", "--input", "absent.csv", "--campaign", "c"],
        &["present", "--env", "sandbox", "--input", "players.csv", "--yes"],
        &["present", "--env", "sandbox", "--input", "rows.csv", "--campaign", "c", "--yes"],
        &["present", "--env", "sandbox", "--input", "good.csv", "--campaign", "c", "--dry-run"],
        &["restore", "--from", "absent", "--store", "embedded:new"],
        &["audit", "--store", "embedded:absent"],
    ];
    for lang in ["en", "zh"] {
        let mut all = Vec::new();
        for case in cases {
            let ended = folder.run(&[case, &["--lang", lang]].concat());
            let code = ended.code.unwrap();
            let output = normalize(&format!("{}{}", ended.stdout, ended.stderr));
            all.push(format!("$ pactolus {}\n{output}({code})\n\n", case.join(" ")));
        }
        assert_golden(&format!("messages.{lang}.txt"), &all.concat());
    }
}

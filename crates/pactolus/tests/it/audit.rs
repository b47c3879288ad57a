//! Proving the books: right, wrong, in use, or not there.

use std::fs;
use std::path::Path;

use pactolus_nouns::Environment;
use pactolus_protocol::Answer;

use crate::gifts::{Gift, Player};
use crate::running::{Folder, Running};

/// A bank that was closed with three orders of two accounts.
async fn closed_bank() -> Folder {
    let folder = Folder::with_config();
    let bank = Running::serve(&folder);
    Player(0).log_in(&bank.http).await;
    for (environment, bill_no) in
        [(Environment::Live, "one"), (Environment::Live, "two"), (Environment::Sandbox, "one")]
    {
        let gift = Gift { environment, player: Player(0), bill_no: bill_no.to_owned(), coins: 5 };
        assert!(matches!(gift.send(&bank.http).await, Ok(Answer::Done(_))));
    }
    assert_eq!(bank.stop().code, Some(0));
    folder
}

#[tokio::test]
async fn right_books_are_exit_code_0() {
    let folder = closed_bank().await;
    let ended = folder.run(&["audit"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(ended.stdout, "embedded:./data: the books are right; orders: 3, accounts: 2\n");
    let ended = folder.run(&["audit", "--store", "embedded:data", "--output", "json"]);
    let right = r#"{"accounts":2,"clean":true,"findings":[],"orders":3,"store":"embedded:data"}"#;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), &*format!("{right}\n")));
}

#[tokio::test]
async fn wrong_books_are_exit_code_1() {
    let folder = closed_bank().await;
    damage(&folder.path().join("data/journal"));
    let ended = folder.run(&["audit"]);
    assert_eq!(
        (ended.code, &*ended.stderr),
        (Some(1), "error: the books are not right\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains(" is damaged at offset "), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nembedded:./data: problems: 1; orders: "), "{}", ended.stdout);
}

/// Changes one bit in the middle of the only file in `journal`.
fn damage(journal: &Path) {
    let files: Vec<_> = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("one file, not {files:?}") };
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_bank_that_is_served_is_not_audited() {
    let folder = Folder::with_config();
    let bank = Running::serve(&folder);
    let ended = folder.run(&["audit"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("is in use by another process"), "{}", ended.stderr);
    assert_eq!(bank.stop().code, Some(0));
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = Folder::with_config();
    let ended = folder.run(&["audit"]);
    assert_eq!(ended.code, Some(4));
    assert_eq!(
        ended.stderr,
        "error: there is no store at embedded:./data; a bank makes its store when it is first served\n"
    );
    assert!(!folder.path().join("data").exists());

    folder.write("notes.txt", "not a store");
    let ended = folder.run(&["audit", "--store", "embedded:."]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("is neither empty nor a Pactolus store"), "{}", ended.stderr);
}

//! `pactolus audit` and `digest`: clean, damaged, locked and missing stores.

use std::fs;
use std::path::Path;

use pactolus_protocol::ReplyOutcome;
use pactolus_test_support::files::files_in;
use pactolus_types::Environment;

use crate::gifts::{Gift, Player};
use crate::process::{Folder, ServerProcess};

/// A stopped bank with three orders on two accounts.
async fn closed_bank() -> Folder {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    Player(0).log_in(&bank.http).await;
    for (environment, bill_no) in
        [(Environment::Live, "one"), (Environment::Live, "two"), (Environment::Sandbox, "one")]
    {
        let gift = Gift { environment, player: Player(0), bill_no: bill_no.to_owned(), coins: 5 };
        assert!(matches!(gift.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
    }
    assert_eq!(bank.stop().code, Some(0));
    folder
}

#[tokio::test]
async fn clean_audit_exits_0() {
    let folder = closed_bank().await;
    let ended = folder.run(&["audit"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let (outcome, digest) = ended.stdout.split_once("digest: ").unwrap();
    assert_eq!(outcome, "embedded:./data: audit passed; orders: 3, accounts: 2\n");
    let digest = digest.trim_end();
    assert!(digest.starts_with("3-") && digest.len() == 66, "{digest}");
    let ended = folder.run(&["audit", "--store", "embedded:data", "--output", "json"]);
    let right = format!(
        r#"{{"accounts":2,"clean":true,"digest":"{digest}","findings":[],"order_ahead_of_clock":null,"orders":3,"store":"embedded:data"}}"#
    );
    assert_eq!((ended.code, &*ended.stdout), (Some(0), &*format!("{right}\n")));
}

#[tokio::test]
async fn live_digest_is_verified_after_shutdown() {
    let folder = closed_bank().await;
    let bank = ServerProcess::serve(&folder);
    let output = folder.run(&["digest"]);
    assert_eq!((output.code, &*output.stderr), (Some(0), ""));
    let digest = output.stdout.trim_end();
    let json = folder.run(&["digest", "--output", "json"]).stdout;
    assert_eq!(json, format!("{{\"digest\":\"{digest}\",\"orders\":3}}\n"));
    let gift =
        Gift { environment: Environment::Live, player: Player(0), bill_no: "three".to_owned(), coins: 5 };
    assert!(matches!(gift.send(&bank.http).await, Ok(ReplyOutcome::Success(_))));
    assert_eq!(bank.stop().code, Some(0));

    let proved = folder.run(&["audit", "--since", digest]);
    assert_eq!((proved.code, &*proved.stderr), (Some(0), ""), "{}", proved.stdout);
    assert!(proved.stdout.contains("digest: 4-"), "{}", proved.stdout);

    let other = format!("3-{}", "ab".repeat(32));
    let refused = folder.run(&["audit", "--since", &other]);
    assert_eq!((refused.code, &*refused.stderr), (Some(1), "error: the audit found errors\n"));
    let finding = format!("the history of the first 3 orders is not the one that {other} stands for\n");
    assert!(refused.stdout.starts_with(&finding), "{}", refused.stdout);
    assert!(!refused.stdout.contains("digest: "), "{}", refused.stdout);

    let no_digest = folder.run(&["audit", "--since", "yesterday"]);
    assert_eq!(no_digest.code, Some(2));
    assert!(no_digest.stderr.contains("is not a digest of a history"), "{}", no_digest.stderr);
    let nowhere = folder.run(&["digest", "--store", "embedded:nowhere"]);
    assert_eq!((nowhere.code, &*nowhere.stderr), (Some(4), "error: there is no store in nowhere\n"));
}

#[tokio::test]
async fn damaged_journal_exits_1() {
    let folder = closed_bank().await;
    flip_one_bit(&folder.path().join("data/journal"));
    let ended = folder.run(&["audit"]);
    assert_eq!(
        (ended.code, &*ended.stderr),
        (Some(1), "error: the audit found errors\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains(" is damaged at offset "), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nembedded:./data: problems: 1; orders: "), "{}", ended.stdout);
}

/// Flips one bit in the middle of the only file in `journal`.
fn flip_one_bit(journal: &Path) {
    let files = files_in(journal);
    let [file] = &files[..] else { panic!("one file, not {files:?}") };
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn audit_of_a_store_in_use_is_refused() {
    let folder = Folder::with_config();
    let bank = ServerProcess::serve(&folder);
    let ended = folder.run(&["audit"]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("is in use by another process"), "{}", ended.stderr);
    assert_eq!(bank.stop().code, Some(0));
}

#[test]
fn audit_creates_no_missing_store() {
    let folder = Folder::with_config();
    let ended = folder.run(&["audit"]);
    assert_eq!(ended.code, Some(4));
    assert_eq!(
        ended.stderr,
        "error: no store at embedded:./data; `pactolus serve` creates it at its first start\n"
    );
    assert!(!folder.path().join("data").exists());

    folder.write("notes.txt", "not a store");
    let ended = folder.run(&["audit", "--store", "embedded:."]);
    assert_eq!(ended.code, Some(4));
    assert!(ended.stderr.contains("is neither empty nor a Pactolus store"), "{}", ended.stderr);
}

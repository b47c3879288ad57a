//! Stores of earlier builds stay readable: `format-1` was written by a build of 2026-11.
//!
//! Its orders: six presents of 10 to 60 coins to three players, a pay of 7 and its cancel in the sandbox, and a
//! present of 5 in the live environment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use pactolus_ledger::{AccountKey, Ledger, Posted};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore, backup};
use pactolus_test_support::files::{copy_folder, files_in};
use pactolus_test_support::orders::{account, debit, order, order_of_account, pay, present, refund};
use pactolus_test_support::sample::NOW;
use pactolus_types::Environment;
use pollster::block_on;

const DIGEST: &str = "9-78515a2bc2aaee407c784c4bb3e74bad74fd5e81072d3fd3f97f3fb10c5449d7";

fn balance(store: &EmbeddedStore, environment: Environment, player: usize) -> u64 {
    let key = AccountKey { environment, ..account(&format!("player-{player}")) };
    block_on(store.account(key)).unwrap().balance().get()
}

/// With the views as they were, and rebuilt from the journal.
#[test]
fn store_of_format_1_opens() {
    for views in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1"), folder.path());
        if !views {
            fs::remove_dir_all(folder.path().join("views")).unwrap();
        }
        let store = EmbeddedStore::open(folder.path(), &EmbeddedSettings::default()).unwrap();
        let audit = block_on(store.audit()).unwrap();
        assert_eq!((audit.orders, audit.findings.len()), (9, 0));
        let sandbox = [0, 1, 2].map(|player| balance(&store, Environment::Sandbox, player));
        assert_eq!(sandbox, [90, 50, 70]);
        assert_eq!(balance(&store, Environment::Live, 1), 5);
        drop(store);
        assert_eq!(backup::digest(folder.path()).unwrap().to_string(), DIGEST);
    }
}

/// Format in the header of each journal file.
fn journal_formats(folder: &Path) -> Vec<u32> {
    let header = |path: &std::path::PathBuf| fs::read(path).unwrap()[8..12].try_into().unwrap();
    files_in(&folder.join("journal")).iter().map(|path| u32::from_le_bytes(header(path))).collect()
}

fn word(folder: &Path) -> String {
    fs::read_to_string(folder.join("pactolus-store")).unwrap()
}

/// The first order that format 1 lacks begins a file of format 2, and the store names that format. A build that reads
/// format 1 only refuses both by name; it cannot take the new entries for damage.
#[test]
fn first_debit_raises_the_format() {
    let folders = tempfile::tempdir().unwrap();
    let (live, backup, restored) =
        (folders.path().join("live"), folders.path().join("backup"), folders.path().join("restored"));
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1"), &live);
    let open = |folder: &Path| EmbeddedStore::open(folder, &EmbeddedSettings::default()).unwrap();
    let post = |store: &EmbeddedStore, bill_no: &str, kind| {
        let posted = block_on(store.post(order("player-1", bill_no, kind), NOW));
        assert!(matches!(posted, Ok(Posted::Applied(_))), "{posted:?}");
    };
    let store = open(&live);
    post(&store, "before", present(20));
    assert_eq!(
        (journal_formats(&live), word(&live)),
        (vec![1], "Pactolus embedded store, format 1\n".into())
    );
    post(&store, "debit", debit(22));
    post(&store, "after", present(1));
    assert_eq!(
        (journal_formats(&live), word(&live)),
        (vec![1, 2], "Pactolus embedded store, format 2\n".into())
    );
    drop(store);

    let store = open(&live);
    post(&store, "later", pay(1));
    assert_eq!(journal_formats(&live), [1, 2], "one file is enough");
    backup::back_up(&live, &backup).unwrap();
    backup::restore(&backup, &restored, None).unwrap();
    assert_eq!((journal_formats(&restored), word(&restored)), (vec![1, 2], word(&live)));
    for store in [store, open(&restored)] {
        let audit = block_on(store.audit()).unwrap();
        assert_eq!((audit.orders, audit.findings.len()), (13, 0), "{audit:?}");
        let account = block_on(store.account(account("player-1"))).unwrap();
        assert_eq!((account.balance().get(), account.debited().get(), account.spent().get()), (3, 22, 1));
    }
}

/// A store of a later format is refused by name, in its word and in a file of its journal.
#[test]
fn newer_journal_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1"), folder.path());
    let path = files_in(&folder.path().join("journal")).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 3;
    let crc = crc32fast::hash(&[&[0; 8], &bytes[..60]].concat()).to_le_bytes();
    bytes[60..64].copy_from_slice(&crc);
    fs::write(&path, bytes).unwrap();
    let error = EmbeddedStore::open(folder.path(), &EmbeddedSettings::default()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("use a newer Pactolus"), "{error}");
}

/// So does the first number of an account, whatever its order; refunds survive a backup.
#[test]
fn first_number_of_an_account_raises_the_format() {
    let folders = tempfile::tempdir().unwrap();
    let (live, backup, restored) =
        (folders.path().join("live"), folders.path().join("backup"), folders.path().join("restored"));
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1"), &live);
    let open = |folder: &Path| EmbeddedStore::open(folder, &EmbeddedSettings::default()).unwrap();
    let post = |store: &EmbeddedStore, bill_no: &str, kind| {
        let posted = block_on(store.post(order_of_account("player-1", bill_no, kind), NOW));
        assert!(matches!(posted, Ok(Posted::Applied(_))), "{posted:?}");
    };
    let store = open(&live);
    assert_eq!(journal_formats(&live), [1]);
    post(&store, "gift", present(20));
    assert_eq!(journal_formats(&live), [1, 2]);
    assert_eq!(word(&live), "Pactolus embedded store, format 2\n");
    post(&store, "pay", pay(9));
    post(&store, "refund-1", refund("pay", 4));
    post(&store, "refund-2", refund("pay", 5));
    backup::back_up(&live, &backup).unwrap();
    backup::restore(&backup, &restored, None).unwrap();
    for store in [store, open(&restored)] {
        let bill = order_of_account("player-1", "pay", pay(9)).bill();
        let entry = block_on(store.order(bill)).unwrap().unwrap();
        assert_eq!(entry.cancel.map(|last| last.given_back.coins.get()), Some(9));
        let audit = block_on(store.audit()).unwrap();
        assert!(audit.is_clean(), "{audit:?}");
    }
}

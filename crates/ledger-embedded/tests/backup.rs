//! Backups of a store while it is written, and restores of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pactolus_ledger::{Ledger, Order};
use pactolus_ledger_embedded::backup::{BackupError, back_up, read_orders, restore};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore, OpenError};
use pactolus_test_support::files::files_in;
use pactolus_test_support::orders::numbered_present;
use pactolus_test_support::sample::NOW;
use pollster::block_on;
use tempfile::{TempDir, tempdir};

fn present(bill: usize) -> Order {
    numbered_present(bill, 3, 1)
}

/// Journal files that end every few orders.
fn open(folder: &Path) -> EmbeddedStore {
    let settings =
        EmbeddedSettings { segment_bytes: 2000, memtable_orders: 50, ..EmbeddedSettings::default() };
    EmbeddedStore::open(folder, &settings).unwrap()
}

/// Posts orders concurrently, so that batches hold several.
fn post(store: &EmbeddedStore, bills: std::ops::Range<usize>) {
    let next = AtomicUsize::new(bills.start);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let bill = next.fetch_add(1, Ordering::Relaxed);
                    if bill >= bills.end {
                        break;
                    }
                    block_on(store.post(present(bill), NOW)).unwrap();
                }
            });
        }
    });
}

/// The orders of a restored store, whose books must be clean.
fn orders_in(folder: &Path) -> u64 {
    let audit = block_on(open(folder).audit()).unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    audit.orders
}

struct TestFolders(TempDir);

impl TestFolders {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
}

#[test]
fn backup_runs_during_writes() {
    let folders = TestFolders::new();
    let store = open(&folders.path("live"));
    let is_done = AtomicBool::new(false);
    let posted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for bill in (0..1000).step_by(20) {
                post(&store, bill..bill + 20);
                posted.store(bill + 20, Ordering::SeqCst);
            }
            is_done.store(true, Ordering::SeqCst);
        });
        let mut backups = 0;
        while !is_done.load(Ordering::SeqCst) {
            let before = posted.load(Ordering::SeqCst) as u64;
            let backup = folders.path(&format!("backup-{backups}"));
            let copied = back_up(&folders.path("live"), &backup).unwrap();
            assert!(copied.orders >= before, "what was answered before is in it");
            if backups % 10 == 0 {
                let restored = folders.path(&format!("restored-{backups}"));
                assert_eq!(restore(&backup, &restored, None).unwrap().orders, copied.orders);
                assert_eq!(orders_in(&restored), copied.orders);
            }
            backups += 1;
        }
        assert!(backups > 3, "only {backups} backups were taken");
    });
}

#[test]
fn restore_stops_at_any_order() {
    let folders = TestFolders::new();
    let store = open(&folders.path("live"));
    post(&store, 0..40);
    assert_eq!(back_up(&folders.path("live"), &folders.path("backup")).unwrap().orders, 40);
    for until in 0..=40 {
        let restored = folders.path(&format!("restored-{until}"));
        assert_eq!(restore(&folders.path("backup"), &restored, Some(until)).unwrap().orders, until);
        assert_eq!(orders_in(&restored), until);
        // And the bank goes on from there.
        post(&open(&restored), 100..103);
        assert_eq!(orders_in(&restored), until + 3);
    }
    let error = restore(&folders.path("backup"), &folders.path("more"), Some(41)).unwrap_err();
    assert!(matches!(error, BackupError::TooFewOrders { orders: 40, until: 41 }), "{error:?}");
}

#[test]
fn damaged_or_unfinished_backup_is_refused() {
    let folders = TestFolders::new();
    let store = open(&folders.path("live"));
    post(&store, 0..120);
    let backup = folders.path("backup");
    back_up(&folders.path("live"), &backup).unwrap();
    let files = files_in(&backup.join("journal"));
    assert!(files.len() > 2);

    let mut tries = 0;
    let mut refused = |what: &str| {
        tries += 1;
        let restored = folders.path(&format!("restored-{tries}"));
        let error = restore(&backup, &restored, None).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        // The bug: a restore that was refused because the backup is cut left a store that opened and lacked orders.
        if restored.exists() {
            let opened = EmbeddedStore::open(&restored, &EmbeddedSettings::default()).map(|_| ());
            assert!(matches!(opened, Err(OpenError::NotAStore { .. })), "{what}: {opened:?}");
        }
    };
    // A bit of a file in the middle, the last file cut, and missing.
    let middle = fs::read(&files[1]).unwrap();
    for at in [0, 70, middle.len() / 2, middle.len() - 1] {
        let mut damaged = middle.clone();
        damaged[at] ^= 1;
        fs::write(&files[1], &damaged).unwrap();
        refused("is damaged at offset");
    }
    fs::write(&files[1], &middle).unwrap();
    let last = fs::read(files.last().unwrap()).unwrap();
    fs::write(files.last().unwrap(), &last[..last.len() - 1]).unwrap();
    refused("of 120 orders; take another");
    fs::remove_file(files.last().unwrap()).unwrap();
    refused("of 120 orders; take another");
    fs::write(files.last().unwrap(), &last).unwrap();
    fs::remove_file(backup.join("pactolus-backup")).unwrap();
    refused("is not a complete backup");
}

#[test]
fn orders_are_read_in_journal_order() {
    let folders = TestFolders::new();
    let store = open(&folders.path("live"));
    for bill in 0..30 {
        post(&store, bill..bill + 1);
    }
    let mut bills = Vec::new();
    let read = read_orders(&folders.path("live"), |receipt| {
        bills.push(receipt.order.bill_no.to_string());
        Ok(())
    });
    assert_eq!(read.unwrap(), 30);
    assert_eq!(bills, (0..30).map(|bill| format!("bill-{bill}")).collect::<Vec<_>>());
}

#[test]
fn existing_folders_are_never_overwritten() {
    let folders = TestFolders::new();
    let store = open(&folders.path("live"));
    post(&store, 0..3);
    let live = folders.path("live");
    let error = back_up(&live, &live).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error:?}");
    let error = back_up(&folders.path("nowhere"), &folders.path("backup")).unwrap_err();
    assert!(matches!(error, BackupError::NoStore(_)), "{error:?}");
    assert!(!folders.path("nowhere").exists());
    back_up(&live, &folders.path("backup")).unwrap();
    let error = restore(&folders.path("backup"), &live, None).unwrap_err();
    assert!(matches!(error, BackupError::NotEmpty(_)), "{error:?}");
}

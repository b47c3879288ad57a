//! Import of another store's orders: batches, resumption, mismatches.
//!
//! The bug: each order of an import was posted by itself, and the writer took them from the queue one or a few at a
//! time. The loss: a sync for each, so a copy of ten million orders took hours. The fix: an import queues batches.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use pactolus_ledger::{ImportError, Ledger, Portable, Receipt};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_test_support::files::files_in;
use pactolus_test_support::orders::{numbered_present, order, pay};
use pactolus_test_support::sample::NOW;
use pollster::block_on;
use tempfile::tempdir;

/// Few players, so that most orders follow one of the same import.
const PLAYERS: usize = 50;

fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(folder, &EmbeddedSettings::default()).unwrap()
}

/// All receipts of a store, in the order of their decisions.
fn receipts_of(store: &EmbeddedStore) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    let visit = &mut |receipt| {
        receipts.push(receipt);
        ControlFlow::Continue(())
    };
    store.for_each_order(visit).unwrap();
    receipts
}

/// Receipts of presents and pays, from a store of their own.
fn source(orders: usize) -> Vec<Receipt> {
    let folder = tempdir().unwrap();
    let store = open(folder.path());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for bill in (thread..orders).step_by(8) {
                    let mut next = numbered_present(bill, PLAYERS, 5);
                    if bill >= orders / 2 && bill % 3 == 0 {
                        next = order(&format!("player-{}", bill % PLAYERS), &format!("bill-{bill}"), pay(1));
                    }
                    block_on(store.post(next, NOW)).unwrap();
                }
            });
        }
    });
    receipts_of(&store)
}

fn frames_in(folder: &Path) -> usize {
    let journals = files_in(&folder.join("journal"));
    let frames = |file| fs::read(file).unwrap().windows(4).filter(|four| four == b"PCTF").count();
    journals.iter().map(frames).sum()
}

#[test]
fn import_writes_large_batches() {
    let receipts = source(10_000);
    let folder = tempdir().unwrap();
    let store = open(folder.path());
    for chunk in receipts.chunks(store.import_orders_max()) {
        block_on(store.import(chunk.to_vec())).unwrap();
    }
    assert_eq!(receipts_of(&store), receipts);
    assert!(frames_in(folder.path()) <= 4, "{} frames for 10,000 orders", frames_in(folder.path()));
    assert!(block_on(store.audit()).unwrap().is_clean());
}

/// A copy that was killed at any order goes on when it is run again.
#[test]
fn interrupted_import_resumes() {
    let receipts = source(3000);
    for imported in [0, 1, 999, 1000, 2500, 3000] {
        let folder = tempdir().unwrap();
        block_on(open(folder.path()).import(receipts[..imported].to_vec())).unwrap();
        let store = open(folder.path());
        block_on(store.import(receipts.clone())).unwrap();
        assert_eq!(receipts_of(&store), receipts, "after {imported}");
        assert!(block_on(store.audit()).unwrap().is_clean());
    }
}

#[test]
fn orders_of_another_store_are_named() {
    let receipts = source(300);
    let folder = tempdir().unwrap();
    let store = open(folder.path());
    let other = receipts[0].order.account;
    let own = pactolus_ledger::Order {
        account: other,
        ..order("x", "of-its-own", pactolus_test_support::orders::present(1))
    };
    block_on(store.post(own, NOW)).unwrap();
    let error = block_on(store.import(receipts)).unwrap_err();
    assert!(matches!(error, ImportError::ReceiptMismatch(_)), "{error:?}");
    assert!(error.to_string().contains("has orders of its own"), "{error}");
}

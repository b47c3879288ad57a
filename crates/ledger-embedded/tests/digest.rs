//! An audit since a digest detects changes of history that an audit without one cannot.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use pactolus_ledger::{Audit, HistoryDigest, Ledger, Posted};
use pactolus_ledger_embedded::backup::{back_up, digest, restore};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_test_support::files::files_in;
use pactolus_test_support::orders::numbered_present;
use pactolus_test_support::sample::NOW;
use pollster::block_on;
use tempfile::{TempDir, tempdir};

/// Journal files that end every few orders.
fn open(folder: &Path) -> EmbeddedStore {
    let settings = EmbeddedSettings { segment_bytes: 300, ..EmbeddedSettings::default() };
    EmbeddedStore::open(folder, &settings).unwrap()
}

/// A closed store of twenty orders, each in a batch of its own; `coins` gives the coins of each.
fn closed_store(coins: impl Fn(usize) -> u64) -> TempDir {
    let folder = tempdir().unwrap();
    post_orders(folder.path(), 0..20, coins);
    folder
}

fn post_orders(folder: &Path, bills: std::ops::Range<usize>, coins: impl Fn(usize) -> u64) {
    let store = open(folder);
    for bill in bills {
        let posted = block_on(store.post(numbered_present(bill, 3, coins(bill)), NOW));
        assert!(matches!(posted, Ok(Posted::Applied(_))), "{posted:?}");
    }
}

fn audit(folder: &Path, since: Option<HistoryDigest>) -> Audit {
    block_on(open(folder).audit_since(since)).unwrap()
}

/// Asserts that the one finding of an audit is that `since` does not stand for the first orders.
#[track_caller]
fn assert_history_mismatch(folder: &Path, since: HistoryDigest) {
    let audit = audit(folder, Some(since));
    let finding =
        format!("the history of the first {} orders is not the one that {since} stands for", since.orders);
    assert_eq!(audit.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), [finding]);
    assert_eq!(audit.history, None);
}

#[test]
fn earlier_digests_stay_valid_as_orders_grow() {
    let folder = tempdir().unwrap();
    let mut digests = vec![audit(folder.path(), None).history.unwrap()];
    for bill in 0..12 {
        post_orders(folder.path(), bill..bill + 1, |_| 2);
        let history = audit(folder.path(), None).history.unwrap();
        assert_eq!(history.orders, bill as u64 + 1);
        assert_eq!(digest(folder.path()).unwrap(), history, "the digest read is the digest proved");
        digests.push(history);
    }
    for since in digests {
        let audit = audit(folder.path(), Some(since));
        assert!(audit.is_clean(), "{since}: {audit:?}");
    }
}

#[test]
fn digest_is_readable_while_serving() {
    let folder = tempdir().unwrap();
    let store = open(folder.path());
    for bill in 0..10 {
        block_on(store.post(numbered_present(bill, 3, 1), NOW)).unwrap();
        assert_eq!(digest(folder.path()).unwrap().orders, bill as u64 + 1);
    }
    let digests = digest(folder.path()).unwrap();
    assert_eq!(block_on(store.audit()).unwrap().history, Some(digests));
    assert!(digest(&folder.path().join("nowhere")).is_err());
}

/// An attacker with the program rewrites the whole bank with one gift larger. All checksums, digests and totals are
/// right.
#[test]
fn only_the_digest_detects_rewritten_history() {
    let right = closed_store(|_| 2);
    let since = audit(right.path(), None).history.unwrap();
    let forged = closed_store(|bill| if bill == 7 { 2000 } else { 2 });
    let plain = audit(forged.path(), None);
    assert!(plain.is_clean(), "{plain:?}");
    assert_eq!(plain.history.map(|history| history.orders), Some(since.orders));
    assert_history_mismatch(forged.path(), since);
    assert!(audit(right.path(), Some(since)).is_clean());
}

#[test]
fn digest_detects_truncation_and_reordering() {
    let whole = closed_store(|bill| bill as u64 + 1);
    let since = audit(whole.path(), None).history.unwrap();
    assert_history_mismatch(whole.path(), HistoryDigest { orders: since.orders + 1, ..since });
    assert_history_mismatch(whole.path(), HistoryDigest { orders: since.orders - 1, ..since });

    // Without the views nothing else proves that there were more orders.
    let files = journal_files(whole.path());
    assert!(files.len() > 3, "{files:?}");
    fs::remove_file(files.last().unwrap()).unwrap();
    fs::remove_dir_all(whole.path().join("views")).unwrap();
    assert!(audit(whole.path(), None).is_clean());
    assert_history_mismatch(whole.path(), since);

    // The same orders, two of them swapped.
    let swapped = tempdir().unwrap();
    for bill in (0..20).map(|at| match at {
        4 => 5,
        5 => 4,
        bill => bill,
    }) {
        post_orders(swapped.path(), bill..bill + 1, |bill| bill as u64 + 1);
    }
    assert!(audit(swapped.path(), None).is_clean());
    assert_history_mismatch(swapped.path(), since);
}

#[test]
fn audit_detects_changed_or_swapped_bytes() {
    let whole = closed_store(|bill| bill as u64 + 1);
    let since = audit(whole.path(), None).history.unwrap();
    let files = journal_files(whole.path());
    let read = |at: usize| fs::read(&files[at]).unwrap();
    let pairs = (0..files.len()).flat_map(|one| (0..one).map(move |other| (other, one)));
    let (one, other) = pairs.into_iter().find(|(one, other)| read(*one).len() == read(*other).len()).unwrap();
    let (first, second) = (read(one), read(other));

    let damaged = |what: &str| {
        for since in [None, Some(since)] {
            let audit = audit(whole.path(), since);
            assert!(
                audit.findings.iter().any(|finding| finding.to_string().contains("damaged")),
                "{what}: {audit:?}"
            );
        }
    };
    let mut flipped = first.clone();
    flipped[first.len() / 2] ^= 1;
    fs::write(&files[one], flipped).unwrap();
    damaged("a flip");

    // The bytes after a file's header, put into another file of the same length.
    fs::write(&files[one], [&first[..64], &second[64..]].concat()).unwrap();
    fs::write(&files[other], [&second[..64], &first[64..]].concat()).unwrap();
    damaged("a swap");

    fs::write(&files[one], first).unwrap();
    fs::write(&files[other], second).unwrap();
    assert!(audit(whole.path(), Some(since)).is_clean());
}

#[test]
fn backup_and_restore_keep_the_digest() {
    let live = closed_store(|_| 2);
    let folders = tempdir().unwrap();
    let (backup, restored) = (folders.path().join("backup"), folders.path().join("restored"));
    let since = digest(live.path()).unwrap();
    assert_eq!(back_up(live.path(), &backup).unwrap().history, since);
    assert_eq!(digest(&backup).unwrap(), since);
    assert_eq!(restore(&backup, &restored, None).unwrap().history, since);
    post_orders(&restored, 20..23, |_| 2);
    assert!(audit(&restored, Some(since)).is_clean());
}

fn journal_files(folder: &Path) -> Vec<PathBuf> {
    files_in(&folder.join("journal"))
}

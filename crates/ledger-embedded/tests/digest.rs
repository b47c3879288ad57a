//! What an audit since a digest proves of a history, and what an audit without one cannot.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use pactolus_ledger::{AccountKey, Audit, HistoryDigest, Ledger, Memo, Order, OrderKind, Posted};
use pactolus_ledger_embedded::backup::{back_up, digest, restore};
use pactolus_ledger_embedded::{EmbeddedStore, Settings};
use pactolus_types::{Amount, Environment, UnixMillis};
use pollster::block_on;
use tempfile::{TempDir, tempdir};

const NOW: UnixMillis = UnixMillis::new(1_507_530_737_000);

fn present(bill: usize, coins: u64) -> Order {
    let account = AccountKey {
        app: "wx1234567".parse().unwrap(),
        environment: Environment::Live,
        offer: "12345678".parse().unwrap(),
        player: format!("player-{}", bill % 3).parse().unwrap(),
        zone: "1".parse().unwrap(),
    };
    let kind = OrderKind::Present(Amount::new(coins).unwrap().into());
    Order { account, bill_no: format!("bill-{bill}").parse().unwrap(), kind, memo: Memo::default() }
}

/// Files of the journal that end every few orders.
fn open(folder: &Path) -> EmbeddedStore {
    let settings = Settings { segment_bytes: 300, ..Settings::default() };
    EmbeddedStore::open(folder, &settings).unwrap()
}

/// A closed store of twenty orders, each in a batch of its own, of so many coins each.
fn store(coins: impl Fn(usize) -> u64) -> TempDir {
    let folder = tempdir().unwrap();
    add(folder.path(), 0..20, coins);
    folder
}

fn add(folder: &Path, bills: std::ops::Range<usize>, coins: impl Fn(usize) -> u64) {
    let store = open(folder);
    for bill in bills {
        let posted = block_on(store.post(present(bill, coins(bill)), NOW));
        assert!(matches!(posted, Ok(Posted::Applied(_))), "{posted:?}");
    }
}

fn audit(folder: &Path, since: Option<HistoryDigest>) -> Audit {
    block_on(open(folder).audit_since(since)).unwrap()
}

/// The one finding of an audit since a digest that no longer stands for the first orders.
#[track_caller]
fn is_another_history(folder: &Path, since: HistoryDigest) {
    let audit = audit(folder, Some(since));
    let finding =
        format!("the history of the first {} orders is not the one that {since} stands for", since.orders);
    assert_eq!(audit.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), [finding]);
    assert_eq!(audit.history, None);
}

#[test]
fn every_digest_that_was_told_stands_as_the_bank_goes_on() {
    let folder = tempdir().unwrap();
    let mut told = vec![audit(folder.path(), None).history.unwrap()];
    for bill in 0..12 {
        add(folder.path(), bill..bill + 1, |_| 2);
        let history = audit(folder.path(), None).history.unwrap();
        assert_eq!(history.orders, bill as u64 + 1);
        assert_eq!(digest(folder.path()).unwrap(), history, "what is told is what is proved");
        told.push(history);
    }
    for since in told {
        let audit = audit(folder.path(), Some(since));
        assert!(audit.is_clean(), "{since}: {audit:?}");
    }
}

#[test]
fn a_digest_is_told_while_the_bank_is_served() {
    let folder = tempdir().unwrap();
    let store = open(folder.path());
    for bill in 0..10 {
        block_on(store.post(present(bill, 1), NOW)).unwrap();
        assert_eq!(digest(folder.path()).unwrap().orders, bill as u64 + 1);
    }
    let told = digest(folder.path()).unwrap();
    assert_eq!(block_on(store.audit()).unwrap().history, Some(told));
    assert!(digest(&folder.path().join("nowhere")).is_err());
}

/// Somebody with the program writes the whole bank anew and leaves one gift larger. All checksums and digests are
/// right, and so are all sums.
#[test]
fn a_history_that_was_written_anew_is_found_by_the_digest_alone() {
    let right = store(|_| 2);
    let since = audit(right.path(), None).history.unwrap();
    let forged = store(|bill| if bill == 7 { 2000 } else { 2 });
    let plain = audit(forged.path(), None);
    assert!(plain.is_clean(), "{plain:?}");
    assert_eq!(plain.history.map(|history| history.orders), Some(since.orders));
    is_another_history(forged.path(), since);
    assert!(audit(right.path(), Some(since)).is_clean());
}

#[test]
fn a_history_that_was_cut_or_has_its_orders_in_another_order_is_found() {
    let whole = store(|bill| bill as u64 + 1);
    let since = audit(whole.path(), None).history.unwrap();
    is_another_history(whole.path(), HistoryDigest { orders: since.orders + 1, ..since });
    is_another_history(whole.path(), HistoryDigest { orders: since.orders - 1, ..since });

    // Without the views nothing else tells that there were more orders.
    let files = journal_files(whole.path());
    assert!(files.len() > 3, "{files:?}");
    fs::remove_file(files.last().unwrap()).unwrap();
    fs::remove_dir_all(whole.path().join("views")).unwrap();
    assert!(audit(whole.path(), None).is_clean());
    is_another_history(whole.path(), since);

    // The same orders, two of them swapped.
    let swapped = tempdir().unwrap();
    for bill in (0..20).map(|at| match at {
        4 => 5,
        5 => 4,
        bill => bill,
    }) {
        add(swapped.path(), bill..bill + 1, |bill| bill as u64 + 1);
    }
    assert!(audit(swapped.path(), None).is_clean());
    is_another_history(swapped.path(), since);
}

#[test]
fn bytes_that_were_changed_or_swapped_are_found_with_and_without_a_digest() {
    let whole = store(|bill| bill as u64 + 1);
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

    // What follows the header of a file, put into another of the same length.
    fs::write(&files[one], [&first[..64], &second[64..]].concat()).unwrap();
    fs::write(&files[other], [&second[..64], &first[64..]].concat()).unwrap();
    damaged("a swap");

    fs::write(&files[one], first).unwrap();
    fs::write(&files[other], second).unwrap();
    assert!(audit(whole.path(), Some(since)).is_clean());
}

#[test]
fn a_backup_and_what_is_restored_of_it_have_the_digest_of_the_bank() {
    let live = store(|_| 2);
    let folders = tempdir().unwrap();
    let (backup, restored) = (folders.path().join("backup"), folders.path().join("restored"));
    let since = digest(live.path()).unwrap();
    assert_eq!(back_up(live.path(), &backup).unwrap().history, since);
    assert_eq!(digest(&backup).unwrap(), since);
    assert_eq!(restore(&backup, &restored, None).unwrap().history, since);
    add(&restored, 20..23, |_| 2);
    assert!(audit(&restored, Some(since)).is_clean());
}

fn journal_files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("journal")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

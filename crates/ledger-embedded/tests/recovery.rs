//! Recovery from a crash, a cut or a damaged disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use pactolus_ledger::{
    Ledger, Order, PostError, Posted, Precondition, PutOutcome, RecordChange, RecordKey, RecordValue,
    Records, Unavailable,
};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore, OpenError};
use pactolus_test_support::files::{copy_folder, files_in};
use pactolus_test_support::orders::numbered_present;
use pactolus_test_support::sample::NOW;
use pactolus_types::UnixMillis;
use pollster::block_on;
use tempfile::{TempDir, tempdir};

/// Every so many bytes of a file are tried: a prime, so that header, checksums and texts are all hit.
const STRIDE: usize = 13;

fn present(bill: usize) -> Order {
    numbered_present(bill, 3, 1)
}

fn open(folder: &Path) -> Result<EmbeddedStore, OpenError> {
    EmbeddedStore::open(folder, &EmbeddedSettings::default())
}

fn post(store: &EmbeddedStore, bill: usize) -> Result<Posted, PostError> {
    block_on(store.post(present(bill), NOW))
}

/// A store with `orders` orders, each in a batch of its own, as a crash leaves it: nothing was flushed.
fn crashed_store(orders: usize) -> TempDir {
    let live = tempdir().unwrap();
    let store = open(live.path()).unwrap();
    for bill in 0..orders {
        assert!(matches!(post(&store, bill), Ok(Posted::Applied(_))));
    }
    let crashed = tempdir().unwrap();
    copy_folder(live.path(), crashed.path());
    crashed
}

fn journal_file(folder: &Path) -> PathBuf {
    folder.join("journal").join(format!("{:020}.journal", 0))
}

/// The bytes of the journal without preallocated zeros, which closing truncates.
fn journal_bytes(folder: &Path) -> Vec<u8> {
    let closed = tempdir().unwrap();
    copy_folder(folder, closed.path());
    drop(open(closed.path()).unwrap());
    let bytes = fs::read(journal_file(closed.path())).unwrap();
    assert!(bytes.len() < 4096 && fs::read(journal_file(folder)).unwrap().starts_with(&bytes));
    bytes
}

/// Number of the orders that are there, which must be the first ones; and the books must be clean.
fn recovered_orders(folder: &Path, posted: usize) -> usize {
    let store = open(folder).unwrap();
    let there = |bill: usize| block_on(store.order(present(bill).bill())).unwrap().is_some();
    let count = (0..posted).filter(|bill| there(*bill)).count();
    assert!((0..count).all(there), "an order is missing before one that is there");
    let audit = block_on(store.audit()).unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(audit.orders, count as u64);
    count
}

#[test]
fn crash_loses_no_acknowledged_order() {
    assert_eq!(recovered_orders(crashed_store(10).path(), 10), 10);
}

/// The bug: the views reached exactly the end of a journal file when the process was killed. Opening took that
/// position for one in the next file, and read its header as a batch. The loss: a sound store was refused. The fix:
/// the checkpoint means the next file's first batch.
#[test]
fn views_ending_at_a_segment_end_recover() {
    let live = tempdir().unwrap();
    let settings = EmbeddedSettings { segment_bytes: 1, ..EmbeddedSettings::default() };
    let store = EmbeddedStore::open(live.path(), &settings).unwrap();
    for bill in 0..6 {
        assert!(matches!(post(&store, bill), Ok(Posted::Applied(_))));
        if bill == 2 {
            block_on(store.flush_all()).unwrap();
        }
    }
    let crashed = tempdir().unwrap();
    copy_folder(live.path(), crashed.path());
    assert_eq!(recovered_orders(crashed.path(), 6), 6);
}

#[test]
fn truncated_last_batch_is_discarded() {
    let whole = crashed_store(3);
    let bytes = journal_bytes(whole.path());
    let two = journal_bytes(crashed_store(2).path()).len();
    let lengths = (two..bytes.len()).step_by(STRIDE);
    assert!(lengths.len() > 3, "{two} of {}", bytes.len());
    for (length, zeros) in lengths.flat_map(|length| [(length, 0), (length, 100_000)]) {
        let cut = tempdir().unwrap();
        copy_folder(whole.path(), cut.path());
        let mut bytes = bytes[..length].to_vec();
        bytes.resize(length + zeros, 0);
        fs::write(journal_file(cut.path()), &bytes).unwrap();
        assert_eq!(recovered_orders(cut.path(), 3), 2, "cut at {length}, and then {zeros} zeros");
        // The cut-off order is posted again and stays.
        {
            let store = open(cut.path()).unwrap();
            assert!(matches!(post(&store, 2), Ok(Posted::Applied(_))));
        }
        assert_eq!(recovered_orders(cut.path(), 3), 3);
    }
}

#[test]
fn torn_last_batch_is_discarded() {
    let whole = crashed_store(3);
    let bytes = fs::read(journal_file(whole.path())).unwrap();
    let [two, three] = [crashed_store(2).path(), whole.path()].map(|folder| journal_bytes(folder).len());
    for offset in (two..three).step_by(STRIDE) {
        let torn = tempdir().unwrap();
        copy_folder(whole.path(), torn.path());
        let mut bytes = bytes.clone();
        bytes[offset] ^= 0x10;
        fs::write(journal_file(torn.path()), &bytes).unwrap();
        assert_eq!(recovered_orders(torn.path(), 3), 2, "torn at {offset}");
    }
}

#[test]
fn bit_flip_in_acknowledged_batch_is_located() {
    let whole = crashed_store(4);
    let bytes = fs::read(journal_file(whole.path())).unwrap();
    let three = journal_bytes(crashed_store(3).path()).len();
    for offset in (0..three).step_by(STRIDE) {
        let damaged = tempdir().unwrap();
        copy_folder(whole.path(), damaged.path());
        let mut bytes = bytes.clone();
        bytes[offset] ^= 0x01;
        fs::write(journal_file(damaged.path()), &bytes).unwrap();
        match open(damaged.path()).map(|_| ()) {
            Err(OpenError::Corrupt { file, offset: found, .. }) => {
                assert_eq!(file, journal_file(damaged.path()));
                assert!(found <= offset as u64, "{found} is named for {offset}");
            }
            // A flip in the header's format version can look like a newer format, but its checksum reveals it.
            other => panic!("a flip at {offset} came to {other:?}"),
        }
    }
}

#[test]
fn bit_flip_in_preallocated_space_is_harmless() {
    let whole = crashed_store(4);
    let bytes = fs::read(journal_file(whole.path())).unwrap();
    let written = journal_bytes(whole.path()).len();
    assert!(bytes.len() > written + 100_000, "zeros are written ahead");
    for offset in [written + 40, bytes.len() - 1] {
        let damaged = tempdir().unwrap();
        copy_folder(whole.path(), damaged.path());
        let mut bytes = bytes.clone();
        bytes[offset] ^= 0x01;
        fs::write(journal_file(damaged.path()), &bytes).unwrap();
        assert_eq!(recovered_orders(damaged.path(), 4), 4);
    }
}

#[test]
fn audit_finds_bit_flip_behind_the_views() {
    let folder = crashed_store(4);
    drop(open(folder.path()).unwrap());
    let path = journal_file(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 0x01;
    fs::write(&path, &bytes).unwrap();
    let store = open(folder.path()).unwrap();
    let audit = block_on(store.audit()).unwrap();
    assert!(!audit.is_clean());
    assert!(audit.findings[0].to_string().contains("damaged at offset"), "{audit:?}");
}

#[test]
fn missing_views_are_rebuilt() {
    let folder = crashed_store(20);
    drop(open(folder.path()).unwrap());
    fs::remove_dir_all(folder.path().join("views")).unwrap();
    assert_eq!(recovered_orders(folder.path(), 20), 20);
}

#[test]
fn journal_shorter_than_views_is_refused() {
    let folder = crashed_store(4);
    drop(open(folder.path()).unwrap());
    let path = journal_file(folder.path());
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::JournalTruncated)));
}

/// An older copy of the journal's last file may be as long as a newer one, because of preallocated zeros.
#[test]
fn zeros_before_the_views_end_are_refused() {
    let [older, newer] = [crashed_store(3), crashed_store(4)];
    let before = fs::read(journal_file(older.path())).unwrap();
    drop(open(newer.path()).unwrap());
    assert!(before.len() > fs::read(journal_file(newer.path())).unwrap().len());
    fs::write(journal_file(newer.path()), &before).unwrap();
    assert!(matches!(open(newer.path()), Err(OpenError::JournalTruncated)));
}

/// The process was killed right after a flush: zeros follow the end of the views.
#[test]
fn zeros_after_the_views_end_are_accepted() {
    let folder = crashed_store(4);
    drop(open(folder.path()).unwrap());
    let mut bytes = journal_bytes(folder.path());
    bytes.resize(bytes.len() + 100_000, 0);
    fs::write(journal_file(folder.path()), &bytes).unwrap();
    assert_eq!(recovered_orders(folder.path(), 4), 4);
}

/// The bug: the sync that truncates the zeros before the next file is begun had failed, and a power cut brought them
/// back. The loss: the store was refused for a missing journal file.
#[test]
fn trailing_zeros_between_segments_are_no_gap() {
    let live = tempdir().unwrap();
    {
        let store = EmbeddedStore::open(
            live.path(),
            &EmbeddedSettings { segment_bytes: 1, ..EmbeddedSettings::default() },
        )
        .unwrap();
        for bill in 0..3 {
            post(&store, bill).unwrap();
        }
    }
    // With views they would not be read.
    fs::remove_dir_all(live.path().join("views")).unwrap();
    let first = journal_file(live.path());
    let mut bytes = fs::read(&first).unwrap();
    bytes.resize(bytes.len() + 100_000, 0);
    fs::write(&first, &bytes).unwrap();
    assert_eq!(recovered_orders(live.path(), 3), 3);
    *bytes.last_mut().unwrap() = 1;
    fs::write(&first, &bytes).unwrap();
    assert!(matches!(open(live.path()), Err(OpenError::SegmentGap { .. })));
}

#[test]
fn missing_segment_is_refused() {
    let folder = tempdir().unwrap();
    let settings = EmbeddedSettings { segment_bytes: 200, ..EmbeddedSettings::default() };
    {
        let store = EmbeddedStore::open(folder.path(), &settings).unwrap();
        for bill in 0..10 {
            post(&store, bill).unwrap();
        }
    }
    let files = files_in(&folder.path().join("journal"));
    assert!(files.len() > 3, "{files:?}");
    fs::rename(&files[1], folder.path().join("away")).unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::SegmentGap { .. })));
    fs::rename(folder.path().join("away"), &files[1]).unwrap();
    fs::remove_file(&files[0]).unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::FirstSegmentMissing { .. })));
}

#[test]
fn second_open_is_refused() {
    let folder = tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let error = open(folder.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(store);
    open(folder.path()).unwrap();
}

/// The bug: with its lock file deleted, a served store was opened by a second process, and both wrote the journal.
/// The fix: the folder is locked too.
#[test]
fn deleted_lock_file_admits_no_second_process() {
    let folder = tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    for _ in 0..3 {
        fs::remove_file(folder.path().join("lock")).unwrap();
        let error = open(folder.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::InUse { .. }), "{error}");
        assert!(post(&store, 0).is_ok());
    }
    drop(store);
    open(folder.path()).unwrap();
}

#[test]
fn newer_format_is_refused_with_advice() {
    let folder = tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    fs::write(folder.path().join("pactolus-store"), "Pactolus embedded store, format 7\n").unwrap();
    let error = open(folder.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 7, .. }), "{error}");
    assert!(error.to_string().contains("use a newer Pactolus"), "{error}");
}

#[test]
fn foreign_folder_is_left_alone() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "").unwrap();
    assert!(matches!(open(folder.path()), Err(OpenError::NotAStore { .. })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn failed_write_refuses_orders_until_reopen() {
    let folder = tempdir().unwrap();
    let settings = EmbeddedSettings { segment_bytes: 1, ..EmbeddedSettings::default() };
    let store = EmbeddedStore::open(folder.path(), &settings).unwrap();
    post(&store, 0).unwrap();
    // Every batch begins a new file here, and without the folder it cannot.
    let (journal, away) = (folder.path().join("journal"), folder.path().join("away"));
    fs::rename(&journal, &away).unwrap();
    assert_eq!(post(&store, 1), Err(Unavailable::Failed.into()));
    fs::rename(&away, &journal).unwrap();
    assert_eq!(post(&store, 2), Err(Unavailable::Failed.into()), "a disk that works again proves nothing");
    assert_eq!(block_on(store.ready()), Err(Unavailable::Failed));
    drop(store);
    assert_eq!(recovered_orders(folder.path(), 3), 1);
    let store = open(folder.path()).unwrap();
    assert!(matches!(post(&store, 1), Ok(Posted::Applied(_))));
}

#[test]
fn closed_store_drains_then_refuses() {
    let folder = tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let posts = (0..100).map(|bill| store.post(present(bill), NOW)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let answers: Vec<_> = posts.into_iter().map(|post| scope.spawn(|| block_on(post))).collect();
        block_on(store.close());
        for answer in answers {
            let answer = answer.join().unwrap();
            assert!(matches!(
                answer,
                Ok(Posted::Applied(_)) | Err(PostError::Unavailable(Unavailable::Closed))
            ));
        }
    });
    assert_eq!(post(&store, 1000), Err(Unavailable::Closed.into()));
    assert_eq!(block_on(store.ready()), Err(Unavailable::Closed));
}

#[test]
fn records_survive_reopen_and_are_swept() {
    let folder = tempdir().unwrap();
    let key = |name: &str| RecordKey::new("session", &["wx1", name]);
    let change = |name: &str, expires_at| RecordChange {
        key: key(name),
        value: RecordValue(name.as_bytes().to_vec()),
        expires_at: UnixMillis::new(expires_at),
        precondition: Precondition::Any,
    };
    {
        let store = open(folder.path()).unwrap();
        let put = block_on(store.put(vec![change("a", 10), change("b", 20)]));
        assert_eq!(put, Ok(PutOutcome::Stored));
    }
    let store = open(folder.path()).unwrap();
    assert_eq!(block_on(store.get(key("a"))), Ok(Some(b"a".to_vec())));
    assert_eq!(block_on(store.sweep(UnixMillis::new(15))), Ok(1));
    assert_eq!(block_on(store.get(key("a"))), Ok(None));
    assert_eq!(block_on(store.get(key("b"))), Ok(Some(b"b".to_vec())));
}

/// The bug: two logins of one player at once were two writes of one key in one batch, and nothing ordered them.
/// The fix: the last one wins.
#[test]
fn concurrent_puts_keep_the_last() {
    let folder = tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let put = |value: usize| {
        let key = RecordKey::new("session", &["wx1", "a"]);
        let value = RecordValue(value.to_le_bytes().to_vec());
        let expires_at = UnixMillis::new(10);
        store.put(vec![RecordChange { key, value, expires_at, precondition: Precondition::Any }])
    };
    // The writer thread takes the first; the others queue up behind it in this order, and make one batch.
    let mut puts: Vec<_> = (0..200).map(put).collect();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for put in &mut puts {
        let _ = put.as_mut().poll(&mut context);
    }
    for put in puts {
        assert_eq!(block_on(put), Ok(PutOutcome::Stored));
    }
    let stays = block_on(store.get(RecordKey::new("session", &["wx1", "a"]))).unwrap();
    assert_eq!(stays, Some(199_usize.to_le_bytes().to_vec()));
}

#[test]
fn foreign_cursor_yields_an_empty_page() {
    let folder = tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    for bill in 0..6 {
        post(&store, bill).unwrap();
    }
    let page = |player: usize, after: Option<u64>| {
        let after = after.map(pactolus_ledger::Cursor::new);
        block_on(store.statement(present(player).account, after, 1)).unwrap()
    };
    let first = page(0, None);
    let next = first.next.unwrap();
    assert_eq!(page(0, Some(next.get())).receipts[0].order.bill_no.as_str(), "bill-0");
    for after in [0, 1, next.get() + 1, u64::MAX] {
        assert!(page(0, Some(after)).receipts.is_empty(), "{after}");
    }
    assert!(page(1, Some(next.get())).receipts.is_empty(), "an order of another account");
    assert_eq!(block_on(store.ready()), Ok(()));
}

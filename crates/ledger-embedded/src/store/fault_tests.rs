//! A store whose background threads end, and whose files cannot be written.

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pactolus_ledger::{
    Ledger as _, Order, OrderEffect, Periods, Portable as _, PostError, Posted, Precondition, Receipt,
    RecordChange, RecordKey, RecordValue, Records as _, Unavailable,
};
use pactolus_test_support::files::copy_folder;
use pactolus_test_support::orders::numbered_present;
use pactolus_test_support::sample::NOW;
use pactolus_types::UnixMillis;
use pollster::block_on;
use tempfile::{TempDir, tempdir};

use crate::background::throttle::Throttle;
use crate::disk::{DiskFault, TestDisk};
use crate::error::OpenError;
use crate::memtable::FrozenRows;
use crate::rows::{TotalRow, Totals};
use crate::settings::EmbeddedSettings;
use crate::store::EmbeddedStore;
use crate::views::ViewError;
use crate::write::request::{DecideOutcome, WriteRequest};

const MEMTABLE_ORDERS: usize = 50;

fn present(bill: usize) -> Order {
    numbered_present(bill, 7, 1)
}

fn open(disk: &Arc<TestDisk>, folder: &Path) -> Result<EmbeddedStore, OpenError> {
    let settings = EmbeddedSettings { memtable_orders: MEMTABLE_ORDERS, ..EmbeddedSettings::default() };
    EmbeddedStore::open_with_disk(Arc::<TestDisk>::clone(disk), folder, &settings)
}

fn post(store: &EmbeddedStore, bill: usize) -> Result<Posted, PostError> {
    block_on(store.post(present(bill), NOW))
}

/// The receipts of presents to players of their own.
fn receipts(bills: std::ops::Range<usize>) -> Vec<Receipt> {
    let receipt = |bill| {
        let order = numbered_present(bill, usize::MAX, 1);
        let Ok(pactolus_ledger::Decision::Apply(effect)) =
            pactolus_ledger::decide(&pactolus_ledger::Account::default(), None, &order, NOW)
        else {
            panic!("a first present applies")
        };
        let effect: OrderEffect = effect;
        Receipt::new(order, effect)
    };
    bills.map(receipt).collect()
}

fn record(value: u8) -> Vec<RecordChange> {
    vec![RecordChange {
        key: RecordKey::new("session", &["wx1", "a"]),
        value: RecordValue(vec![value]),
        expires_at: UnixMillis::new(u64::MAX),
        precondition: Precondition::Any,
    }]
}

/// Posts orders until the store says that it has failed; returns the applied ones.
fn post_until_failed(store: &EmbeddedStore) -> Vec<usize> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut applied = Vec::new();
    for bill in 0.. {
        if post(store, bill).is_ok() {
            applied.push(bill);
        }
        if block_on(store.ready()) == Err(Unavailable::Failed) {
            break;
        }
        assert!(Instant::now() < deadline, "the end of a thread goes unnoticed");
    }
    applied
}

/// The bug: a background thread that panicked went unnoticed. The loss: without a flusher 5,000 of 5,000 orders were
/// taken into memory that nothing bounded, and readiness was fine. The fix: a supervisor fails the store.
#[test]
fn end_of_a_background_thread_fails_the_store() {
    for thread in ["pactolus-writer", "pactolus-flush", "pactolus-merge", "pactolus-space"] {
        let folder = tempdir().unwrap();
        let disk = TestDisk::new(true);
        let store = open(&disk, folder.path()).unwrap();
        disk.set_fault(thread, DiskFault::Panic);
        let applied = post_until_failed(&store);
        for bill in applied.len()..applied.len() + 10 {
            let refused = post(&store, bill).unwrap_err();
            assert_eq!(refused, Unavailable::Failed.into(), "{thread}");
        }
        let memtable = store.state.memtable.active_orders();
        assert!(memtable <= 3 * MEMTABLE_ORDERS, "{thread}: {memtable} orders in memory");
        drop(store);
        assert_holds(&folder, &applied);
    }
}

/// The committer's thread takes large batches.
#[test]
fn end_of_the_committer_fails_the_store() {
    let folder = tempdir().unwrap();
    let disk = TestDisk::new(true);
    let store = open(&disk, folder.path()).unwrap();
    disk.set_fault("pactolus-commit", DiskFault::Panic);
    let refused = block_on(store.import(receipts(0..500))).unwrap_err();
    assert!(matches!(refused, pactolus_ledger::ImportError::Unavailable(_)), "{refused:?}");
    let applied = post_until_failed(&store);
    assert_eq!(post(&store, 1_000_000).unwrap_err(), Unavailable::Failed.into());
    drop(store);
    assert_holds(&folder, &applied);
}

fn assert_holds(folder: &TempDir, applied: &[usize]) {
    let store = open(&TestDisk::new(true), folder.path()).unwrap();
    for bill in applied {
        assert!(block_on(store.order(present(*bill).bill())).unwrap().is_some(), "bill-{bill} is lost");
    }
    assert!(block_on(store.audit()).unwrap().is_clean());
}

/// The bug: after one EIO every token and session was refused, and readiness was fine. The fix: readiness says it.
/// Orders go on: those of players whose sessions the server has in memory need no record.
#[test]
fn failed_records_are_not_ready_and_refuse_no_order() {
    for fault in [DiskFault::Io, DiskFault::Panic] {
        let folder = tempdir().unwrap();
        let disk = TestDisk::new(true);
        let store = open(&disk, folder.path()).unwrap();
        assert_eq!(block_on(store.put(record(1))), Ok(pactolus_ledger::PutOutcome::Stored));
        disk.set_fault("pactolus-records", fault);
        for value in 2..5 {
            assert_eq!(block_on(store.put(record(value))), Err(Unavailable::RecordsFailed), "{fault:?}");
            assert_eq!(block_on(store.ready()), Err(Unavailable::RecordsFailed));
        }
        for bill in 0..200 {
            post(&store, bill).unwrap();
        }
        let [RecordChange { key, .. }] = record(1).try_into().unwrap();
        assert_eq!(block_on(store.get(key)), Ok(Some(vec![1])), "{fault:?}");
    }
}

/// The bug: views that could not be written left the whole rest of the journal in memory while the store was opened.
/// The fix: opening is refused in words.
#[test]
fn views_that_cannot_be_written_refuse_opening() {
    let live = tempdir().unwrap();
    let store = EmbeddedStore::open(live.path(), &EmbeddedSettings::default()).unwrap();
    block_on(store.import(receipts(0..2000))).unwrap();
    for bill in 2000..2400 {
        block_on(store.post(numbered_present(bill, usize::MAX, 1), NOW)).unwrap();
    }
    let crashed = tempdir().unwrap();
    copy_folder(live.path(), crashed.path());
    for fault in [DiskFault::Io, DiskFault::Panic] {
        let disk = TestDisk::new(true);
        disk.set_fault("pactolus-flush", fault);
        let error = open(&disk, crashed.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, OpenError::ViewsNotWritten { .. }), "{error:?}");
        assert!(
            error.to_string().contains("views cannot be written")
                || error.to_string().contains("cannot be written")
        );
    }
    let store = open(&TestDisk::new(true), crashed.path()).unwrap();
    assert_eq!(block_on(store.audit()).unwrap().orders, 2400);
}

/// The bug: the writer's thread read the order of a used bill number from disk, so replays of old orders delayed all
/// new ones. The fix: the request reads it. Here the file has changed when the writer decides.
#[test]
fn writer_reads_no_file_for_a_replay() {
    let folder = tempdir().unwrap();
    let store = open(&TestDisk::new(true), folder.path()).unwrap();
    for bill in 0..4 * MEMTABLE_ORDERS {
        post(&store, bill).unwrap();
    }
    block_on(store.flush_all()).unwrap();
    let (request, answered) = store.prepare_post(Box::new(present(3)), NOW).unwrap();
    let journal = folder.path().join("journal").join(format!("{:020}.journal", 0));
    let zeros = vec![0; usize::try_from(std::fs::metadata(&journal).unwrap().len()).unwrap()];
    std::fs::OpenOptions::new().write(true).open(&journal).unwrap().write_all_at(&zeros, 0).unwrap();
    block_on(store.queue(WriteRequest::Post(request))).unwrap();
    let (_, outcome) = block_on(answered).unwrap().unwrap();
    assert!(matches!(outcome, DecideOutcome::Replayed(receipt, _) if receipt.order == present(3)));
    assert_eq!(block_on(store.order(present(3).bill())), Err(Unavailable::Damaged), "the file is gone");
}

/// A row of the totals that cannot be read refuses no order, and nothing counts on top of it.
#[test]
fn damaged_totals_refuse_no_order() {
    let folder = tempdir().unwrap();
    let disk = TestDisk::new(true);
    let store = open(&disk, folder.path()).unwrap();
    let totals = |store: &EmbeddedStore| {
        let key = present(0).account;
        block_on(store.totals(key.app, key.environment, Periods::whole()))
    };
    for bill in 0..100 {
        post(&store, bill).unwrap();
    }
    block_on(store.flush_all()).unwrap();
    let _ = store.state.views.note_damage::<()>(Err(ViewError::CorruptTotal));
    for bill in 100..300 {
        post(&store, bill).unwrap();
    }
    block_on(store.flush_all()).unwrap();
    assert_eq!(totals(&store), Err(Unavailable::Damaged));
    assert_eq!(block_on(store.ready()), Ok(()));
    assert!(store.damage().unwrap().contains("the totals in views/totals are damaged"));
    assert!(!block_on(store.audit()).unwrap().is_clean(), "the audit finds it");
    drop(store);
    let store = open(&disk, folder.path()).unwrap();
    let counted: u64 = totals(&store).unwrap().iter().map(|total| total.tallies.presents.orders).sum();
    assert_eq!(counted, 300, "opening counts them again");
    assert!(block_on(store.audit()).unwrap().is_clean());
}

/// The bug: the audit compared the totals that orders have, and saw no row beyond those.
#[test]
fn audit_finds_totals_without_orders() {
    let folder = tempdir().unwrap();
    let disk = TestDisk::new(true);
    let store = open(&disk, folder.path()).unwrap();
    for bill in 0..10 {
        post(&store, bill).unwrap();
    }
    block_on(store.flush_all()).unwrap();
    assert!(block_on(store.audit()).unwrap().is_clean());
    for (app, zone) in [("wx1234567", "77"), ("another", "1")] {
        let mut order = present(0);
        order.account.app = app.parse().unwrap();
        order.account.zone = zone.parse().unwrap();
        let key = pactolus_ledger::TotalKey::for_order(&order, NOW);
        let row = TotalRow { through: crate::journal::Position(100), ..TotalRow::default() };
        let mut totals = Totals::default();
        totals.insert(key, row);
        let frozen = FrozenRows { shards: Vec::new(), totals: Arc::new(totals) };
        let reached = store.state.views.reached();
        store.state.views.write(&frozen, reached, &Throttle::new(&|| true)).unwrap();
        let audit = block_on(store.audit()).unwrap();
        let findings: Vec<_> = audit.findings.iter().map(ToString::to_string).collect();
        assert!(
            findings.iter().any(|finding| finding.contains("are not those of its orders")),
            "{findings:?}"
        );
    }
}

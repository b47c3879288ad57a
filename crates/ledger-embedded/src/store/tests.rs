//! A store on a disk that a test fills and frees.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pactolus_ledger::{
    Ledger as _, Order, PostError, Posted, Precondition, PutOutcome, RecordChange, RecordKey, RecordValue,
    Records as _, Unavailable,
};
use pactolus_test_support::orders::numbered_present;
use pactolus_test_support::sample::NOW;
use pactolus_types::UnixMillis;
use pollster::block_on;
use tempfile::tempdir;

use crate::disk::TestDisk;
use crate::error::OpenError;
use crate::settings::EmbeddedSettings;
use crate::store::EmbeddedStore;

const FULL: PostError = PostError::Unavailable(Unavailable::DiskFull);

fn present(bill: usize) -> Order {
    numbered_present(bill, 7, 1)
}

/// Journal files and flushes that end every few orders.
fn open(disk: &Arc<TestDisk>, folder: &Path) -> Result<EmbeddedStore, OpenError> {
    let settings = EmbeddedSettings {
        segment_bytes: 4096,
        memtable_orders: 50,
        accounts_cached: 0,
        ..EmbeddedSettings::default()
    };
    EmbeddedStore::open_with_disk(Arc::<TestDisk>::clone(disk), folder, &settings)
        .map_err(|error| error.or_resource_limit(folder))
}

fn post(store: &EmbeddedStore, bill: usize) -> Result<Posted, PostError> {
    block_on(store.post(present(bill), NOW))
}

/// Waits until a store takes orders again, which it has to detect by itself.
fn wait_until_ready(store: &EmbeddedStore) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = block_on(store.ready()) {
        assert_eq!(error, Unavailable::DiskFull);
        assert!(Instant::now() < deadline, "the store does not detect the free space");
        std::thread::yield_now();
    }
}

/// The books must be clean, and hold exactly these orders.
fn assert_holds_exactly(store: &EmbeddedStore, applied: &BTreeSet<usize>, asked: usize) {
    let audit = block_on(store.audit()).unwrap();
    assert!(audit.is_clean(), "{audit:?}");
    assert_eq!(audit.orders, applied.len() as u64);
    for bill in 0..asked {
        let is_there = block_on(store.order(present(bill).bill())).unwrap().is_some();
        assert_eq!(is_there, applied.contains(&bill), "bill-{bill}");
    }
}

/// Posts orders from several threads, so that some are decided on top of one that finds the disk full, until
/// `refusals` are refused; returns the applied ones.
fn post_until_refused(store: &EmbeddedStore, next: &AtomicUsize, refusals: usize) -> Vec<usize> {
    let refused = AtomicUsize::new(0);
    let poster = || {
        let mut applied = Vec::new();
        while refused.load(Ordering::SeqCst) < refusals {
            let bill = next.fetch_add(1, Ordering::SeqCst);
            match post(store, bill) {
                Ok(Posted::Applied(_)) => applied.push(bill),
                Err(FULL) => {
                    refused.fetch_add(1, Ordering::SeqCst);
                }
                other => panic!("bill-{bill} came to {other:?}"),
            }
        }
        applied
    };
    std::thread::scope(|scope| {
        let posters: Vec<_> = (0..4).map(|_| scope.spawn(poster)).collect();
        posters.into_iter().flat_map(|poster| poster.join().unwrap()).collect()
    })
}

/// No answered order is lost and no refused one is there, wherever the disk became full: in a batch, at a new journal
/// file, or in the views.
#[test]
fn full_disk_refuses_orders_until_space_returns() {
    let folder = tempdir().unwrap();
    let disk = TestDisk::new(false);
    let store = open(&disk, folder.path()).unwrap();
    let (mut applied, next) = (BTreeSet::new(), AtomicUsize::new(0));
    for round in 0..12 {
        disk.set_free(500 + 1733 * round);
        applied.extend(post_until_refused(&store, &next, 10));

        // While it is full, everything that needs no space goes on.
        assert_eq!(block_on(store.ready()), Err(Unavailable::DiskFull));
        assert_holds_exactly(&store, &applied, next.load(Ordering::SeqCst));
        if let Some(bill) = applied.last() {
            assert!(matches!(post(&store, *bill), Ok(Posted::Replayed { .. })));
            let page = block_on(store.statement(present(*bill).account, None, 10)).unwrap();
            assert_eq!(page.receipts[0].order.bill_no, present(*bill).bill_no);
        }

        disk.set_free(TestDisk::TOTAL);
        wait_until_ready(&store);
        let bill = next.fetch_add(1, Ordering::SeqCst);
        assert!(matches!(post(&store, bill), Ok(Posted::Applied(_))), "it was opened only once");
        applied.insert(bill);
    }
    assert!(applied.len() > 200, "only {} orders were applied", applied.len());
    block_on(store.flush_all()).unwrap();
    assert_holds_exactly(&store, &applied, next.load(Ordering::SeqCst));
    drop(store);
    assert_holds_exactly(&open(&disk, folder.path()).unwrap(), &applied, next.load(Ordering::SeqCst));
}

/// A process that ends while its disk is full leaves a store that opens, with all answered orders.
#[test]
fn store_closed_on_full_disk_reopens() {
    let folder = tempdir().unwrap();
    let disk = TestDisk::new(false);
    let store = open(&disk, folder.path()).unwrap();
    let next = AtomicUsize::new(0);
    // Space for some hundred orders, and for none of the flushes that are due: their rows are in memory alone.
    disk.set_free(7000);
    let applied = post_until_refused(&store, &next, 10).into_iter().collect();
    assert_eq!(block_on(store.flush_all()), Err(Unavailable::DiskFull), "no flush is waited for");
    block_on(store.close());
    drop(store);

    disk.set_free(0);
    let error = open(&disk, folder.path()).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::DiskFull { .. }), "{error:?}");
    disk.set_free(TestDisk::TOTAL);
    assert_holds_exactly(&open(&disk, folder.path()).unwrap(), &applied, next.load(Ordering::SeqCst));
}

/// Orders accepted while there was space are flushed into the reserve; merges, which need more, are deferred.
#[test]
fn disk_reserve_lets_accepted_orders_flush() {
    let folder = tempdir().unwrap();
    let disk = TestDisk::new(true);
    let store = open(&disk, folder.path()).unwrap();
    let mut applied = BTreeSet::new();
    for bill in 0..1000 {
        assert!(matches!(post(&store, bill), Ok(Posted::Applied(_))));
        applied.insert(bill);
    }
    disk.set_free(EmbeddedSettings::default().disk_reserve_bytes - 1);
    let deadline = Instant::now() + Duration::from_secs(20);
    while block_on(store.ready()).is_ok() {
        assert!(Instant::now() < deadline, "there is less than is kept, and orders are taken");
        std::thread::yield_now();
    }
    assert_eq!(post(&store, 1000), Err(FULL));
    assert!(matches!(post(&store, 0), Ok(Posted::Replayed { .. })));
    block_on(store.flush_all()).unwrap();
    let record = |value: &str| RecordChange {
        key: RecordKey::new("session", &["wx1", "a"]),
        value: RecordValue(value.as_bytes().to_vec()),
        expires_at: UnixMillis::new(10),
        precondition: Precondition::Any,
    };
    assert_eq!(block_on(store.put(vec![record("refused")])), Err(Unavailable::DiskFull));
    assert_eq!(block_on(store.get(record("").key)), Ok(None));
    assert_holds_exactly(&store, &applied, 1001);

    disk.set_free(TestDisk::TOTAL);
    wait_until_ready(&store);
    assert!(matches!(post(&store, 1000), Ok(Posted::Applied(_))));
    assert_eq!(block_on(store.put(vec![record("kept")])), Ok(PutOutcome::Stored));
    assert_eq!(block_on(store.get(record("").key)), Ok(Some(b"kept".to_vec())));
    applied.insert(1000);
    assert_holds_exactly(&store, &applied, 1001);
}

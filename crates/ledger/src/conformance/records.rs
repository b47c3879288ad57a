//! Conformance of records.

use std::time::Duration;

use pollster::block_on;

use super::{NOW, THREADS, TestEngine};
use crate::records::{Precondition, PutOutcome, RecordChange, RecordKey, RecordValue};

fn record(name: &str) -> RecordKey {
    RecordKey::new("kind", &[name])
}

fn change(name: &str, value: &[u8], precondition: Precondition) -> RecordChange {
    RecordChange { key: record(name), value: RecordValue(value.to_vec()), expires_at: NOW, precondition }
}

fn must_equal(bytes: &[u8]) -> Precondition {
    Precondition::Value(RecordValue(bytes.to_vec()))
}

/// Changes are atomic: all are stored if every precondition holds, none otherwise, and they survive a reopen.
pub fn record_changes_are_atomic<B: TestEngine>(open: impl Fn() -> B) {
    let mut bank = open();
    let put = |bank: &B, changes| block_on(bank.records().put(changes)).expect("answers");
    let get = |bank: &B, name| block_on(bank.records().get(record(name))).expect("reads");
    assert_eq!(get(&bank, "a"), None);
    assert_eq!(
        put(&bank, vec![change("a", b"1", Precondition::Absent), change("b", b"", Precondition::Any)]),
        PutOutcome::Stored
    );
    assert_eq!((get(&bank, "a"), get(&bank, "b")), (Some(b"1".to_vec()), Some(Vec::new())));

    // Each time the first change's precondition holds and the second's does not.
    for late in [
        change("a", b"x", Precondition::Absent),
        change("b", b"x", must_equal(b"1")),
        change("c", b"x", must_equal(b"")),
    ] {
        assert_eq!(put(&bank, vec![change("d", b"x", Precondition::Absent), late]), PutOutcome::Conflict);
        assert_eq!((get(&bank, "d"), get(&bank, "c")), (None, None));
    }
    assert_eq!(
        put(&bank, vec![change("a", b"2", must_equal(b"1")), change("b", b"2", must_equal(b""))]),
        PutOutcome::Stored
    );
    bank.reopen();
    assert_eq!((get(&bank, "a"), get(&bank, "b")), (Some(b"2".to_vec()), Some(b"2".to_vec())));

    // A record is still there at its expiry, and gone after it.
    assert_eq!(block_on(bank.records().sweep(NOW)), Ok(0));
    assert_eq!(block_on(bank.records().sweep(NOW.saturating_add(Duration::from_millis(1)))), Ok(2));
    assert_eq!(get(&bank, "a"), None);
}

/// Concurrent compare-and-set loops on one record: no update is lost.
pub fn concurrent_record_updates_lose_nothing(bank: &impl TestEngine) {
    let records = bank.records();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let read = block_on(records.get(record("count"))).expect("reads");
                    let next = read.as_ref().map_or(1, |bytes| bytes[0].saturating_add(1));
                    let one_more = change("count", &[next], Precondition::from_read(read));
                    if block_on(records.put(vec![one_more])).expect("answers") == PutOutcome::Stored {
                        return;
                    }
                }
            });
        }
    });
    let count = block_on(records.get(record("count"))).expect("reads").expect("it is there");
    assert_eq!(u64::from(count[0]), THREADS);
}

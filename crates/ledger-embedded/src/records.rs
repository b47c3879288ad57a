//! Records: tokens, sessions and the like, each change durable before it is answered.
//!
//! One thread gathers the queued changes and syncs once for all of them (group commit).

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use pactolus_ledger::{
    BoxFuture, Precondition, PutOutcome, RecordAccess, RecordChange, RecordKey, RecordValue, Records,
    Unavailable,
};
use pactolus_types::UnixMillis;
use tokio::sync::{mpsc, oneshot};

use crate::background::supervisor::SupervisedThread;
use crate::disk::space::DiskSpace;
use crate::error::OpenError;
use crate::health::Health;
use crate::kv::{RedbTable, Snapshot, TableError, TableOptions};

/// The most changes that queue; further callers wait (back-pressure).
const QUEUE_MAX: usize = 4096;
const BATCH_MAX: usize = 1024;

/// Keys that a sweep holds at once: at some 100 bytes each, 2 MiB.
const SWEEP_KEYS_MAX: usize = 16_384;

const CACHE_BYTES: usize = 16 * 1024 * 1024;

pub(crate) struct RecordStore {
    table: Arc<RedbTable>,
    space: Arc<DiskSpace>,
    health: Arc<Health>,
    queue: mpsc::Sender<RecordRequest>,
    thread: SupervisedThread,
}

/// A change for the writer thread. Only that thread writes, so its reads stay valid until it has written.
struct RecordRequest {
    write: RecordWrite,
    reply_to: oneshot::Sender<Result<PutOutcome, Unavailable>>,
}

enum RecordWrite {
    /// Store these records.
    Put(Vec<RecordChange>),
    /// Remove those of these keys that expired before a time; one may have been stored again since it was found.
    Expire(Vec<Vec<u8>>, UnixMillis),
}

impl RecordStore {
    pub(crate) fn open(folder: &Path, space: Arc<DiskSpace>, health: Arc<Health>) -> Result<Self, OpenError> {
        // There may be gigabytes of records; each is verified when it is read.
        let options = TableOptions { folder: folder.to_owned(), cache_bytes: CACHE_BYTES, verify: false };
        let records = RedbTable::open(options, Arc::clone(&space))
            .map_err(|source| OpenError::Records { folder: folder.to_owned(), source: Box::new(source) })?;
        let records = Arc::new(records);
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let (writer_table, writer_health) = (Arc::clone(&records), Arc::clone(&health));
        let thread = SupervisedThread::spawn("pactolus-records", &health, move || {
            run_writer(&writer_table, &writer_health, requests);
        })?;
        Ok(Self { table: records, space, health, queue, thread })
    }

    /// Visits every record, until the visitor breaks.
    pub(crate) fn for_each(
        &self,
        visit: &mut dyn FnMut(RecordChange) -> ControlFlow<()>,
    ) -> Result<(), Unavailable> {
        self.table
            .read(|records| {
                for row in records.scan_prefix(&[])? {
                    let (key, stored) = row?;
                    let (expires_at, value) = decode_record(&stored).ok_or(RecordReadError::Corrupt)?;
                    let name = String::from_utf8(key).map_err(|_| RecordReadError::Corrupt)?;
                    let change = RecordChange {
                        key: RecordKey::from_name(name),
                        value: RecordValue(value.to_vec()),
                        expires_at,
                        precondition: Precondition::Any,
                    };
                    if visit(change).is_break() {
                        break;
                    }
                }
                Ok(())
            })
            .map_err(|error: RecordReadError| refuse_read(&self.health, &error))
    }

    /// The first expired keys after `after`, found in a thread of its own: a sweep reads millions of records, which
    /// takes too long for a server's thread.
    async fn find_expired(&self, now: UnixMillis, after: Vec<u8>) -> Result<Vec<Vec<u8>>, Unavailable> {
        let records = Arc::clone(&self.table);
        let (done, found) = oneshot::channel();
        let find = move || records.read(|records| find_expired(records, now, &after, SWEEP_KEYS_MAX));
        std::thread::Builder::new()
            .name("pactolus-sweep".into())
            .spawn(move || done.send(find()).is_ok())
            .map_err(|_| Unavailable::Busy)?;
        let found = found.await.map_err(|_| Unavailable::Failed)?;
        found.map_err(|error| refuse_read(&self.health, &error))
    }

    async fn submit(&self, write: RecordWrite) -> Result<PutOutcome, Unavailable> {
        if self.space.is_full() {
            return Err(Unavailable::DiskFull);
        }
        let (done, reply) = oneshot::channel();
        let ended = |health: &Health| health.check().err().unwrap_or(Unavailable::Closed);
        self.queue.send(RecordRequest { write, reply_to: done }).await.map_err(|_| ended(&self.health))?;
        reply.await.map_err(|_| ended(&self.health))?
    }
}

impl Drop for RecordStore {
    fn drop(&mut self) {
        self.thread.expect_end();
        // Without a sender the writer thread ends.
        self.queue = mpsc::channel(1).0;
        self.thread.join();
    }
}

/// Executes queued requests until all senders are gone.
fn run_writer(records: &RedbTable, health: &Health, mut queue: mpsc::Receiver<RecordRequest>) {
    let mut requests = Vec::with_capacity(BATCH_MAX);
    while queue.blocking_recv_many(&mut requests, BATCH_MAX) > 0 {
        let outcomes = write_batch(records, health, &requests)
            .unwrap_or_else(|unavailable| vec![Err(unavailable); requests.len()]);
        for (request, outcome) in requests.drain(..).zip(outcomes) {
            // The caller may be gone.
            let _ = request.reply_to.send(outcome);
        }
    }
}

type PutResult = Result<PutOutcome, Unavailable>;

/// Executes `requests` as one batch with one sync; returns the outcome of each.
fn write_batch(
    records: &RedbTable,
    health: &Health,
    requests: &[RecordRequest],
) -> Result<Vec<PutResult>, Unavailable> {
    let decided = records.read(|records| Ok(decide(records, health, requests)));
    let (outcomes, pending) = decided.map_err(|error: TableError| refuse_read(health, &error))?;
    if !pending.is_empty() {
        let written = records.write(pending.iter().map(|(key, stored)| (*key, stored.as_deref())));
        written.map_err(|error| match error {
            TableError::DiskFull => Unavailable::DiskFull,
            // The first failure is logged.
            TableError::AlreadyFailed => Unavailable::RecordsFailed,
            TableError::Corrupt { .. } | TableError::Io(_) | TableError::Failed(_) => {
                health.fail_records(&error);
                Unavailable::RecordsFailed
            }
        })?;
    }
    Ok(outcomes)
}

/// The outcome of each of `requests`, and the new values of the keys that change.
fn decide<'a>(
    records: &Snapshot<'_>,
    health: &Health,
    requests: &'a [RecordRequest],
) -> (Vec<PutResult>, PendingChanges<'a>) {
    // A key is written once in a batch, with its last value: nothing orders two writes of one batch.
    let mut pending = PendingChanges::new();
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        let outcome = match &request.write {
            RecordWrite::Put(changes) => put(records, &mut pending, changes),
            RecordWrite::Expire(keys, now) => expire(records, &mut pending, keys, *now),
        };
        // A damaged record refuses its own request alone.
        outcomes.push(outcome.map_err(|error| refuse_read(health, &error)));
    }
    (outcomes, pending)
}

/// Adds `changes` to the pending ones, if their preconditions hold.
fn put<'a>(
    records: &Snapshot<'_>,
    pending: &mut PendingChanges<'a>,
    changes: &'a [RecordChange],
) -> Result<PutOutcome, TableError> {
    if !preconditions_hold(records, pending, changes)? {
        return Ok(PutOutcome::Conflict);
    }
    for change in changes {
        let mut bytes = change.expires_at.get().to_le_bytes().to_vec();
        bytes.extend_from_slice(&change.value.0);
        pending.insert(change.key.as_str().as_bytes(), Some(bytes));
    }
    Ok(PutOutcome::Stored)
}

/// Removes those of `keys` that are still expired.
fn expire<'a>(
    records: &Snapshot<'_>,
    pending: &mut PendingChanges<'a>,
    keys: &'a [Vec<u8>],
    now: UnixMillis,
) -> Result<PutOutcome, TableError> {
    for key in keys {
        if !pending.contains_key(&**key) && records.get(key)?.is_some_and(|stored| is_expired(&stored, now)) {
            pending.insert(key, None);
        }
    }
    Ok(PutOutcome::Stored)
}

/// The reply to a request whose record cannot be read.
fn refuse_read(health: &Health, error: &(dyn std::error::Error + 'static)) -> Unavailable {
    health.report_damage(error);
    Unavailable::Damaged
}

/// New values by key; `None` removes the record.
type PendingChanges<'a> = HashMap<&'a [u8], Option<Vec<u8>>>;

/// Whether the preconditions of all changes hold (compare-and-set), after the earlier requests of the batch.
fn preconditions_hold(
    records: &Snapshot<'_>,
    pending: &PendingChanges<'_>,
    changes: &[RecordChange],
) -> Result<bool, TableError> {
    for RecordChange { key, precondition, .. } in changes {
        let key = key.as_str().as_bytes();
        let holds = match (precondition, pending.get(key)) {
            (Precondition::Any, _) => true,
            (_, Some(stored)) => {
                precondition.holds(stored.as_deref().and_then(decode_record).map(|(_, value)| value))
            }
            (_, None) => {
                let stored = records.get(key)?;
                precondition.holds(stored.as_deref().and_then(decode_record).map(|(_, value)| value))
            }
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_expired(stored: &[u8], now: UnixMillis) -> bool {
    decode_record(stored).is_none_or(|(expires_at, _)| expires_at < now)
}

/// The expiry and the bytes of a stored record.
fn decode_record(stored: &[u8]) -> Option<(UnixMillis, &[u8])> {
    let (expires_at, value) = stored.split_first_chunk()?;
    Some((UnixMillis::new(u64::from_le_bytes(*expires_at)), value))
}

#[derive(Debug, thiserror::Error)]
enum RecordReadError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("a record is damaged")]
    Corrupt,
}

/// The first keys after `after` of records that expired before `now`, at most `max`.
fn find_expired(
    records: &Snapshot<'_>,
    now: UnixMillis,
    after: &[u8],
    max: usize,
) -> Result<Vec<Vec<u8>>, TableError> {
    let mut keys = Vec::new();
    for row in records.scan_after(after)? {
        let (key, stored) = row?;
        if is_expired(&stored, now) {
            keys.push(key);
            if keys.len() == max {
                break;
            }
        }
    }
    Ok(keys)
}

impl Records for RecordStore {
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>> {
        Box::pin(async move {
            let stored = self.table.read(|records| records.get(key.as_str().as_bytes()));
            let Some(stored) = stored.map_err(|error: TableError| refuse_read(&self.health, &error))? else {
                return Ok(None);
            };
            let (_, value) = decode_record(&stored).ok_or(Unavailable::Damaged)?;
            Ok(Some(value.to_vec()))
        })
    }

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>> {
        Box::pin(self.submit(RecordWrite::Put(changes)))
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        Box::pin(async move {
            let (mut swept, mut after) = (0, Vec::new());
            loop {
                let keys = self.find_expired(now, std::mem::take(&mut after)).await?;
                swept += keys.len() as u64;
                for some in keys.chunks(BATCH_MAX) {
                    let _ = self.submit(RecordWrite::Expire(some.to_vec(), now)).await?;
                }
                match keys.into_iter().nth(SWEEP_KEYS_MAX - 1) {
                    Some(last) => after = last,
                    None => return Ok(swept),
                }
            }
        })
    }

    fn access(&self) -> RecordAccess {
        RecordAccess::Exclusive
    }
}

#[cfg(test)]
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::disk::RealDisk;
    use crate::settings::EmbeddedSettings;

    /// The bug: a sweep held the keys of all expired records, which grow with the bank. The fix: it goes in steps.
    #[test]
    fn sweep_holds_a_bounded_number_of_keys() {
        let folder = tempfile::tempdir().unwrap();
        let space = DiskSpace::new(Arc::new(RealDisk), folder.path(), &EmbeddedSettings::default());
        let health = Arc::new(Health::new(folder.path()));
        let store = RecordStore::open(folder.path(), Arc::new(space), health).unwrap();
        let expired = 2 * SWEEP_KEYS_MAX + 5;
        let change = |number: usize| RecordChange {
            key: RecordKey::new("session", &["wx1", &number.to_string()]),
            value: RecordValue(Vec::new()),
            expires_at: UnixMillis::new(if number < expired { 10 } else { 20 }),
            precondition: Precondition::Any,
        };
        let changes = (0..expired + 7).map(change).collect();
        assert_eq!(block_on(store.put(changes)), Ok(PutOutcome::Stored));
        for max in [1, 100, SWEEP_KEYS_MAX] {
            let found = store.table.read(|rows| find_expired(rows, UnixMillis::new(15), &[], max));
            assert_eq!(found.unwrap().len(), max);
        }
        assert_eq!(block_on(store.sweep(UnixMillis::new(15))), Ok(expired as u64));
        assert_eq!(block_on(store.sweep(UnixMillis::new(15))), Ok(0));
        assert_eq!(block_on(store.sweep(UnixMillis::new(25))), Ok(7));
    }
}

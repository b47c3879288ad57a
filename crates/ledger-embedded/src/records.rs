//! Records: tokens, sessions and the like, each change durable before it is answered.
//!
//! A thread gathers the changes that queued up and syncs once for all of them.

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

use crate::disk::space::DiskSpace;
use crate::error::OpenError;
use crate::kv::{RedbTable, Snapshot, TableError, TableOptions};

/// The most changes that wait: the callers of more wait themselves.
const QUEUE_MAX: usize = 4096;
const BATCH_MAX: usize = 1024;

const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// A keeper of records.
pub(crate) struct RecordStore {
    table: Arc<RedbTable>,
    space: Arc<DiskSpace>,
    queue: mpsc::Sender<RecordRequest>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What the keeper is asked. It alone writes, so that what it looks at stays as it is until it has written.
struct RecordRequest {
    write: RecordWrite,
    reply_to: oneshot::Sender<Result<PutOutcome, Unavailable>>,
}

enum RecordWrite {
    /// Keep these.
    Put(Vec<RecordChange>),
    /// Forget those of these that expired before a moment; one of them may have been put again since it was found.
    Expire(Vec<Vec<u8>>, UnixMillis),
}

impl RecordStore {
    pub(crate) fn open(folder: &Path, space: Arc<DiskSpace>) -> Result<Self, OpenError> {
        // There may be gigabytes of them; each is looked at when it is read.
        let label = TableOptions { folder: folder.to_owned(), cache_bytes: CACHE_BYTES, verify: false };
        let records = RedbTable::open(label, Arc::clone(&space))
            .map_err(|source| OpenError::Records { folder: folder.to_owned(), source: Box::new(source) })?;
        let records = Arc::new(records);
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let writer_table = Arc::clone(&records);
        let keeper = std::thread::Builder::new()
            .name("pactolus-records".into())
            .spawn(move || run_writer(&writer_table, requests))?;
        Ok(Self { table: records, space, queue, thread: Some(keeper) })
    }

    /// Visits every record, until all are visited or the visitor breaks off.
    pub(crate) fn for_each(
        &self,
        visit: &mut dyn FnMut(RecordChange) -> ControlFlow<()>,
    ) -> Result<(), Unavailable> {
        self.table
            .read(|records| {
                for row in records.scan_prefix(&[])? {
                    let (name, stored) = row?;
                    let (expires_at, value) = decode_record(&stored).ok_or(RecordReadError::Corrupt)?;
                    let name = String::from_utf8(name).map_err(|_| RecordReadError::Corrupt)?;
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
            .map_err(|error: RecordReadError| log_failure("reading", &error))
    }

    async fn submit(&self, write: RecordWrite) -> Result<PutOutcome, Unavailable> {
        if self.space.is_full() {
            return Err(Unavailable::DiskFull);
        }
        let (done, reply) = oneshot::channel();
        self.queue.send(RecordRequest { write, reply_to: done }).await.map_err(|_| Unavailable::Closed)?;
        reply.await.map_err(|_| Unavailable::Closed)?
    }
}

impl Drop for RecordStore {
    fn drop(&mut self) {
        // Without a sender the keeper comes to its end.
        self.queue = mpsc::channel(1).0;
        if let Some(keeper) = self.thread.take()
            && keeper.join().is_err()
        {
            tracing::error!("the keeper of records panicked");
        }
    }
}

/// Keeps what is asked for until nobody can ask any more.
fn run_writer(records: &RedbTable, mut queue: mpsc::Receiver<RecordRequest>) {
    let mut requests = Vec::with_capacity(BATCH_MAX);
    while queue.blocking_recv_many(&mut requests, BATCH_MAX) > 0 {
        let result = write_batch(records, &requests).map_err(|error| match error {
            TableError::DiskFull => Unavailable::DiskFull,
            error => log_failure("keeping", &error),
        });
        let puts = match result {
            Ok(puts) => puts.into_iter().map(Ok).collect(),
            Err(unavailable) => vec![Err(unavailable); requests.len()],
        };
        for (request, put) in requests.drain(..).zip(puts) {
            // Who asked may have gone.
            let _ = request.reply_to.send(put);
        }
    }
}

/// Does what `requests` ask in one batch, syncs once, and says what became of each.
fn write_batch(records: &RedbTable, requests: &[RecordRequest]) -> Result<Vec<PutOutcome>, TableError> {
    let (puts, last) = records.read(|records| decide(records, requests))?;
    if !last.is_empty() {
        records.write(last.iter().map(|(name, stored)| (*name, stored.as_deref())))?;
    }
    Ok(puts)
}

/// What becomes of each of `requests`, and the names that change, with what they hold then.
fn decide<'a>(
    records: &Snapshot<'_>,
    requests: &'a [RecordRequest],
) -> Result<(Vec<PutOutcome>, PendingChanges<'a>), TableError> {
    // A name is written once in a batch, as its last request leaves it: nothing orders two writes of one batch.
    let mut last = PendingChanges::new();
    let mut puts = Vec::with_capacity(requests.len());
    for request in requests {
        let mut put = PutOutcome::Stored;
        match &request.write {
            RecordWrite::Put(changes) => {
                if !expectations_hold(records, &last, changes)? {
                    put = PutOutcome::Conflict;
                }
                for change in changes.iter().filter(|_| put == PutOutcome::Stored) {
                    let mut bytes = change.expires_at.get().to_le_bytes().to_vec();
                    bytes.extend_from_slice(&change.value.0);
                    last.insert(change.key.as_str().as_bytes(), Some(bytes));
                }
            }
            RecordWrite::Expire(keys, now) => {
                for key in keys {
                    if !last.contains_key(&**key)
                        && records.get(key)?.is_some_and(|stored| is_expired(&stored, *now))
                    {
                        last.insert(key, None);
                    }
                }
            }
        }
        puts.push(put);
    }
    Ok((puts, last))
}

/// What names hold from now on; nothing if they are forgotten.
type PendingChanges<'a> = HashMap<&'a [u8], Option<Vec<u8>>>;

/// Whether every record is what its change says that it was, the requests before it included.
fn expectations_hold(
    records: &Snapshot<'_>,
    last: &PendingChanges<'_>,
    changes: &[RecordChange],
) -> Result<bool, TableError> {
    for RecordChange { key, precondition: former, .. } in changes {
        let name = key.as_str().as_bytes();
        let holds = match (former, last.get(name)) {
            (Precondition::Any, _) => true,
            (_, Some(stored)) => {
                former.holds(stored.as_deref().and_then(decode_record).map(|(_, value)| value))
            }
            (_, None) => {
                let stored = records.get(name)?;
                former.holds(stored.as_deref().and_then(decode_record).map(|(_, value)| value))
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

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
enum RecordReadError {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("one of them is damaged")]
    Corrupt,
}

fn log_failure(doing: &str, error: &(dyn std::error::Error + 'static)) -> Unavailable {
    tracing::error!(error, "{doing} records failed");
    Unavailable::Failed
}

/// The names of the records that expired before `now`.
fn find_expired(records: &Snapshot<'_>, now: UnixMillis) -> Result<Vec<Vec<u8>>, TableError> {
    let mut keys = Vec::new();
    for row in records.scan_prefix(&[])? {
        let (key, stored) = row?;
        if is_expired(&stored, now) {
            keys.push(key);
        }
    }
    Ok(keys)
}

impl Records for RecordStore {
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>> {
        Box::pin(async move {
            let stored = self.table.read(|records| records.get(key.as_str().as_bytes()));
            let Some(stored) = stored.map_err(|error| log_failure("reading", &error))? else {
                return Ok(None);
            };
            let (_, value) = decode_record(&stored).ok_or(Unavailable::Failed)?;
            Ok(Some(value.to_vec()))
        })
    }

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>> {
        Box::pin(self.submit(RecordWrite::Put(changes)))
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        Box::pin(async move {
            let records = Arc::clone(&self.table);
            let (done, found) = oneshot::channel();
            // Looking through millions of records takes a while, which a server's threads do not have.
            std::thread::Builder::new()
                .name("pactolus-sweep".into())
                .spawn(move || done.send(records.read(|records| find_expired(records, now))).is_ok())
                .map_err(|_| Unavailable::Busy)?;
            let found = found.await.map_err(|_| Unavailable::Failed)?;
            let keys = found.map_err(|error| log_failure("reading", &error))?;
            let swept = keys.len() as u64;
            for some in keys.chunks(BATCH_MAX) {
                let _ = self.submit(RecordWrite::Expire(some.to_vec(), now)).await?;
            }
            Ok(swept)
        })
    }

    fn access(&self) -> RecordAccess {
        RecordAccess::Exclusive
    }
}

//! Records on fjall: tokens, sessions and the like, each change durable before it is answered.
//!
//! A thread gathers the changes that queued up and syncs once for all of them.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use pactolus_ledger::{BoxFuture, RecordChange, RecordKey, Records, Unavailable};
use pactolus_nouns::UnixMillis;
use tokio::sync::{mpsc, oneshot};

use crate::open::OpenError;

/// The most changes that wait: the callers of more wait themselves.
const QUEUE_MAX: usize = 4096;
const BATCH_MAX: usize = 1024;

/// A keeper of records.
pub(crate) struct RecordStore {
    records: Keyspace,
    queue: mpsc::Sender<Put>,
    keeper: Option<std::thread::JoinHandle<()>>,
}

struct Put {
    changes: Vec<RecordChange>,
    done: oneshot::Sender<Result<(), Unavailable>>,
}

impl RecordStore {
    pub(crate) fn open(folder: &Path) -> Result<Self, OpenError> {
        let open = || {
            let database = Database::builder(folder).cache_size(16 * 1024 * 1024).worker_threads(1).open()?;
            let records = database.keyspace("records", KeyspaceCreateOptions::default)?;
            Ok((database, records))
        };
        let (database, records) =
            open().map_err(|source| OpenError::Records { folder: folder.to_owned(), source })?;
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let kept = records.clone();
        let keeper = std::thread::Builder::new()
            .name("pactolus-records".into())
            .spawn(move || keep(&database, &kept, requests))?;
        Ok(Self { records, queue, keeper: Some(keeper) })
    }
}

impl Drop for RecordStore {
    fn drop(&mut self) {
        // Without a sender the keeper comes to its end.
        self.queue = mpsc::channel(1).0;
        if let Some(keeper) = self.keeper.take()
            && keeper.join().is_err()
        {
            tracing::error!("the keeper of records panicked");
        }
    }
}

/// Keeps what is asked for until nobody can ask any more.
fn keep(database: &Database, records: &Keyspace, mut requests: mpsc::Receiver<Put>) {
    let mut puts = Vec::with_capacity(BATCH_MAX);
    while requests.blocking_recv_many(&mut puts, BATCH_MAX) > 0 {
        let kept = keep_batch(database, records, &puts).map_err(|error| {
            tracing::error!("keeping records failed: {error}");
            Unavailable::Failed
        });
        for put in puts.drain(..) {
            // Who asked may have gone.
            let _ = put.done.send(kept);
        }
    }
}

/// Writes `puts` in one batch and syncs once.
fn keep_batch(database: &Database, records: &Keyspace, puts: &[Put]) -> fjall::Result<()> {
    let mut batch = database.batch().durability(Some(PersistMode::SyncData));
    for change in puts.iter().flat_map(|put| &put.changes) {
        let mut bytes = change.expires_at.get().to_le_bytes().to_vec();
        bytes.extend_from_slice(&change.value.0);
        batch.insert(records, change.key.as_str(), bytes);
    }
    batch.commit()
}

/// The expiry and the bytes of a stored record.
fn read(stored: &[u8]) -> Option<(UnixMillis, &[u8])> {
    let (expires_at, value) = stored.split_first_chunk()?;
    Some((UnixMillis::new(u64::from_le_bytes(*expires_at)), value))
}

fn failed(error: &fjall::Error) -> Unavailable {
    tracing::error!("reading records failed: {error}");
    Unavailable::Failed
}

impl Records for RecordStore {
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>> {
        Box::pin(async move {
            let Some(stored) = self.records.get(key.as_str()).map_err(|error| failed(&error))? else {
                return Ok(None);
            };
            let (_, value) = read(&stored).ok_or(Unavailable::Failed)?;
            Ok(Some(value.to_vec()))
        })
    }

    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<(), Unavailable>> {
        Box::pin(async move {
            let (done, kept) = oneshot::channel();
            self.queue.send(Put { changes, done }).await.map_err(|_| Unavailable::Closed)?;
            kept.await.map_err(|_| Unavailable::Closed)?
        })
    }

    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>> {
        Box::pin(async move {
            let mut swept = 0;
            for guard in self.records.iter() {
                let (key, stored) = guard.into_inner().map_err(|error| failed(&error))?;
                if read(&stored).is_none_or(|(expires_at, _)| expires_at < now) {
                    self.records.remove(key).map_err(|error| failed(&error))?;
                    swept += 1;
                }
            }
            Ok(swept)
        })
    }
}

//! Records: tokens and sessions, read and changed in batches of queued requests.
//!
//! Every call that a player signs reads a login, and a cached login is soon stale. So reads are batched as orders
//! are, and one statement answers a batch. Changes are batched too, as compare-and-set: one transaction locks the
//! records, checks the preconditions, and writes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{PutOutcome, RecordChange, RecordKey, Unavailable};
use pactolus_types::UnixMillis;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio::try_join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::error::{DatabaseError, ErrorAction};
use crate::id::{PARTITIONS, record_partition};
use crate::rows::{RowReader, columns, to_bigint};
use crate::session::{Connector, PgSession, PreparedStatements, SharedSession};
use crate::url::PostgresUrl;

/// Queue capacity, of reads and of changes each; above it, back-pressure makes callers wait.
const QUEUE_MAX: usize = 8192;

/// Maximum requests per statement or transaction.
const BATCH_MAX: usize = 512;

/// Maximum attempts of changes that conflict with another node's.
const ATTEMPTS_MAX: u32 = 10;

/// Timeout of a transaction, retries included.
const PUT_TIMEOUT: Duration = Duration::from_secs(4);

/// Maximum expired records that one statement deletes, so that it holds their locks only briefly.
const SWEEP_BATCH: i64 = 1000;

type ReplySender<T> = oneshot::Sender<Result<T, Unavailable>>;

/// Batches reads and writes of a node's records.
pub(crate) struct RecordBatcher {
    gets: mpsc::Sender<(RecordKey, ReplySender<Option<Vec<u8>>>)>,
    puts: mpsc::Sender<(Vec<RecordChange>, ReplySender<PutOutcome>)>,
}

impl RecordBatcher {
    /// Number of connections.
    pub(crate) const CONNECTIONS: usize = 2;

    pub(crate) fn start(connector: &Connector, max_wait: Duration) -> Self {
        let (gets, get_queue) = mpsc::channel(QUEUE_MAX);
        let (puts, put_queue) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(run_gets(connector.clone(), max_wait, get_queue));
        tokio::spawn(run_puts(connector.clone(), put_queue));
        Self { gets, puts }
    }

    pub(crate) async fn get(&self, key: RecordKey) -> Result<Option<Vec<u8>>, Unavailable> {
        let (answer, result) = oneshot::channel();
        self.gets.send((key, answer)).await.map_err(|_| Unavailable::Closed)?;
        result.await.map_err(|_| Unavailable::Closed)?
    }

    pub(crate) async fn put(&self, changes: Vec<RecordChange>) -> Result<PutOutcome, Unavailable> {
        let (answer, result) = oneshot::channel();
        self.puts.send((changes, answer)).await.map_err(|_| Unavailable::Closed)?;
        result.await.map_err(|_| Unavailable::Closed)?
    }
}

/// Deletes records that expired before `now`, partition by partition. Several nodes may sweep at once; each record is
/// counted by the node that deletes it.
pub(crate) async fn sweep(url: &PostgresUrl, now: UnixMillis) -> Result<u64, DatabaseError> {
    let session = PgSession::open_long_running(url).await?;
    let sweep = session.client.prepare(SWEEP).await?;
    let (now, mut swept) = (to_bigint(now.get()), 0);
    for part in 0..PARTITIONS {
        loop {
            let deleted = session.client.execute(&sweep, &[&part, &now, &SWEEP_BATCH]).await?;
            swept += deleted;
            if to_bigint(deleted) < SWEEP_BATCH {
                break;
            }
        }
    }
    Ok(swept)
}

const SWEEP: &str = "\
    DELETE FROM pactolus.records WHERE part = $1 AND expires_ms < $2 AND name IN \
        (SELECT name FROM pactolus.records WHERE part = $1 AND expires_ms < $2 LIMIT $3)";

struct GetStatements(Statement);

impl PreparedStatements for GetStatements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self(client.prepare(GET).await?))
    }
}

const GET: &str = "\
    SELECT r.name, r.value FROM pactolus.records r \
    JOIN unnest($1::smallint[], $2::text[]) AS k (part, name) ON r.part = k.part AND r.name = k.name";

/// Serves reads, one statement for each batch of queued requests.
async fn run_gets(
    connector: Connector,
    max_wait: Duration,
    mut queue: mpsc::Receiver<(RecordKey, ReplySender<Option<Vec<u8>>>)>,
) {
    let shared = SharedSession::<GetStatements>::for_lookups(&connector);
    let mut requests = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut requests, BATCH_MAX).await > 0 {
        requests.retain(|(_, answer)| !answer.is_closed());
        let names: Vec<&str> = requests.iter().map(|(key, _)| key.as_str()).collect();
        let parts: Vec<i16> = requests.iter().map(|(key, _)| record_partition(key)).collect();
        let (parts, names) = (&parts, &names);
        let read = |session: Arc<PgSession<GetStatements>>| async move {
            Ok(session.client.query(&session.statements.0, &[parts, names]).await?)
        };
        match shared.with(read, max_wait).await {
            Ok(rows) => {
                let found: HashMap<&str, &[u8]> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
                for (key, answer) in requests.drain(..) {
                    // The caller may have timed out.
                    let _ = answer.send(Ok(found.get(key.as_str()).map(|value| value.to_vec())));
                }
            }
            Err(error) => {
                connector.failures.report("reading records failed", &error);
                for (_, answer) in requests.drain(..) {
                    let _ = answer.send(Err(error.unavailable()));
                }
            }
        }
    }
}

struct PutStatements {
    lock: Statement,
    insert: Statement,
    update: Statement,
}

impl PreparedStatements for PutStatements {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let (lock, insert, update) =
            try_join!(client.prepare(LOCK), client.prepare(INSERT), client.prepare(UPDATE))?;
        Ok(Self { lock, insert, update })
    }
}

const LOCK: &str = "\
    SELECT r.name, r.value FROM pactolus.records r \
    JOIN unnest($1::smallint[], $2::text[]) AS k (part, name) ON r.part = k.part AND r.name = k.name \
    ORDER BY r.part, r.name FOR UPDATE OF r";

const INSERT: &str = "\
    INSERT INTO pactolus.records (part, name, value, expires_ms) \
    SELECT * FROM unnest($1::smallint[], $2::text[], $3::bytea[], $4::bigint[])";

const UPDATE: &str = "\
    UPDATE pactolus.records r SET value = k.value, expires_ms = k.expires \
    FROM unnest($1::smallint[], $2::text[], $3::bytea[], $4::bigint[]) AS k (part, name, value, expires) \
    WHERE r.part = k.part AND r.name = k.name";

/// Serves changes, one transaction for each batch of queued requests.
async fn run_puts(
    connector: Connector,
    mut queue: mpsc::Receiver<(Vec<RecordChange>, ReplySender<PutOutcome>)>,
) {
    let shared = SharedSession::<PutStatements>::for_lookups(&connector);
    let mut requests = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut requests, BATCH_MAX).await > 0 {
        requests.retain(|(_, answer)| !answer.is_closed());
        let (changes, answers): (Vec<_>, Vec<_>) = requests.drain(..).unzip();
        let changes = &changes;
        let put =
            |session: Arc<PgSession<PutStatements>>| async move { put_with_retry(&session, changes).await };
        match shared.with(put, PUT_TIMEOUT).await {
            Ok(puts) => {
                for (answer, put) in answers.into_iter().zip(puts) {
                    let _ = answer.send(Ok(put));
                }
            }
            Err(error) => {
                connector.failures.report("changing records failed, or the outcome is unknown", &error);
                for answer in answers {
                    let _ = answer.send(Err(error.unavailable()));
                }
            }
        }
    }
}

/// Applies changes, with retries after conflicts with another node.
async fn put_with_retry(
    session: &PgSession<PutStatements>,
    requests: &[Vec<RecordChange>],
) -> Result<Vec<PutOutcome>, DatabaseError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let error = match put(session, requests).await {
            Ok(puts) => return Ok(puts),
            Err(error) => error,
        };
        // The caller drops the session, and its open transaction with it.
        if matches!(error.action(), ErrorAction::Reconnect | ErrorAction::Discard) {
            return Err(error);
        }
        timeout(PUT_TIMEOUT, session.client.batch_execute("ROLLBACK"))
            .await
            .map_err(|_| DatabaseError::Timeout)??;
        if error.action() != ErrorAction::Retry || attempts == ATTEMPTS_MAX {
            return Err(error);
        }
    }
}

columns! {
    Written<'a> {
        part: i16,
        name: &'a str,
        value: &'a [u8],
        expires: i64,
    }
}

/// Locks the records, checks each request's preconditions, and writes the requests that pass, in one transaction.
async fn put(
    session: &PgSession<PutStatements>,
    asked: &[Vec<RecordChange>],
) -> Result<Vec<PutOutcome>, DatabaseError> {
    let PgSession { client, statements, .. } = session;
    // Every node locks by partition and name, so there is no deadlock.
    let mut names: BTreeMap<(i16, &str), Option<&RecordChange>> = BTreeMap::new();
    for change in asked.iter().flatten() {
        names.insert((record_partition(&change.key), change.key.as_str()), None);
    }
    let (parts, keys): (Vec<i16>, Vec<&str>) = names.keys().copied().unzip();
    let by_name: [&(dyn ToSql + Sync); 2] = [&parts, &keys];
    let ((), rows) = try_join!(
        biased;
        client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
        client.query(&statements.lock, &by_name),
    )?;
    let mut stored: HashMap<&str, &[u8]> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut columns = RowReader::new(row);
        stored.insert(columns.read()?, columns.read()?);
    }

    let mut puts = Vec::with_capacity(asked.len());
    for changes in asked {
        let holds = changes.iter().all(|change| {
            let name = change.key.as_str();
            let drafted = names.get(&(record_partition(&change.key), name)).copied().flatten();
            let now = drafted.map(|change| &*change.value.0).or_else(|| stored.get(name).copied());
            change.precondition.holds(now)
        });
        if holds {
            names.extend(
                changes
                    .iter()
                    .map(|change| ((record_partition(&change.key), change.key.as_str()), Some(change))),
            );
        }
        puts.push(if holds { PutOutcome::Stored } else { PutOutcome::Conflict });
    }

    let (mut new, mut changed) = (Written::default(), Written::default());
    for ((part, name), change) in &names {
        if let Some(change) = change {
            let to = if stored.contains_key(name) { &mut changed } else { &mut new };
            to.push((*part, *name, &change.value.0, to_bigint(change.expires_at.get())));
        }
    }
    // A record that another node inserted meanwhile fails the insert, and with it the commit.
    let (new, changed) = (new.parameters(), changed.parameters());
    let (_, _, ()) = try_join!(
        biased;
        client.execute(&statements.insert, &new),
        client.execute(&statements.update, &changed),
        client.batch_execute("COMMIT"),
    )?;
    Ok(puts)
}

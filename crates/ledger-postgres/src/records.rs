//! Records: tokens, sessions and the like, read and changed by what queued up at once.
//!
//! A login is looked up for every call that a player signs, and what is held of it in memory is soon too old; so
//! reads gather as orders do, and one statement answers them all. Changes gather too, and each says what its record
//! was: a transaction locks the records, compares, and writes.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use pactolus_ledger::{PutOutcome, RecordChange, RecordKey, Unavailable};
use pactolus_types::UnixMillis;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio::try_join;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::error::{Remedy, Trouble};
use crate::id::{PARTITIONS, record_part};
use crate::rows::{Columns, big, columns};
use crate::session::{Prepared, Session, Shared};
use crate::url::PostgresUrl;

/// The most that wait, of reads and of changes; the callers of more wait themselves.
const QUEUE_MAX: usize = 8192;

/// The most of one statement or transaction.
const BATCH_MAX: usize = 512;

/// How often changes are tried that met another node's.
const TRIES: u32 = 10;

/// How long a transaction may take.
const WITHIN: Duration = Duration::from_secs(4);

/// How many expired records one statement forgets, so that it holds their locks for a moment only.
const SWEPT_AT_ONCE: i64 = 1000;

type Answer<T> = oneshot::Sender<Result<T, Unavailable>>;

/// The keeper of records of a node.
pub(crate) struct Keeper {
    gets: mpsc::Sender<(RecordKey, Answer<Option<Vec<u8>>>)>,
    puts: mpsc::Sender<(Vec<RecordChange>, Answer<PutOutcome>)>,
}

impl Keeper {
    pub(crate) fn start(url: &PostgresUrl, within: Duration) -> Self {
        let (gets, asked_gets) = mpsc::channel(QUEUE_MAX);
        let (puts, asked_puts) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(get_all(Shared::new(url.clone()), within, asked_gets));
        tokio::spawn(put_all(Shared::new(url.clone()), asked_puts));
        Self { gets, puts }
    }

    pub(crate) async fn get(&self, key: RecordKey) -> Result<Option<Vec<u8>>, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.gets.send((key, answer)).await.map_err(|_| Unavailable::Closed)?;
        answered.await.map_err(|_| Unavailable::Closed)?
    }

    pub(crate) async fn put(&self, changes: Vec<RecordChange>) -> Result<PutOutcome, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.puts.send((changes, answer)).await.map_err(|_| Unavailable::Closed)?;
        answered.await.map_err(|_| Unavailable::Closed)?
    }
}

/// Forgets what expired before `now`, partition by partition. Another node may do the same; a record that both mean
/// is counted by one.
pub(crate) async fn sweep(url: &PostgresUrl, now: UnixMillis) -> Result<u64, Trouble> {
    let session = Session::unhurried(url).await?;
    let sweep = session.client.prepare(SWEEP).await?;
    let (now, mut swept) = (big(now.get()), 0);
    for part in 0..PARTITIONS {
        loop {
            let some = session.client.execute(&sweep, &[&part, &now, &SWEPT_AT_ONCE]).await?;
            swept += some;
            if big(some) < SWEPT_AT_ONCE {
                break;
            }
        }
    }
    Ok(swept)
}

const SWEEP: &str = "\
    DELETE FROM pactolus.records WHERE part = $1 AND expires_ms < $2 AND name IN \
        (SELECT name FROM pactolus.records WHERE part = $1 AND expires_ms < $2 LIMIT $3)";

/// What the session of reads has prepared.
struct Gets(Statement);

impl Prepared for Gets {
    async fn prepare(client: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(Self(client.prepare(GET).await?))
    }
}

const GET: &str = "\
    SELECT r.name, r.value FROM pactolus.records r \
    JOIN unnest($1::smallint[], $2::text[]) AS k (part, name) ON r.part = k.part AND r.name = k.name";

/// Answers reads, as many as queued up with each statement.
async fn get_all(
    shared: Shared<Gets>,
    within: Duration,
    mut queue: mpsc::Receiver<(RecordKey, Answer<Option<Vec<u8>>>)>,
) {
    let mut asked = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut asked, BATCH_MAX).await > 0 {
        asked.retain(|(_, answer)| !answer.is_closed());
        let names: Vec<&str> = asked.iter().map(|(key, _)| key.as_str()).collect();
        let parts: Vec<i16> = asked.iter().map(|(key, _)| record_part(key)).collect();
        let read = async |session: &Session<Gets>| {
            Ok(session.client.query(&session.statements.0, &[&parts, &names]).await?)
        };
        match shared.with(read, within).await {
            Ok(rows) => {
                let found: HashMap<&str, &[u8]> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
                for (key, answer) in asked.drain(..) {
                    // Who asked may have gone.
                    let _ = answer.send(Ok(found.get(key.as_str()).map(|value| value.to_vec())));
                }
            }
            Err(trouble) => {
                trouble.log("reading records failed");
                for (_, answer) in asked.drain(..) {
                    let _ = answer.send(Err(trouble.unavailable()));
                }
            }
        }
    }
}

/// What the session of changes has prepared.
struct Puts {
    lock: Statement,
    insert: Statement,
    update: Statement,
}

impl Prepared for Puts {
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

/// Makes changes, as many as queued up in each transaction.
async fn put_all(shared: Shared<Puts>, mut queue: mpsc::Receiver<(Vec<RecordChange>, Answer<PutOutcome>)>) {
    let mut asked = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut asked, BATCH_MAX).await > 0 {
        asked.retain(|(_, answer)| !answer.is_closed());
        let (changes, answers): (Vec<_>, Vec<_>) = asked.drain(..).unzip();
        let put = async |session: &Session<Puts>| put_again_and_again(session, &changes).await;
        match shared.with(put, WITHIN).await {
            Ok(puts) => {
                for (answer, put) in answers.into_iter().zip(puts) {
                    let _ = answer.send(Ok(put));
                }
            }
            Err(trouble) => {
                trouble.log("changing records failed, or nobody knows");
                for answer in answers {
                    let _ = answer.send(Err(trouble.unavailable()));
                }
            }
        }
    }
}

/// Makes changes, again if another node was at the same records.
async fn put_again_and_again(
    session: &Session<Puts>,
    asked: &[Vec<RecordChange>],
) -> Result<Vec<PutOutcome>, Trouble> {
    let mut tries = 0;
    loop {
        tries += 1;
        let trouble = match put(session, asked).await {
            Ok(puts) => return Ok(puts),
            Err(trouble) => trouble,
        };
        if trouble.remedy() == Remedy::Reconnect {
            return Err(trouble);
        }
        timeout(WITHIN, session.client.batch_execute("ROLLBACK")).await.map_err(|_| Trouble::Late)??;
        if trouble.remedy() != Remedy::Again || tries == TRIES {
            return Err(trouble);
        }
    }
}

columns! {
    /// Records to write.
    Written<'a> {
        part: i16,
        name: &'a str,
        value: &'a [u8],
        expires: i64,
    }
}

/// Locks the records, compares each with what its change says, and writes what can be written, in one transaction.
async fn put(session: &Session<Puts>, asked: &[Vec<RecordChange>]) -> Result<Vec<PutOutcome>, Trouble> {
    let Session { client, statements, .. } = session;
    // By partition and name, as every node locks them: none waits for another that waits for it.
    let mut names: BTreeMap<(i16, &str), Option<&RecordChange>> = BTreeMap::new();
    for change in asked.iter().flatten() {
        names.insert((record_part(&change.key), change.key.as_str()), None);
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
        let mut columns = Columns::of(row);
        stored.insert(columns.take()?, columns.take()?);
    }

    let mut puts = Vec::with_capacity(asked.len());
    for changes in asked {
        let holds = changes.iter().all(|change| {
            let name = change.key.as_str();
            let drafted = names.get(&(record_part(&change.key), name)).copied().flatten();
            let now = drafted.map(|change| &*change.value.0).or_else(|| stored.get(name).copied());
            change.precondition.holds(now)
        });
        if holds {
            names.extend(
                changes.iter().map(|change| ((record_part(&change.key), change.key.as_str()), Some(change))),
            );
        }
        puts.push(if holds { PutOutcome::Stored } else { PutOutcome::Conflict });
    }

    let (mut new, mut changed) = (Written::default(), Written::default());
    for ((part, name), change) in &names {
        if let Some(change) = change {
            let to = if stored.contains_key(name) { &mut changed } else { &mut new };
            to.push((*part, *name, &change.value.0, big(change.expires_at.get())));
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

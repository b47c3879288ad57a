//! Sessions: connections that are set up for what they are used for, and the statements that they prepared.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use crate::error::DatabaseError;
use crate::url::PostgresUrl;

/// How long a connection may take, all hosts tried and all statements prepared.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

/// What every session begins with. A transaction whose node is gone is ended by the database, so that it holds no
/// lock for longer than the others wait.
///
/// What is answered is durable, so commits are synchronous, whatever the database's usual is; `remote_apply`, which
/// is stronger, is left alone. `statement_timeout` ends before a commit waits for a standby, so that no commit is
/// answered for having waited too long.
const SESSION_SETTINGS: &str = "\
    SET statement_timeout = '5s';
    SET lock_timeout = '3s';
    SET idle_in_transaction_session_timeout = '5s';
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// For sessions whose statements look up rows by keys in an array. A table may be a thousand times larger than it was
/// when a plan was made; by its index it is right at any size.
const KEY_LOOKUP_SETTINGS: &str = ";
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off";

/// For reading everything, which takes as long as it takes.
const LONG_RUNNING_SETTINGS: &str = ";
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0";

/// Statements that a session has prepared.
pub(crate) trait PreparedStatements: Sized + Send + Sync + 'static {
    /// Prepares them on `client`.
    fn prepare(client: &Client) -> impl Future<Output = Result<Self, tokio_postgres::Error>> + Send;
}

/// A connection and its statements.
pub(crate) struct PgSession<S = ()> {
    pub(crate) client: Client,
    pub(crate) statements: S,
    driver: JoinHandle<()>,
}

impl<S> Drop for PgSession<S> {
    fn drop(&mut self) {
        // The socket closes at once, so that nothing that was sent and not read is waited for.
        self.driver.abort();
    }
}

impl PreparedStatements for () {
    async fn prepare(_: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(())
    }
}

impl<S: PreparedStatements> PgSession<S> {
    /// A session for statements that look up rows by keys.
    pub(crate) async fn open(url: &PostgresUrl) -> Result<Self, DatabaseError> {
        connect(url, KEY_LOOKUP_SETTINGS).await
    }

    /// Whether the connection is known to be lost.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl PgSession {
    /// A session that may take its time.
    pub(crate) async fn open_long_running(url: &PostgresUrl) -> Result<Self, DatabaseError> {
        connect(url, LONG_RUNNING_SETTINGS).await
    }
}

async fn connect<S: PreparedStatements>(
    url: &PostgresUrl,
    extra_settings: &str,
) -> Result<PgSession<S>, DatabaseError> {
    let opened = async {
        let (client, connection) = url.config().connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer on it is told the same.
            let _ = connection.await;
        });
        let driver = AbortOnDrop(Some(driver));
        client.batch_execute(&format!("{SESSION_SETTINGS}{extra_settings}")).await?;
        let statements = S::prepare(&client).await?;
        Ok(PgSession { client, statements, driver: driver.disarm() })
    };
    timeout(OPEN_TIMEOUT, opened).await.unwrap_or(Err(DatabaseError::Timeout))
}

/// A driver that ends with this, unless it is kept.
struct AbortOnDrop(Option<JoinHandle<()>>);

impl AbortOnDrop {
    fn disarm(mut self) -> JoinHandle<()> {
        self.0.take().expect("it is kept once")
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

/// A session that many use at once, each statement sent after the other without waiting for its answer.
pub(crate) struct SharedSession<S> {
    url: PostgresUrl,
    /// Held while a session is opened, so that one caller opens it and the others wait for that; each of them gives
    /// up by its own deadline. No other lock is taken under it.
    current: Mutex<Option<Arc<PgSession<S>>>>,
}

impl<S: PreparedStatements> SharedSession<S> {
    pub(crate) fn new(url: PostgresUrl) -> Self {
        Self { url, current: Mutex::new(None) }
    }

    /// Does `work` on the session, which is opened where there is none.
    pub(crate) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&PgSession<S>) -> Result<T, DatabaseError>,
        max_wait: Duration,
    ) -> Result<T, DatabaseError> {
        let mut used = None;
        let result = async {
            let session = self.session().await?;
            used = Some(Arc::clone(&session));
            work(&session).await
        };
        let done = timeout(max_wait, result).await.unwrap_or(Err(DatabaseError::Timeout));
        if matches!(done, Err(DatabaseError::Timeout))
            && let Some(session) = used
        {
            self.discard(&session).await;
        }
        done
    }

    async fn session(&self) -> Result<Arc<PgSession<S>>, DatabaseError> {
        let mut current = self.current.lock().await;
        if let Some(session) = current.as_ref().filter(|session| !session.is_closed()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(PgSession::open(&self.url).await?);
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Uses a session no more on which somebody waited in vain.
    async fn discard(&self, session: &Arc<PgSession<S>>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            *current = None;
        }
    }
}

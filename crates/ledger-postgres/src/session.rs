//! Sessions: connections with their settings and prepared statements.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use crate::error::DatabaseError;
use crate::url::PostgresUrl;

/// Timeout of opening a session: all hosts tried, all statements prepared.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

/// Settings of every session. The database ends the transaction of a dead node after 5 seconds, so that its locks do
/// not block others for longer.
///
/// Answers must be durable, so commits are synchronous regardless of the database's default; the stronger
/// `remote_apply` is left in place. PostgreSQL disarms `statement_timeout` before a commit waits for a standby, so a
/// timeout never answers a commit that is still waiting.
const SESSION_SETTINGS: &str = "\
    SET statement_timeout = '5s';
    SET lock_timeout = '3s';
    SET idle_in_transaction_session_timeout = '5s';
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// For sessions whose statements look up rows by arrays of keys. A table may grow a thousandfold after a plan was
/// made; an index plan is right at any size.
const KEY_LOOKUP_SETTINGS: &str = ";
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off";

/// For full scans, migrations and sweeps: no time limit except `lock_timeout`.
const LONG_RUNNING_SETTINGS: &str = ";
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0";

/// Prepared statements of a session.
pub(crate) trait PreparedStatements: Sized + Send + Sync + 'static {
    fn prepare(client: &Client) -> impl Future<Output = Result<Self, tokio_postgres::Error>> + Send;
}

/// A connection and its prepared statements.
pub(crate) struct PgSession<S = ()> {
    pub(crate) client: Client,
    pub(crate) statements: S,
    driver: JoinHandle<()>,
}

impl<S> Drop for PgSession<S> {
    fn drop(&mut self) {
        // Aborting closes the socket at once, instead of waiting for replies in flight.
        self.driver.abort();
    }
}

impl PreparedStatements for () {
    async fn prepare(_: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(())
    }
}

impl<S: PreparedStatements> PgSession<S> {
    /// A session for lookups by key.
    pub(crate) async fn open(url: &PostgresUrl) -> Result<Self, DatabaseError> {
        connect(url, KEY_LOOKUP_SETTINGS).await
    }

    /// Whether the connection is known to be lost.
    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

impl PgSession {
    /// A session without a statement timeout.
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
            // Callers waiting on this connection get the same error from the client.
            let _ = connection.await;
        });
        let driver = AbortOnDrop(Some(driver));
        client.batch_execute(&format!("{SESSION_SETTINGS}{extra_settings}")).await?;
        let statements = S::prepare(&client).await?;
        Ok(PgSession { client, statements, driver: driver.disarm() })
    };
    timeout(OPEN_TIMEOUT, opened).await.unwrap_or(Err(DatabaseError::Timeout))
}

/// Guard: aborts the driver task on drop, unless disarmed.
struct AbortOnDrop(Option<JoinHandle<()>>);

impl AbortOnDrop {
    fn disarm(mut self) -> JoinHandle<()> {
        self.0.take().expect("it is disarmed once")
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

/// A session with concurrent users, whose statements are pipelined.
pub(crate) struct SharedSession<S> {
    url: PostgresUrl,
    /// Held while a session opens: one caller opens it, and the others wait for it, each with its own timeout. No
    /// other lock is taken while this one is held.
    current: Mutex<Option<Arc<PgSession<S>>>>,
}

impl<S: PreparedStatements> SharedSession<S> {
    pub(crate) fn new(url: PostgresUrl) -> Self {
        Self { url, current: Mutex::new(None) }
    }

    /// Runs `work` on the session, which is opened on demand. A timeout discards the session.
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

    /// Drops a session that timed out, unless another caller already replaced it.
    async fn discard(&self, session: &Arc<PgSession<S>>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            *current = None;
        }
    }
}

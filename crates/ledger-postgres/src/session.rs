//! Sessions: connections that are set up for what they are used for, and the statements that they prepared.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use crate::error::Trouble;
use crate::url::PostgresUrl;

/// How long a connection may take, all hosts tried and all statements prepared.
const OPENED_WITHIN: Duration = Duration::from_secs(2);

/// What every session begins with. A transaction whose node is gone is ended by the database, so that it holds no
/// lock for longer than the others wait.
///
/// What is answered is durable, so commits are synchronous, whatever the database's usual is; `remote_apply`, which
/// is stronger, is left alone. `statement_timeout` ends before a commit waits for a standby, so that no commit is
/// answered for having waited too long.
const SET_UP: &str = "\
    SET statement_timeout = '5s';
    SET lock_timeout = '3s';
    SET idle_in_transaction_session_timeout = '5s';
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// For sessions whose statements look up rows by keys in an array. A table may be a thousand times larger than it was
/// when a plan was made; by its index it is right at any size.
const BY_KEYS: &str = ";
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off";

/// For reading everything, which takes as long as it takes.
const UNHURRIED: &str = ";
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0";

/// Statements that a session has prepared.
pub(crate) trait Prepared: Sized + Send + Sync + 'static {
    /// Prepares them on `client`.
    fn prepare(client: &Client) -> impl Future<Output = Result<Self, tokio_postgres::Error>> + Send;
}

/// A connection and its statements.
pub(crate) struct Session<S = ()> {
    pub(crate) client: Client,
    pub(crate) statements: S,
    driver: JoinHandle<()>,
}

impl<S> Drop for Session<S> {
    fn drop(&mut self) {
        // The socket closes at once, so that nothing that was sent and not read is waited for.
        self.driver.abort();
    }
}

impl Prepared for () {
    async fn prepare(_: &Client) -> Result<Self, tokio_postgres::Error> {
        Ok(())
    }
}

impl<S: Prepared> Session<S> {
    /// A session for statements that look up rows by keys.
    pub(crate) async fn open(url: &PostgresUrl) -> Result<Self, Trouble> {
        connect(url, BY_KEYS).await
    }

    /// Whether the connection is known to be lost.
    pub(crate) fn is_lost(&self) -> bool {
        self.client.is_closed()
    }
}

impl Session {
    /// A session that may take its time.
    pub(crate) async fn unhurried(url: &PostgresUrl) -> Result<Self, Trouble> {
        connect(url, UNHURRIED).await
    }
}

async fn connect<S: Prepared>(url: &PostgresUrl, more: &str) -> Result<Session<S>, Trouble> {
    let opened = async {
        let (client, connection) = url.config().connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer on it is told the same.
            let _ = connection.await;
        });
        let driver = Aborted(Some(driver));
        client.batch_execute(&format!("{SET_UP}{more}")).await?;
        let statements = S::prepare(&client).await?;
        Ok(Session { client, statements, driver: driver.kept() })
    };
    timeout(OPENED_WITHIN, opened).await.unwrap_or(Err(Trouble::Late))
}

/// A driver that ends with this, unless it is kept.
struct Aborted(Option<JoinHandle<()>>);

impl Aborted {
    fn kept(mut self) -> JoinHandle<()> {
        self.0.take().expect("it is kept once")
    }
}

impl Drop for Aborted {
    fn drop(&mut self) {
        if let Some(driver) = &self.0 {
            driver.abort();
        }
    }
}

/// A session that many use at once, each statement sent after the other without waiting for its answer.
pub(crate) struct Shared<S> {
    url: PostgresUrl,
    /// Held while a session is opened, so that one caller opens it and the others wait for that; each of them gives
    /// up by its own deadline. No other lock is taken under it.
    current: Mutex<Option<Arc<Session<S>>>>,
}

impl<S: Prepared> Shared<S> {
    pub(crate) fn new(url: PostgresUrl) -> Self {
        Self { url, current: Mutex::new(None) }
    }

    /// Does `work` on the session, which is opened where there is none.
    pub(crate) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&Session<S>) -> Result<T, Trouble>,
        within: Duration,
    ) -> Result<T, Trouble> {
        let mut used = None;
        let done = async {
            let session = self.session().await?;
            used = Some(Arc::clone(&session));
            work(&session).await
        };
        let done = timeout(within, done).await.unwrap_or(Err(Trouble::Late));
        if matches!(done, Err(Trouble::Late))
            && let Some(session) = used
        {
            self.leave(&session).await;
        }
        done
    }

    async fn session(&self) -> Result<Arc<Session<S>>, Trouble> {
        let mut current = self.current.lock().await;
        if let Some(session) = current.as_ref().filter(|session| !session.is_lost()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(Session::open(&self.url).await?);
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Uses a session no more on which somebody waited in vain.
    async fn leave(&self, session: &Arc<Session<S>>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
            *current = None;
        }
    }
}

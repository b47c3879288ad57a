//! Sessions: connections with their settings and prepared statements.
//! Read next: `session/shared.rs`, a session with concurrent users.

mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, NoTls, Socket};

use crate::error::DatabaseError;
use crate::failure_log::FailureLog;
use crate::tls::TlsConnector;
use crate::url::PostgresUrl;

pub(crate) use shared::SharedSession;

/// Timeout of opening a session: all hosts tried, all statements prepared. That takes some twenty round trips on a
/// connection with TLS and a password. No caller waits for it longer than for its own call.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

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

/// Timeout of a statement or of totals. They may read many rows, and callers of single orders do not wait for them.
pub(crate) const REPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Added to [`KEY_LOOKUP_SETTINGS`] for [`REPORT_TIMEOUT`].
const REPORT_SETTINGS: &str = ";
    SET statement_timeout = '10s'";

/// For full scans, migrations and sweeps: no time limit except `lock_timeout`.
const LONG_RUNNING_SETTINGS: &str = ";
    SET statement_timeout = 0;
    SET idle_in_transaction_session_timeout = 0";

/// Prepared statements of a session.
pub(crate) trait PreparedStatements: Sized + Send + Sync + 'static {
    fn prepare(client: &Client) -> impl Future<Output = Result<Self, tokio_postgres::Error>> + Send;
}

/// Opens the sessions of a node.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) url: PostgresUrl,
    pub(crate) failures: Arc<FailureLog>,
}

impl Connector {
    /// A session for lookups by key.
    pub(crate) async fn open<S: PreparedStatements>(&self) -> Result<PgSession<S>, DatabaseError> {
        self.connect(KEY_LOOKUP_SETTINGS.to_owned()).await
    }

    /// A session for statements and totals.
    async fn open_for_reports<S: PreparedStatements>(&self) -> Result<PgSession<S>, DatabaseError> {
        self.connect(format!("{KEY_LOOKUP_SETTINGS}{REPORT_SETTINGS}")).await
    }

    async fn connect<S: PreparedStatements>(
        &self,
        extra_settings: String,
    ) -> Result<PgSession<S>, DatabaseError> {
        let session = connect(&self.url, &extra_settings).await?;
        self.failures.connected();
        Ok(session)
    }
}

/// A connection and its prepared statements.
pub(crate) struct PgSession<S = ()> {
    pub(crate) client: Client,
    pub(crate) statements: S,
    pub(crate) is_encrypted: bool,
    /// Set when its statements turn out unusable.
    is_discarded: AtomicBool,
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

impl<S> PgSession<S> {
    /// Whether neither the connection is known to be lost nor the session was discarded.
    pub(crate) fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.is_discarded.load(Ordering::Relaxed)
    }

    /// Lets no further call use the session.
    fn discard(&self) {
        self.is_discarded.store(true, Ordering::Relaxed);
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
        let (client, driver, is_encrypted) = match url.tls().client_config()? {
            None => {
                let (client, driver) = start(url, NoTls).await?;
                (client, driver, false)
            }
            Some(config) => {
                let connector = TlsConnector::new(config);
                let (client, driver) = start(url, connector.clone()).await?;
                (client, driver, connector.is_encrypted())
            }
        };
        client.batch_execute(&format!("{SESSION_SETTINGS}{extra_settings}")).await?;
        let statements = S::prepare(&client).await?;
        let is_discarded = AtomicBool::new(false);
        Ok(PgSession { client, statements, is_encrypted, is_discarded, driver: driver.disarm() })
    };
    timeout(OPEN_TIMEOUT, opened).await.unwrap_or(Err(DatabaseError::Timeout))
}

/// Connects, and starts the task that drives the connection.
async fn start<T>(url: &PostgresUrl, tls: T) -> Result<(Client, AbortOnDrop), DatabaseError>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = url.config().connect(tls).await?;
    let driver = tokio::spawn(async move {
        // Callers waiting on this connection get the same error from the client.
        let _ = connection.await;
    });
    Ok((client, AbortOnDrop(Some(driver))))
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

//! A session with concurrent users, whose statements are pipelined.
//!
//! It opens on demand, in a task of its own with a deadline of its own: a caller that stops waiting does not end it,
//! so a database that is far away is reached after a few calls. A session whose statements fail is dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::{Connector, PgSession, PreparedStatements};
use crate::error::{DatabaseError, ErrorAction};

pub(crate) struct SharedSession<S> {
    connector: Connector,
    purpose: SessionPurpose,
    /// Held while a session opens: one task opens it, and the callers wait for it, each with its own timeout. No
    /// other lock is taken while this one is held.
    current: Arc<Mutex<Option<Arc<PgSession<S>>>>>,
}

/// Use of a session, which decides its settings.
#[derive(Clone, Copy)]
enum SessionPurpose {
    Lookups,
    Reports,
}

impl<S: PreparedStatements> SharedSession<S> {
    /// A session for lookups by key.
    pub(crate) fn for_lookups(connector: &Connector) -> Self {
        Self { connector: connector.clone(), purpose: SessionPurpose::Lookups, current: Arc::default() }
    }

    /// A session for statements and totals.
    pub(crate) fn for_reports(connector: &Connector) -> Self {
        Self { connector: connector.clone(), purpose: SessionPurpose::Reports, current: Arc::default() }
    }

    /// Runs `work` on the session. Work that finds its statements unusable runs once more, on another session.
    pub(crate) async fn with<T, R>(
        &self,
        work: impl Fn(Arc<PgSession<S>>) -> R,
        max_wait: Duration,
    ) -> Result<T, DatabaseError>
    where
        R: Future<Output = Result<T, DatabaseError>>,
    {
        match self.attempt(&work, max_wait).await {
            Err(error) if error.action() == ErrorAction::Discard => self.attempt(&work, max_wait).await,
            done => done,
        }
    }

    async fn attempt<T, R>(
        &self,
        work: &impl Fn(Arc<PgSession<S>>) -> R,
        max_wait: Duration,
    ) -> Result<T, DatabaseError>
    where
        R: Future<Output = Result<T, DatabaseError>>,
    {
        // The work has its time for itself. Otherwise a session that opened late would seem slow and be dropped, and
        // the next one too.
        let session = timeout(max_wait, self.session()).await.unwrap_or(Err(DatabaseError::Timeout))?;
        let work = work(Arc::clone(&session));
        let done = timeout(max_wait, work).await.unwrap_or(Err(DatabaseError::Timeout));
        if let Err(error) = &done
            && matches!(error.action(), ErrorAction::Reconnect | ErrorAction::Discard)
        {
            session.discard();
        }
        done
    }

    async fn session(&self) -> Result<Arc<PgSession<S>>, DatabaseError> {
        let current = Arc::clone(&self.current).lock_owned().await;
        if let Some(session) = current.as_ref().filter(|session| session.is_usable()) {
            return Ok(Arc::clone(session));
        }
        let opening = tokio::spawn(open(self.connector.clone(), self.purpose, current));
        opening.await.unwrap_or(Err(DatabaseError::Timeout))
    }
}

async fn open<S: PreparedStatements>(
    connector: Connector,
    purpose: SessionPurpose,
    mut current: OwnedMutexGuard<Option<Arc<PgSession<S>>>>,
) -> Result<Arc<PgSession<S>>, DatabaseError> {
    *current = None;
    let session = Arc::new(match purpose {
        SessionPurpose::Lookups => connector.open().await?,
        SessionPurpose::Reports => connector.open_for_reports().await?,
    });
    *current = Some(Arc::clone(&session));
    Ok(session)
}

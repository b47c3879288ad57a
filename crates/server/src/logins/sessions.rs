//! Sessions: which key a player's login signs with, and until when.
//!
//! A player has one session at a time; a new login ends the one before.

use std::sync::Arc;

use pactolus_ledger::{RecordChange, RecordKey, Records, Unavailable};
use pactolus_nouns::{AppId, OpenId, UnixMillis};
use pactolus_protocol::{ErrorCode, Refusal, SessionKey};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};

use super::{from_record, to_record};

/// A player's login.
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) good_until: UnixMillis,
}

/// A session as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    session_key: String,
    good_until_ms: u64,
}

/// The sessions of all players.
pub(crate) struct Sessions {
    held: Cache<(AppId, OpenId), Arc<Session>>,
    records: Arc<dyn Records>,
}

impl Sessions {
    pub(crate) fn new(records: Arc<dyn Records>, held: usize) -> Self {
        Self { held: Cache::new(held), records }
    }

    /// Logs a player in, in place of any login before.
    pub(crate) async fn put(
        &self,
        appid: AppId,
        openid: OpenId,
        session: Session,
    ) -> Result<(), Unavailable> {
        let kept =
            Kept { session_key: session.key.expose().to_owned(), good_until_ms: session.good_until.get() };
        let change =
            RecordChange { key: key(appid, openid), value: to_record(&kept), expires_at: session.good_until };
        self.records.put(vec![change]).await?;
        self.held.insert((appid, openid), Arc::new(session));
        Ok(())
    }

    /// The player's session: 90010 if there is none, or if it is over.
    pub(crate) async fn get(
        &self,
        appid: AppId,
        openid: OpenId,
        now: UnixMillis,
    ) -> Result<Arc<Session>, Refusal> {
        let session = self.find(appid, openid).await.map_err(|_| ErrorCode::SystemError)?;
        let session =
            session.ok_or_else(|| Refusal::because(ErrorCode::NoSession, "the player is not logged in"))?;
        if now >= session.good_until {
            return Err(Refusal::because(ErrorCode::NoSession, "the player's login is over"));
        }
        Ok(session)
    }

    async fn find(&self, appid: AppId, openid: OpenId) -> Result<Option<Arc<Session>>, Unavailable> {
        // The guard keeps what is read here from taking the place of a login that is newer.
        let guard = match self.held.get_value_or_guard_async(&(appid, openid)).await {
            Ok(session) => return Ok(Some(session)),
            Err(guard) => guard,
        };
        let Some(bytes) = self.records.get(key(appid, openid)).await? else { return Ok(None) };
        let kept: Kept = from_record(&bytes).ok_or(Unavailable::Failed)?;
        let session = Arc::new(Session {
            key: SessionKey::new(&kept.session_key).map_err(|_| Unavailable::Failed)?,
            good_until: UnixMillis::new(kept.good_until_ms),
        });
        let _ = guard.insert(Arc::clone(&session));
        Ok(Some(session))
    }
}

fn key(appid: AppId, openid: OpenId) -> RecordKey {
    RecordKey::new("session", &[appid.as_str(), openid.as_str()])
}

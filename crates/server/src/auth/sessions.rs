//! Player sessions: the session key that a player's calls are signed with, and its validity.
//!
//! A player has one session at a time; a new login replaces it.

use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{Precondition, PutOutcome, RecordKey, Unavailable};
use pactolus_protocol::{ErrorCode, ErrorReply, SessionKey};
use pactolus_types::{AppId, OpenId, UnixMillis};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::ATTEMPTS_MAX;
use super::cache::ReadCache;
use super::locks::KeyedLocks;
use crate::metrics::lookups::LookupCounters;
use crate::seal::vault::{self, RecordKind, SealedChange, Vault};

pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) valid_from: UnixMillis,
    pub(crate) valid_until: UnixMillis,
}

#[derive(Serialize, Deserialize)]
struct StoredSession {
    session_key: Zeroizing<String>,
    good_from_ms: u64,
    good_until_ms: u64,
}

/// The replaced session, stored so that a rejection can say that a call was signed with its key.
#[derive(Serialize, Deserialize)]
struct StoredPreviousSession {
    session_key: Zeroizing<String>,
    replaced_at_ms: u64,
}

/// How long an ended session is remembered, so that a rejection can say when it ended.
const RETENTION: Duration = Duration::from_secs(24 * 3600);

/// The remembered sessions of a player. Only the current one is accepted.
#[derive(Default)]
pub(crate) struct SessionHistory {
    /// May have expired.
    pub(crate) current: Option<Arc<Session>>,
    pub(crate) previous: Option<PreviousSession>,
}

pub(crate) struct PreviousSession {
    pub(crate) key: SessionKey,
    pub(crate) replaced_at: UnixMillis,
}

pub(crate) struct Sessions {
    cache: ReadCache<(AppId, OpenId), Arc<Session>>,
    vault: Arc<Vault>,
    /// Per player, held while the session is replaced, its write included: of two concurrent logins, the same one is
    /// the last in the store and in the cache. On two nodes, the store's compare-and-set rejects one, which then
    /// reads the other's session and replaces it.
    locks: KeyedLocks,
}

impl Sessions {
    pub(crate) fn new(vault: Arc<Vault>, capacity: usize, lookups: LookupCounters) -> Self {
        let cache = ReadCache::new(capacity, vault.access(), lookups);
        Self { cache, vault, locks: KeyedLocks::new() }
    }

    pub(crate) fn lookups(&self) -> &LookupCounters {
        self.cache.lookups()
    }

    /// Stores a new session in place of the current one.
    pub(crate) async fn put(
        &self,
        appid: AppId,
        openid: OpenId,
        session: Session,
    ) -> Result<(), Unavailable> {
        let session = Arc::new(session);
        for _ in 0..ATTEMPTS_MAX {
            match self.put_with(appid, openid, &session, Vec::new()).await? {
                PutOutcome::Stored => return Ok(()),
                PutOutcome::Conflict => {}
            }
        }
        Err(Unavailable::Busy)
    }

    /// Stores a session and the `other` changes, all or none.
    pub(super) async fn put_with(
        &self,
        appid: AppId,
        openid: OpenId,
        session: &Arc<Session>,
        other: Vec<SealedChange>,
    ) -> Result<PutOutcome, Unavailable> {
        let stored = StoredSession {
            session_key: Zeroizing::new(session.key.expose().to_owned()),
            good_from_ms: session.valid_from.get(),
            good_until_ms: session.valid_until.get(),
        };
        let _replacing = self.locks.lock((appid, openid)).await;
        let current = self.vault.get(session_record_key(appid, openid)).await?;
        // An unreadable session is not archived: the new login repairs the record.
        let archived = current.as_ref().and_then(|former| decode(former).ok());
        let before = archived.filter(|before| !before.key.matches(session.key.expose()));
        let before = before.map(|before| self.archive_change(appid, openid, &before, session.valid_from));
        let expires_at = session.valid_until.saturating_add(RETENTION);
        let former = current.map_or(Precondition::Absent, vault::VaultRecord::expected);
        let change = self.vault.change(session_record_key(appid, openid), &stored, expires_at, former);
        let put = self.vault.put(other.into_iter().chain(before).chain([change]).collect()).await?;
        if put == PutOutcome::Stored {
            self.cache.insert((appid, openid), Arc::clone(session));
        }
        Ok(put)
    }

    /// The current session. 90010 without one or after its expiry.
    pub(crate) async fn get(
        &self,
        appid: AppId,
        openid: OpenId,
        now: UnixMillis,
    ) -> Result<Arc<Session>, ErrorReply> {
        let session = self.find(appid, openid).await.map_err(|_| ErrorCode::SystemError)?;
        let session = session
            .ok_or_else(|| ErrorReply::with_detail(ErrorCode::NoSession, "the player is not logged in"))?;
        if now >= session.valid_until {
            return Err(ErrorReply::with_detail(ErrorCode::NoSession, "the player's session has expired"));
        }
        Ok(session)
    }

    /// The current and the previous session, as far as they are remembered.
    pub(crate) async fn history(&self, appid: AppId, openid: OpenId) -> Result<SessionHistory, Unavailable> {
        let current = self.find(appid, openid).await?;
        let stored = self.vault.get(previous_session_key(appid, openid)).await?;
        let previous = stored.and_then(|kept| {
            let kept: StoredPreviousSession = kept.value()?;
            let key = SessionKey::new(&kept.session_key).ok()?;
            Some(PreviousSession { key, replaced_at: UnixMillis::new(kept.replaced_at_ms) })
        });
        Ok(SessionHistory { current, previous })
    }

    async fn find(&self, appid: AppId, openid: OpenId) -> Result<Option<Arc<Session>>, Unavailable> {
        match self.cache.get(&(appid, openid)) {
            Some(session) => Ok(Some(session)),
            // Boxed: few requests miss the cache, and every future would carry its size.
            None => Box::pin(self.load(appid, openid)).await,
        }
    }

    async fn load(&self, appid: AppId, openid: OpenId) -> Result<Option<Arc<Session>>, Unavailable> {
        let stored = async {
            let kept = self.vault.get(session_record_key(appid, openid)).await?;
            kept.as_ref().map(decode).transpose().map(|session| session.map(Arc::new))
        };
        self.cache.get_or_load(&(appid, openid), stored).await
    }

    /// The change that archives a session replaced at `now`.
    fn archive_change(
        &self,
        appid: AppId,
        openid: OpenId,
        before: &Session,
        now: UnixMillis,
    ) -> SealedChange {
        let session_key = Zeroizing::new(before.key.expose().to_owned());
        let stored = StoredPreviousSession { session_key, replaced_at_ms: now.get() };
        self.vault.change(
            previous_session_key(appid, openid),
            &stored,
            now.saturating_add(RETENTION),
            Precondition::Any,
        )
    }
}

fn decode(stored: &vault::VaultRecord) -> Result<Session, Unavailable> {
    let kept: StoredSession = stored.value().ok_or(Unavailable::Failed)?;
    Ok(Session {
        key: SessionKey::new(&kept.session_key).map_err(|_| Unavailable::Failed)?,
        valid_from: UnixMillis::new(kept.good_from_ms),
        valid_until: UnixMillis::new(kept.good_until_ms),
    })
}

fn previous_session_key(appid: AppId, openid: OpenId) -> RecordKey {
    RecordKind::PreviousSession.key(&[appid.as_str(), openid.as_str()])
}

fn session_record_key(appid: AppId, openid: OpenId) -> RecordKey {
    RecordKind::Session.key(&[appid.as_str(), openid.as_str()])
}

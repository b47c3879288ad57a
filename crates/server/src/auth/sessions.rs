//! Sessions: which key a player's login signs with, and until when.
//!
//! A player has one session at a time; a new login ends the one before.

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
use crate::seal::vault::{self, RecordKind, SealedChange, Vault};

/// A player's login.
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) valid_from: UnixMillis,
    pub(crate) valid_until: UnixMillis,
}

/// A session as it is kept.
#[derive(Serialize, Deserialize)]
struct StoredSession {
    session_key: Zeroizing<String>,
    good_from_ms: u64,
    good_until_ms: u64,
}

/// The login before the one in place, as it is kept: to tell whoever still signs with its key.
#[derive(Serialize, Deserialize)]
struct StoredPreviousSession {
    session_key: Zeroizing<String>,
    replaced_at_ms: u64,
}

/// How long a login that is over is remembered, so that whoever asks is told that it ended.
const RETENTION: Duration = Duration::from_secs(24 * 3600);

/// The logins of a player that are remembered. Only the one in place is worth anything.
#[derive(Default)]
pub(crate) struct SessionHistory {
    /// The one in place; it may be over.
    pub(crate) current: Option<Arc<Session>>,
    /// The one that it replaced.
    pub(crate) previous: Option<PreviousSession>,
}

/// A login that a newer one replaced.
pub(crate) struct PreviousSession {
    pub(crate) key: SessionKey,
    pub(crate) replaced_at: UnixMillis,
}

/// The sessions of all players.
pub(crate) struct Sessions {
    cache: ReadCache<(AppId, OpenId), Arc<Session>>,
    vault: Arc<Vault>,
    /// A player's is held while a login is replaced, its write included, so that of two at once the same one is the
    /// last in the store and in memory. Of two on two nodes, the store tells one that it came too late, and the login
    /// that it then reads is the one that it replaces.
    locks: KeyedLocks,
}

impl Sessions {
    pub(crate) fn new(vault: Arc<Vault>, capacity: usize) -> Self {
        let held = ReadCache::new(capacity, vault.sharing());
        Self { cache: held, vault, locks: KeyedLocks::new() }
    }

    /// Logs a player in, in place of any login before.
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

    /// Logs a player in and makes the `other` changes, or none of it.
    pub(super) async fn put_with(
        &self,
        appid: AppId,
        openid: OpenId,
        session: &Arc<Session>,
        other: Vec<SealedChange>,
    ) -> Result<PutOutcome, Unavailable> {
        let kept = StoredSession {
            session_key: Zeroizing::new(session.key.expose().to_owned()),
            good_from_ms: session.valid_from.get(),
            good_until_ms: session.valid_until.get(),
        };
        let _replacing = self.locks.lock((appid, openid)).await;
        let former = self.vault.get(session_record_key(appid, openid)).await?;
        // One that cannot be read is not remembered: the new login mends it.
        let before = former.as_ref().and_then(|former| decode(former).ok());
        let before = before.filter(|before| !before.key.matches(session.key.expose()));
        let before = before.map(|before| self.archive_change(appid, openid, &before, session.valid_from));
        let expires_at = session.valid_until.saturating_add(RETENTION);
        let former = former.map_or(Precondition::Absent, vault::VaultRecord::expected);
        let change = self.vault.change(session_record_key(appid, openid), &kept, expires_at, former);
        let put = self.vault.put(other.into_iter().chain(before).chain([change]).collect()).await?;
        if put == PutOutcome::Stored {
            self.cache.insert((appid, openid), Arc::clone(session));
        }
        Ok(put)
    }

    /// The player's session: 90010 if there is none, or if it is over.
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
            return Err(ErrorReply::with_detail(ErrorCode::NoSession, "the player's login is over"));
        }
        Ok(session)
    }

    /// The player's login and the one before it, as far as they are remembered.
    pub(crate) async fn history(&self, appid: AppId, openid: OpenId) -> Result<SessionHistory, Unavailable> {
        let current = self.find(appid, openid).await?;
        let kept = self.vault.get(previous_session_key(appid, openid)).await?;
        let previous = kept.and_then(|kept| {
            let kept: StoredPreviousSession = kept.value()?;
            let key = SessionKey::new(&kept.session_key).ok()?;
            Some(PreviousSession { key, replaced_at: UnixMillis::new(kept.replaced_at_ms) })
        });
        Ok(SessionHistory { current, previous })
    }

    async fn find(&self, appid: AppId, openid: OpenId) -> Result<Option<Arc<Session>>, Unavailable> {
        match self.cache.get(&(appid, openid)) {
            Some(session) => Ok(Some(session)),
            // Boxed, because hardly any request needs it, and all would carry its room.
            None => Box::pin(self.load(appid, openid)).await,
        }
    }

    async fn load(&self, appid: AppId, openid: OpenId) -> Result<Option<Arc<Session>>, Unavailable> {
        let kept = async {
            let kept = self.vault.get(session_record_key(appid, openid)).await?;
            kept.as_ref().map(decode).transpose().map(|session| session.map(Arc::new))
        };
        self.cache.get_or_load(&(appid, openid), kept).await
    }

    /// The change that keeps a login which another replaces at `now`.
    fn archive_change(
        &self,
        appid: AppId,
        openid: OpenId,
        before: &Session,
        now: UnixMillis,
    ) -> SealedChange {
        let session_key = Zeroizing::new(before.key.expose().to_owned());
        let kept = StoredPreviousSession { session_key, replaced_at_ms: now.get() };
        self.vault.change(
            previous_session_key(appid, openid),
            &kept,
            now.saturating_add(RETENTION),
            Precondition::Any,
        )
    }
}

/// The session in a record.
fn decode(kept: &vault::VaultRecord) -> Result<Session, Unavailable> {
    let kept: StoredSession = kept.value().ok_or(Unavailable::Failed)?;
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

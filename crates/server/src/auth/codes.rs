//! One-time login codes that the operator issues: each logs its player in once.
//!
//! The store holds only the digest of a code, so it cannot log a player in. A code is remembered for a day after its
//! expiry, so that a second use gets an errcode of its own.

use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{Precondition, PutOutcome, RecordKey, Unavailable};
use pactolus_protocol::LoginCode;
use pactolus_protocol::login::CODE_LIFETIME;
use pactolus_types::{AppId, OpenId, UnixMillis};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::locks::KeyedLocks;
use super::sessions::{Session, Sessions};
use super::{ATTEMPTS_MAX, digest, to_hex};
use crate::random::Randomness;
use crate::seal::vault::{RecordKind, SealedChange, Vault};

/// How long an expired code is remembered.
const RETENTION: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct LoginCodes {
    vault: Arc<Vault>,
    random: Arc<dyn Randomness>,
    /// Per code, held while the code is redeemed, its write included: of two concurrent requests, one finds it used.
    /// On two nodes, the store's compare-and-set rejects one. Lock order: a code's lock, then a session's.
    locks: KeyedLocks,
}

#[derive(Serialize, Deserialize)]
struct StoredCode {
    openid: String,
    good_until_ms: u64,
    used: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginCodeError {
    Unavailable(Unavailable),
    /// Never issued, or forgotten.
    Unknown,
    Expired,
    AlreadyUsed,
}

impl From<Unavailable> for LoginCodeError {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl LoginCodes {
    pub(crate) fn new(vault: Arc<Vault>, random: Arc<dyn Randomness>) -> Self {
        Self { vault, random, locks: KeyedLocks::new() }
    }

    /// Issues a code that logs `openid` in once, within [`CODE_LIFETIME`].
    pub(crate) async fn issue(
        &self,
        appid: AppId,
        openid: OpenId,
        now: UnixMillis,
    ) -> Result<LoginCode, Unavailable> {
        let mut bytes = Zeroizing::new([0; 16]);
        self.random.fill(&mut *bytes);
        let code = LoginCode::new(&to_hex(&*bytes)).expect("hex digits make a code");
        let good_until_ms = now.saturating_add(CODE_LIFETIME).get();
        let stored = StoredCode { openid: openid.to_string(), good_until_ms, used: false };
        self.vault
            .put_unconditionally(self.change(code_key(appid, &code), &stored, Precondition::Any))
            .await?;
        Ok(code)
    }

    /// Logs in, with `session`, the player that `code` was issued for. Uses up the code in the same transaction.
    pub(crate) async fn redeem(
        &self,
        appid: AppId,
        code: &LoginCode,
        session: Session,
        sessions: &Sessions,
        now: UnixMillis,
    ) -> Result<OpenId, LoginCodeError> {
        let (key, session) = (code_key(appid, code), Arc::new(session));
        let _using = self.locks.lock(key.as_str()).await;
        for _ in 0..ATTEMPTS_MAX {
            let read = self.vault.get(key.clone()).await?.ok_or(LoginCodeError::Unknown)?;
            let mut stored: StoredCode = read.value().ok_or(Unavailable::Failed)?;
            let openid = OpenId::new(&stored.openid).map_err(|_| Unavailable::Failed)?;
            if stored.used {
                return Err(LoginCodeError::AlreadyUsed);
            }
            if now.get() >= stored.good_until_ms {
                return Err(LoginCodeError::Expired);
            }
            stored.used = true;
            let used = self.change(key.clone(), &stored, read.expected());
            match sessions.put_with(appid, openid, &session, vec![used]).await? {
                PutOutcome::Stored => return Ok(openid),
                PutOutcome::Conflict => {}
            }
        }
        Err(Unavailable::Busy.into())
    }

    fn change(&self, key: RecordKey, stored: &StoredCode, former: Precondition) -> SealedChange {
        let expires_at = UnixMillis::new(stored.good_until_ms).saturating_add(RETENTION);
        self.vault.change(key, stored, expires_at, former)
    }
}

fn code_key(appid: AppId, code: &LoginCode) -> RecordKey {
    RecordKind::LoginCode.key(&[appid.as_str(), &to_hex(&digest(code.expose()))])
}

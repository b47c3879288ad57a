//! Login codes that the operator gives out: each logs its player in once.
//!
//! A code is kept by its digest, so that the store cannot log anybody in. One that was used is remembered for a
//! day, so that whoever shows it again is told so.

use std::sync::Arc;
use std::time::Duration;

use pactolus_ledger::{Precondition, PutOutcome, RecordKey, Unavailable};
use pactolus_protocol::LoginCode;
use pactolus_protocol::login::CODE_LIFETIME;
use pactolus_types::{AppId, OpenId, UnixMillis};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::locks::Locks;
use super::sessions::{Session, Sessions};
use super::{TRIES, digest, hex};
use crate::random::Randomness;
use crate::seal::vault::{Change, Kind, Vault};

/// How long a code that is over is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// The codes of all apps.
pub(crate) struct Codes {
    vault: Arc<Vault>,
    random: Arc<dyn Randomness>,
    /// A code's is held while the code is used, its write included, so that of two at once one finds it used; where
    /// the two are on two nodes, the store tells one that it came too late. A session's lock is taken under it and
    /// never the other way round.
    using: Locks,
}

/// A code as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    openid: String,
    good_until_ms: u64,
    used: bool,
}

/// Why a code logs nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotUsed {
    /// The store cannot say.
    Unavailable(Unavailable),
    /// It was never given out, or so long ago that it is forgotten.
    Unknown,
    /// It waited too long.
    Over,
    /// It has logged its player in.
    UsedBefore,
}

impl From<Unavailable> for NotUsed {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl Codes {
    pub(crate) fn new(vault: Arc<Vault>, random: Arc<dyn Randomness>) -> Self {
        Self { vault, random, using: Locks::new() }
    }

    /// A new code that logs `openid` in, once, within [`CODE_LIFETIME`].
    pub(crate) async fn give_out(
        &self,
        appid: AppId,
        openid: OpenId,
        now: UnixMillis,
    ) -> Result<LoginCode, Unavailable> {
        let mut bytes = Zeroizing::new([0; 16]);
        self.random.fill(&mut *bytes);
        let code = LoginCode::new(&hex(&*bytes)).expect("hex digits make a code");
        let good_until_ms = now.saturating_add(CODE_LIFETIME).get();
        let kept = Kept { openid: openid.to_string(), good_until_ms, used: false };
        self.vault.put_anyway(self.change(key(appid, &code), &kept, Precondition::Any)).await?;
        Ok(code)
    }

    /// Logs in, with `session`, the player whom `code` was given out for; the code is used up with it or not at all.
    pub(crate) async fn log_in(
        &self,
        appid: AppId,
        code: &LoginCode,
        session: Session,
        sessions: &Sessions,
        now: UnixMillis,
    ) -> Result<OpenId, NotUsed> {
        let (key, session) = (key(appid, code), Arc::new(session));
        let _using = self.using.lock(key.as_str()).await;
        for _ in 0..TRIES {
            let read = self.vault.get(key.clone()).await?.ok_or(NotUsed::Unknown)?;
            let mut kept: Kept = read.value().ok_or(Unavailable::Failed)?;
            let openid = OpenId::new(&kept.openid).map_err(|_| Unavailable::Failed)?;
            if kept.used {
                return Err(NotUsed::UsedBefore);
            }
            if now.get() >= kept.good_until_ms {
                return Err(NotUsed::Over);
            }
            kept.used = true;
            let used = self.change(key.clone(), &kept, read.former());
            match sessions.put_with(appid, openid, &session, vec![used]).await? {
                PutOutcome::Stored => return Ok(openid),
                PutOutcome::Conflict => {}
            }
        }
        Err(Unavailable::Busy.into())
    }

    fn change(&self, key: RecordKey, kept: &Kept, former: Precondition) -> Change {
        let expires_at = UnixMillis::new(kept.good_until_ms).saturating_add(REMEMBERED);
        self.vault.change(key, kept, expires_at, former)
    }
}

fn key(appid: AppId, code: &LoginCode) -> RecordKey {
    Kind::LoginCode.key(&[appid.as_str(), &hex(&digest(code.expose()))])
}

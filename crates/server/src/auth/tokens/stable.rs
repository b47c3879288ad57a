//! Stable tokens: the one token of an app that is told again for as long as it lives.
//!
//! It is told again, but kept nowhere: it is the HMAC, under the app's secret, of a random nonce, and only the nonce
//! is kept. Whoever reads the store without knowing the secret reads no token, and another secret makes another
//! token. Like any token it is looked up by its digest, in the file beside this one.
//!
//! The tokens of the other kind are of another chain, and neither ends the other.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pactolus_ledger::{Precondition, PutOutcome, RecordKey, Unavailable};
use pactolus_protocol::token::TOKEN_LIFETIME;
use pactolus_protocol::{AccessToken, RefreshMode, TokenReply};
use pactolus_types::{AppId, UnixMillis};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{REMEMBERED, Token, Tokens};
use crate::auth::{Digest, TRIES, digest, hex};
use crate::seal::vault::{self, Kind};
use crate::settings::AppSettings;

/// How often a day an app may have its token replaced before it is over, as the vendor has it. Days are UTC's.
pub(crate) const FORCED_A_DAY_MAX: u32 = 20;

/// How soon after that it may have it replaced again, as the vendor has it.
const FORCED_INTERVAL: Duration = Duration::from_secs(30);

const DAY_MS: u64 = 24 * 3600 * 1000;

/// The stable token of an app as it is kept, and how often it was replaced before it was over.
#[derive(Serialize, Deserialize)]
struct Kept {
    nonce: [u8; 32],
    /// The digest of the secret that it was made with.
    secret: Digest,
    good_until_ms: u64,
    forced: Forced,
}

/// How often the token was replaced before it was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Forced {
    last_ms: Option<u64>,
    /// How often on the day of the last time.
    times: u32,
}

/// Whether a token may be replaced before it is over.
#[derive(Debug, PartialEq, Eq)]
enum Again {
    /// It may, and this is the count from then on.
    Yes(Forced),
    /// It was only just replaced, and is told as it is.
    TooSoon,
    /// It was replaced too often today.
    TooOften,
}

impl Forced {
    fn again(self, now: UnixMillis) -> Again {
        let last = self.last_ms.map(UnixMillis::new);
        if last.is_some_and(|last| now.saturating_since(last) < FORCED_INTERVAL) {
            return Again::TooSoon;
        }
        let today = last.is_some_and(|last| last.get() / DAY_MS == now.get() / DAY_MS);
        match if today { self.times } else { 0 } {
            FORCED_A_DAY_MAX.. => Again::TooOften,
            times => Again::Yes(Self { last_ms: Some(now.get()), times: times + 1 }),
        }
    }
}

/// Why no token is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTold {
    /// The store cannot say.
    Unavailable(Unavailable),
    /// The app had its token replaced too often today.
    TooOften,
}

impl From<Unavailable> for NotTold {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl Tokens {
    /// The app's stable token, replaced first if it is over or that is asked for.
    pub(crate) async fn stable(
        &self,
        app: &AppSettings,
        refresh: RefreshMode,
        now: UnixMillis,
    ) -> Result<TokenReply, NotTold> {
        let secret = digest(app.app_secret.expose());
        let _replacing = self.replacing.lock().await;
        for _ in 0..TRIES {
            let read = self.vault.get(stable_key(app.appid)).await?;
            let kept: Option<Kept> = read.as_ref().and_then(vault::Kept::value);
            let mut forced = kept.as_ref().map(|kept| kept.forced).unwrap_or_default();
            let living = kept.filter(|kept| kept.secret == secret && now.get() < kept.good_until_ms);
            let replaces = match (refresh, forced.again(now)) {
                (RefreshMode::WhenExpired, _) | (RefreshMode::Force, Again::TooSoon) => false,
                (RefreshMode::Force, Again::TooOften) => return Err(NotTold::TooOften),
                (RefreshMode::Force, Again::Yes(counted)) => {
                    forced = counted;
                    true
                }
            };
            let told = match (living, replaces) {
                (Some(kept), false) => Some(kept),
                (living, _) => {
                    let new = self.new_stable(secret, forced, now);
                    let former = read.map_or(Precondition::Absent, vault::Kept::former);
                    let put = self.replace(app, living, &new, former, now).await?;
                    (put == PutOutcome::Stored).then_some(new)
                }
            };
            if let Some(told) = told {
                let expires_in = UnixMillis::new(told.good_until_ms).saturating_since(now);
                return Ok(TokenReply { access_token: told.token(app), expires_in });
            }
        }
        Err(Unavailable::Busy.into())
    }

    fn new_stable(&self, secret: Digest, forced: Forced, now: UnixMillis) -> Kept {
        let mut nonce = [0; 32];
        self.random.fill(&mut nonce);
        Kept { nonce, secret, good_until_ms: now.saturating_add(TOKEN_LIFETIME).get(), forced }
    }

    /// Puts a `new` stable token in the place of the `living` one, which it ends at once.
    async fn replace(
        &self,
        app: &AppSettings,
        living: Option<Kept>,
        new: &Kept,
        former: Precondition,
        now: UnixMillis,
    ) -> Result<PutOutcome, Unavailable> {
        let good_until = UnixMillis::new(new.good_until_ms);
        let good = |kept: &Kept, until: UnixMillis, replaced| {
            let token = Token {
                appid: app.appid.to_string(),
                secret: new.secret,
                good_until_ms: until.get(),
                replaced,
            };
            (digest(kept.token(app).expose()), token)
        };
        let ended = living.map(|kept| good(&kept, now, true));
        let tokens = ended.into_iter().chain([good(new, good_until, false)]).collect();
        // The count of today has to last as long as today.
        let expires_at = good_until.saturating_add(REMEMBERED);
        let naming = self.vault.change(stable_key(app.appid), new, expires_at, former);
        self.put(tokens, naming).await
    }
}

impl Kept {
    /// The token itself.
    fn token(&self, app: &AppSettings) -> AccessToken {
        let secret = app.app_secret.expose().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        mac.update(b"stable_token ");
        mac.update(&self.nonce);
        AccessToken::new(&hex(&mac.finalize().into_bytes())).expect("hex digits make a token")
    }
}

fn stable_key(appid: AppId) -> RecordKey {
    Kind::StableToken.key(&[appid.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_so_often_a_day_and_not_too_soon() {
        let noon = 19_000 * DAY_MS + DAY_MS / 2;
        let mut forced = Forced::default();
        for time in 0..FORCED_A_DAY_MAX {
            let now = UnixMillis::new(noon + u64::from(time) * 30_000);
            let Again::Yes(counted) = forced.again(now) else { panic!("refused the {time}th time") };
            assert_eq!(counted, Forced { last_ms: Some(now.get()), times: time + 1 });
            assert_eq!(counted.again(UnixMillis::new(now.get() + 29_999)), Again::TooSoon);
            forced = counted;
        }
        assert_eq!(forced.again(UnixMillis::new(noon + 19 * 30_000 + 29_999)), Again::TooSoon);
        assert_eq!(forced.again(UnixMillis::new(noon + 20 * 30_000)), Again::TooOften);
        assert_eq!(forced.again(UnixMillis::new(19_001 * DAY_MS - 1)), Again::TooOften);
        let tomorrow = 19_001 * DAY_MS;
        assert_eq!(
            forced.again(UnixMillis::new(tomorrow)),
            Again::Yes(Forced { last_ms: Some(tomorrow), times: 1 })
        );
    }
}

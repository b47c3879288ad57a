//! Stable tokens: one token per app, returned unchanged until it expires.
//!
//! The store holds no stable token, only a random nonce: the token is derived from the HMAC of the nonce under the
//! app's secret. A reader of the store without the secret learns no token, and a new secret makes a new token. Lookup
//! is by digest, as for any token, in `auth/tokens.rs`.
//!
//! A token of a build before the MAC is the HMAC itself, and stays the app's token until it expires. The record tells
//! the two apart by [`SecretDigests`]; an earlier build takes a record with a MAC for one of another secret, and makes
//! a token of its own.
//!
//! Stable and ordinary tokens are separate chains: neither replaces the other.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pactolus_ledger::{Precondition, PutOutcome, Unavailable};
use pactolus_protocol::token::TOKEN_LIFETIME;
use pactolus_protocol::{AccessToken, RefreshMode, TokenReply};
use pactolus_types::UnixMillis;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::mac::{NONCE_BYTES, TokenMac};
use super::{RETENTION, StoredToken, Tokens, stable_key};
use crate::auth::{ATTEMPTS_MAX, Digest, digest, to_hex};
use crate::seal::vault;
use crate::settings::AppSettings;

/// Forced refreshes per app and UTC day: the vendor's limit.
pub(crate) const FORCED_PER_DAY_MAX: u32 = 20;

/// Shortest time between two forced refreshes: the vendor's limit.
const FORCED_INTERVAL_MIN: Duration = Duration::from_secs(30);

const DAY_MS: u64 = 24 * 3600 * 1000;

/// The nonce of an app's stable token, and its count of forced refreshes.
#[derive(Serialize, Deserialize)]
struct StoredStableToken {
    nonce: [u8; 32],
    /// Digest of the app secret that the token is derived with, one of [`SecretDigests`].
    secret: Digest,
    good_until_ms: u64,
    forced: ForcedRefresh,
}

/// Digests of an app secret in the records of its stable token.
struct SecretDigests {
    /// Of a token without a MAC.
    untagged: Digest,
    /// Of a token with one.
    tagged: Digest,
}

impl SecretDigests {
    fn of(app: &AppSettings) -> Self {
        let secret = app.app_secret.expose();
        let tagged = Sha256::new().chain_update(b"with a MAC ").chain_update(secret).finalize();
        Self { untagged: digest(secret), tagged: tagged.into() }
    }

    fn contain(&self, secret: &Digest) -> bool {
        [&self.untagged, &self.tagged].contains(&secret)
    }
}

/// Replacements of a token before its expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ForcedRefresh {
    last_ms: Option<u64>,
    /// Count on the UTC day of `last_ms`.
    times: u32,
}

/// Whether a forced refresh replaces the token.
#[derive(Debug, PartialEq, Eq)]
enum RefreshDecision {
    /// Replace it; this is the new count.
    Allowed(ForcedRefresh),
    /// The last forced refresh is less than 30 s ago: the current token is returned.
    TooSoon,
    /// The forced refreshes of the day are used up.
    QuotaExceeded,
}

impl ForcedRefresh {
    fn decide(self, now: UnixMillis) -> RefreshDecision {
        let last = self.last_ms.map(UnixMillis::new);
        // A clock that was ahead dates a refresh in the future; that one must not hold up the next.
        let too_soon = |last| now >= last && now.saturating_since(last) < FORCED_INTERVAL_MIN;
        if last.is_some_and(too_soon) {
            return RefreshDecision::TooSoon;
        }
        let today = last.is_some_and(|last| last.get() / DAY_MS == now.get() / DAY_MS);
        match if today { self.times } else { 0 } {
            FORCED_PER_DAY_MAX.. => RefreshDecision::QuotaExceeded,
            times => RefreshDecision::Allowed(Self { last_ms: Some(now.get()), times: times + 1 }),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StableTokenError {
    Unavailable(Unavailable),
    QuotaExceeded,
}

impl From<Unavailable> for StableTokenError {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl Tokens {
    /// The app's stable token. Replaces it first if it has expired or `refresh` forces it.
    pub(crate) async fn stable_token(
        &self,
        app: &AppSettings,
        refresh: RefreshMode,
        now: UnixMillis,
    ) -> Result<TokenReply, StableTokenError> {
        let (secrets, mac) = (SecretDigests::of(app), self.mac(now).await?);
        let _replacing = self.rotation_lock.lock().await;
        for _ in 0..ATTEMPTS_MAX {
            let read = self.vault.get(stable_key(app.appid)).await?;
            let stored: Option<StoredStableToken> = read.as_ref().and_then(vault::VaultRecord::value);
            let mut forced = stored.as_ref().map(|stored| stored.forced).unwrap_or_default();
            let living =
                stored.filter(|kept| secrets.contain(&kept.secret) && now.get() < kept.good_until_ms);
            let replaces = match (refresh, forced.decide(now)) {
                (RefreshMode::WhenExpired, _) | (RefreshMode::Force, RefreshDecision::TooSoon) => false,
                (RefreshMode::Force, RefreshDecision::QuotaExceeded) => {
                    return Err(StableTokenError::QuotaExceeded);
                }
                (RefreshMode::Force, RefreshDecision::Allowed(counted)) => {
                    forced = counted;
                    true
                }
            };
            let issued = match (living, replaces) {
                (Some(kept), false) => Some(kept),
                (living, _) => {
                    let new = self.generate_stable(secrets.tagged, forced, now);
                    let former = read.map_or(Precondition::Absent, vault::VaultRecord::expected);
                    let put = self.replace_stable(app, mac, living, &new, former, now).await?;
                    (put == PutOutcome::Stored).then_some(new)
                }
            };
            if let Some(current) = issued {
                // A token that was made while the clock was ahead may live longer.
                let left = UnixMillis::new(current.good_until_ms).saturating_since(now);
                let expires_in = left.min(TOKEN_LIFETIME);
                return Ok(TokenReply { access_token: current.derive_token(app, mac), expires_in });
            }
        }
        Err(Unavailable::Busy.into())
    }

    fn generate_stable(&self, secret: Digest, forced: ForcedRefresh, now: UnixMillis) -> StoredStableToken {
        let mut nonce = [0; 32];
        self.random.fill(&mut nonce);
        StoredStableToken { nonce, secret, good_until_ms: now.saturating_add(TOKEN_LIFETIME).get(), forced }
    }

    /// Replaces the `living` stable token by the `new` one. The old one ends at once.
    async fn replace_stable(
        &self,
        app: &AppSettings,
        mac: &TokenMac,
        living: Option<StoredStableToken>,
        new: &StoredStableToken,
        former: Precondition,
        now: UnixMillis,
    ) -> Result<PutOutcome, Unavailable> {
        let good_until = UnixMillis::new(new.good_until_ms);
        let secret = digest(app.app_secret.expose());
        let entry = |kept: &StoredStableToken, until: UnixMillis, replaced| {
            let token =
                StoredToken { appid: app.appid.to_string(), secret, good_until_ms: until.get(), replaced };
            (digest(kept.derive_token(app, mac).expose()), token)
        };
        let ended = living.map(|kept| entry(&kept, now, true));
        let tokens = ended.into_iter().chain([entry(new, good_until, false)]).collect();
        // Outlives the day, because the record holds the day's count.
        let expires_at = good_until.saturating_add(RETENTION);
        let naming = self.vault.change(stable_key(app.appid), new, expires_at, former);
        self.put(tokens, naming).await
    }
}

impl StoredStableToken {
    fn derive_token(&self, app: &AppSettings, bank_mac: &TokenMac) -> AccessToken {
        let secret = app.app_secret.expose().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        mac.update(b"stable_token ");
        mac.update(&self.nonce);
        let derived: [u8; 32] = mac.finalize().into_bytes().into();
        if self.secret == SecretDigests::of(app).untagged {
            return AccessToken::new(&to_hex(&derived)).expect("hex digits make a token");
        }
        let (nonce, _) = derived.split_first_chunk::<NONCE_BYTES>().expect("a nonce is half of it");
        bank_mac.token(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_dated_in_the_future_holds_up_none() {
        let (now, ahead) = (UnixMillis::new(19_000 * DAY_MS), UnixMillis::new(19_400 * DAY_MS));
        let forced = ForcedRefresh { last_ms: Some(ahead.get()), times: FORCED_PER_DAY_MAX };
        let counted = ForcedRefresh { last_ms: Some(now.get()), times: 1 };
        assert_eq!(forced.decide(now), RefreshDecision::Allowed(counted));
        // On the same day the count goes on.
        let later = UnixMillis::new(now.get() + 1000);
        assert_eq!(
            ForcedRefresh { last_ms: Some(later.get()), ..forced }.decide(now),
            RefreshDecision::QuotaExceeded
        );
    }

    #[test]
    fn forced_refresh_is_limited_by_day_and_interval() {
        let noon = 19_000 * DAY_MS + DAY_MS / 2;
        let mut forced = ForcedRefresh::default();
        for time in 0..FORCED_PER_DAY_MAX {
            let now = UnixMillis::new(noon + u64::from(time) * 30_000);
            let RefreshDecision::Allowed(counted) = forced.decide(now) else {
                panic!("refused the {time}th time")
            };
            assert_eq!(counted, ForcedRefresh { last_ms: Some(now.get()), times: time + 1 });
            assert_eq!(counted.decide(UnixMillis::new(now.get() + 29_999)), RefreshDecision::TooSoon);
            forced = counted;
        }
        assert_eq!(forced.decide(UnixMillis::new(noon + 19 * 30_000 + 29_999)), RefreshDecision::TooSoon);
        assert_eq!(forced.decide(UnixMillis::new(noon + 20 * 30_000)), RefreshDecision::QuotaExceeded);
        assert_eq!(forced.decide(UnixMillis::new(19_001 * DAY_MS - 1)), RefreshDecision::QuotaExceeded);
        let tomorrow = 19_001 * DAY_MS;
        assert_eq!(
            forced.decide(UnixMillis::new(tomorrow)),
            RefreshDecision::Allowed(ForcedRefresh { last_ms: Some(tomorrow), times: 1 })
        );
    }
}

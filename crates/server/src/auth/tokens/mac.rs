//! MAC of access tokens: a forged token is refused from memory, without a read of the store.
//!
//! ```text
//! 16       the nonce
//! 16       the first half of HMAC-SHA256(bank's MAC key, label and nonce); token = both in hex
//! ```
//!
//! The key is one record of the store, so all nodes share it. The vault seals it like a session key: rotating the
//! master key leaves it unchanged. Invariant: the MAC authenticates no caller. It only proves that the bank made the
//! token; whether the token is valid is in its record.
//!
//! A token of a build before the MAC has random bytes in its place. It is looked up until [`TokenMac::untagged_until`],
//! and [`LookupBudget`] bounds the reads that strangers can cause until then.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pactolus_ledger::{Precondition, PutOutcome, RecordKey, Unavailable};
use pactolus_protocol::AccessToken;
use pactolus_protocol::token::TOKEN_LIFETIME;
use pactolus_types::{AppId, UnixMillis};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{RETENTION, Tokens, latest_key, stable_key};
use crate::auth::{ATTEMPTS_MAX, to_hex};
use crate::seal::vault::{self, RecordKind};

pub(super) const NONCE_BYTES: usize = 16;

/// Bytes of a token: nonce and MAC. Tokens of earlier builds have as many.
const TOKEN_BYTES: usize = 32;

/// The latest expiry that every engine can store.
const NO_EXPIRY: UnixMillis = UnixMillis::new(i64::MAX.unsigned_abs());

/// How long tokens without a MAC are looked up after the first start of a build that makes MACs: as long as a record
/// of one lives. It covers a rolling upgrade of one day.
const UNTAGGED_GRACE: Duration = TOKEN_LIFETIME.saturating_add(RETENTION);

/// Key of the MACs, and the end of the transition from tokens without one.
pub(super) struct TokenMac {
    key: Zeroizing<[u8; 32]>,
    untagged_until: UnixMillis,
}

/// The record of the key.
#[derive(Serialize, Deserialize)]
struct StoredTokenMac {
    mac_key: Zeroizing<[u8; 32]>,
    untagged_until_ms: u64,
}

/// Origin of a presented token, as far as memory can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenOrigin {
    /// The bank made it.
    Bank,
    /// It may be of an earlier build; only its record can tell.
    MaybeEarlierBuild,
    /// The bank did not make it.
    Forged,
}

impl TokenMac {
    /// The token of a nonce.
    pub(super) fn token(&self, nonce: &[u8; NONCE_BYTES]) -> AccessToken {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        bytes[..NONCE_BYTES].copy_from_slice(nonce);
        let tag = self.mac(nonce).finalize().into_bytes();
        bytes[NONCE_BYTES..].copy_from_slice(&tag[..TOKEN_BYTES - NONCE_BYTES]);
        AccessToken::new(&to_hex(&*bytes)).expect("hex digits make a token")
    }

    pub(super) fn origin(&self, token: &AccessToken, now: UnixMillis) -> TokenOrigin {
        let Some(bytes) = decode(token) else { return TokenOrigin::Forged };
        let (nonce, tag) = bytes.split_at(NONCE_BYTES);
        if self.mac(nonce).verify_truncated_left(tag).is_ok() {
            TokenOrigin::Bank
        } else if now < self.untagged_until {
            TokenOrigin::MaybeEarlierBuild
        } else {
            TokenOrigin::Forged
        }
    }

    fn mac(&self, nonce: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.key).expect("HMAC takes a key of any length");
        mac.update(b"access_token ");
        mac.update(nonce);
        mac
    }
}

/// The bytes of a token that some build may have made: 64 lowercase hex digits.
fn decode(token: &AccessToken) -> Option<Zeroizing<[u8; TOKEN_BYTES]>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = token.expose().as_bytes();
    if text.len() != 2 * TOKEN_BYTES {
        return None;
    }
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

impl Tokens {
    /// The key, read from the store once. The first node on a store creates it.
    pub(super) async fn mac(&self, now: UnixMillis) -> Result<&TokenMac, Unavailable> {
        match self.mac.get() {
            Some(mac) => Ok(mac),
            // Requests of the first moments may read it twice; none waits for another's read.
            None => Box::pin(self.load_mac(now)).await.map(|mac| self.mac.get_or_init(|| mac)),
        }
    }

    async fn load_mac(&self, now: UnixMillis) -> Result<TokenMac, Unavailable> {
        for _ in 0..ATTEMPTS_MAX {
            let read = self.vault.get(mac_key()).await?;
            let stored: Option<StoredTokenMac> = read.as_ref().and_then(vault::VaultRecord::value);
            if let Some(StoredTokenMac { mac_key, untagged_until_ms }) = stored {
                return Ok(TokenMac { key: mac_key, untagged_until: UnixMillis::new(untagged_until_ms) });
            }
            let new = self.generate_mac(read.is_some(), now).await?;
            let former = read.map_or(Precondition::Absent, vault::VaultRecord::expected);
            let change = self.vault.change(mac_key(), &new, NO_EXPIRY, former);
            if self.vault.put(vec![change]).await? == PutOutcome::Stored {
                let StoredTokenMac { mac_key, untagged_until_ms } = new;
                return Ok(TokenMac { key: mac_key, untagged_until: UnixMillis::new(untagged_until_ms) });
            }
        }
        Err(Unavailable::Busy)
    }

    /// A new key. The one before is lost if its record does not open, and tokens with its MACs are refused.
    async fn generate_mac(&self, is_lost: bool, now: UnixMillis) -> Result<StoredTokenMac, Unavailable> {
        if is_lost {
            tracing::warn!(
                "the key of the access tokens' MACs does not open and is replaced; apps need new tokens"
            );
        }
        let mut key = Zeroizing::new([0; 32]);
        self.random.fill(&mut *key);
        let has_untagged = !is_lost && self.has_issued_tokens().await?;
        let untagged_until = if has_untagged { now.saturating_add(UNTAGGED_GRACE) } else { now };
        Ok(StoredTokenMac { mac_key: key, untagged_until_ms: untagged_until.get() })
    }

    /// Whether an earlier build issued a token that may be alive: each one has its app's record beside it.
    async fn has_issued_tokens(&self) -> Result<bool, Unavailable> {
        let apps: Vec<AppId> = self.apps.load().secret_digests.keys().copied().collect();
        for key in apps.into_iter().flat_map(|app| [latest_key(app), stable_key(app)]) {
            if self.vault.get(key).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn mac_key() -> RecordKey {
    RecordKind::TokenMac.key(&[])
}

/// Bound on the look-ups of tokens that may be of an earlier build: [`LookupBudget::PER_SECOND`] of the bank's clock.
#[derive(Default)]
pub(super) struct LookupBudget {
    /// A second, and the look-ups in it. Held for a comparison only.
    spent: Mutex<(u64, u32)>,
}

impl LookupBudget {
    /// Back ends share one token per app, and a token that was found once needs no look-up from the budget.
    pub(super) const PER_SECOND: u32 = 100;

    /// Takes a look-up from the budget of this second; false if none is left.
    pub(super) fn take(&self, now: UnixMillis) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.0 != now.seconds() {
            *spent = (now.seconds(), 0);
        }
        let is_left = spent.1 < Self::PER_SECOND;
        spent.1 += u32::from(is_left);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: UnixMillis = UnixMillis::new(1000);

    fn mac(byte: u8) -> TokenMac {
        TokenMac { key: Zeroizing::new([byte; 32]), untagged_until: END }
    }

    #[test]
    fn token_has_the_form_of_earlier_builds() {
        let token = mac(1).token(&[0xab; NONCE_BYTES]);
        assert_eq!(token.expose().len(), 64);
        assert!(token.expose().starts_with("abababab"));
        assert_eq!(mac(1).origin(&token, END), TokenOrigin::Bank);
    }

    #[test]
    fn every_changed_digit_is_forged() {
        let genuine = mac(1).token(&[7; NONCE_BYTES]);
        for at in 0..64 {
            let mut text = genuine.expose().as_bytes().to_vec();
            text[at] = if text[at] == b'0' { b'1' } else { b'0' };
            let forged = AccessToken::new(std::str::from_utf8(&text).unwrap()).unwrap();
            assert_eq!(mac(1).origin(&forged, END), TokenOrigin::Forged, "digit {at}");
            let before = UnixMillis::new(END.get() - 1);
            assert_eq!(mac(1).origin(&forged, before), TokenOrigin::MaybeEarlierBuild, "digit {at}");
        }
        assert_eq!(mac(2).origin(&genuine, END), TokenOrigin::Forged, "another key");
    }

    #[test]
    fn other_forms_are_forged_at_once() {
        let genuine = mac(1).token(&[0xab; NONCE_BYTES]);
        let text = genuine.expose();
        let cases = [&text[..63], &format!("{text}0"), &text.to_uppercase(), "ACCESS_TOKEN", &"g".repeat(64)];
        for other in cases {
            let token = AccessToken::new(other).unwrap();
            assert_eq!(mac(1).origin(&token, UnixMillis::new(0)), TokenOrigin::Forged, "{other}");
        }
    }

    #[test]
    fn budget_is_per_second() {
        let budget = LookupBudget::default();
        for second in [5, 6, 4] {
            let now = UnixMillis::new(second * 1000);
            let taken = (0..1000).filter(|_| budget.take(now)).count();
            assert_eq!(taken, usize::try_from(LookupBudget::PER_SECOND).unwrap());
        }
    }
}

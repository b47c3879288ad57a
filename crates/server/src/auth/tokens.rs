//! Access tokens: the app that a token authenticates, and its validity.
//!
//! A token is looked up, stored and cached by its digest, so neither the store nor the timing of a lookup reveals a
//! valid token. Its MAC ([`mac`]) spares the look-up of a forged one. Stable tokens are in [`stable`].

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use pactolus_ledger::{Precondition, PutOutcome, RecordKey, Unavailable};
use pactolus_protocol::token::{TOKEN_LIFETIME, TOKEN_OVERLAP};
use pactolus_protocol::{AccessToken, ErrorCode, ErrorReply};
use pactolus_types::{AppId, UnixMillis};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

mod mac;
pub(crate) mod stable;
pub(crate) mod status;

use self::mac::{LookupBudget, NONCE_BYTES, TokenMac, TokenOrigin};
use super::cache::ReadCache;
use super::{ATTEMPTS_MAX, Digest, digest, to_hex};
use crate::apps::ServedApp;
use crate::metrics::lookups::{LookupCounters, LookupResult};
use crate::random::Randomness;
use crate::seal::vault::{self, RecordKind, SealedChange, Vault};

/// How long an expired token is remembered, so that its bearer gets 42001 and not 40001.
const RETENTION: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Tokens {
    apps: ArcSwap<TokenApps>,
    cache: ReadCache<Digest, StoredToken>,
    /// Empty until the first use.
    mac: OnceLock<TokenMac>,
    untagged_lookups: LookupBudget,
    vault: Arc<Vault>,
    random: Arc<dyn Randomness>,
    /// Held while a token is replaced, its write included: of two concurrent requests, one replaces the other's
    /// token. On two nodes, the store's compare-and-set rejects one. Only token requests wait for it, and they take
    /// no other lock.
    rotation_lock: Mutex<()>,
}

/// What the settings say of tokens.
struct TokenApps {
    /// They never expire.
    static_digests: HashMap<Digest, AppId>,
    /// Digests of the app secrets. A token issued under another secret is invalid.
    secret_digests: HashMap<AppId, Digest>,
}

impl TokenApps {
    fn new<'a>(apps: impl Iterator<Item = &'a Arc<ServedApp>> + Clone) -> Self {
        let fixed = |app: &'a Arc<ServedApp>| {
            app.static_access_tokens.iter().map(|token| (digest(token.expose()), app.appid))
        };
        Self {
            static_digests: apps.clone().flat_map(fixed).collect(),
            secret_digests: apps.map(|app| (app.appid, digest(app.app_secret.expose()))).collect(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredToken {
    appid: String,
    secret: Digest,
    good_until_ms: u64,
    /// Whether a newer token replaced it.
    replaced: bool,
}

/// Pointer to the newest token of an app.
#[derive(Serialize, Deserialize)]
struct LatestToken {
    digest: Digest,
}

impl Tokens {
    pub(crate) fn new<'a>(
        apps: impl Iterator<Item = &'a Arc<ServedApp>> + Clone,
        vault: Arc<Vault>,
        random: Arc<dyn Randomness>,
        capacity: usize,
        lookups: LookupCounters,
    ) -> Self {
        Self {
            apps: ArcSwap::from_pointee(TokenApps::new(apps)),
            cache: ReadCache::new(capacity, vault.access(), lookups),
            mac: OnceLock::new(),
            untagged_lookups: LookupBudget::default(),
            vault,
            random,
            rotation_lock: Mutex::new(()),
        }
    }

    /// The app that `token` authenticates. 40001 for an invalid token, 42001 for an expired one.
    pub(crate) async fn authenticate(
        &self,
        token: &AccessToken,
        now: UnixMillis,
    ) -> Result<AppId, ErrorReply> {
        let digest = digest(token.expose());
        if let Some(appid) = self.apps.load().static_digests.get(&digest) {
            self.lookups().count(LookupResult::Cached);
            return Ok(*appid);
        }
        let token = self.find_presented(token, digest, now).await.map_err(|_| ErrorCode::SystemError)?;
        let token = token.ok_or(ErrorCode::InvalidCredential)?;
        let appid = AppId::new(&token.appid).map_err(|_| ErrorCode::InvalidCredential)?;
        if self.apps.load().secret_digests.get(&appid) != Some(&token.secret) {
            return Err(ErrorCode::InvalidCredential.into());
        }
        match (now.get() < token.good_until_ms, token.replaced) {
            (true, _) => Ok(appid),
            (false, true) => Err(ErrorCode::InvalidCredential.into()),
            (false, false) => Err(ErrorCode::AccessTokenExpired.into()),
        }
    }

    /// Takes the apps of a reload: the tokens of an app that is gone, or has another secret, end.
    pub(crate) fn set_apps<'a>(&self, apps: impl Iterator<Item = &'a Arc<ServedApp>> + Clone) {
        self.apps.store(Arc::new(TokenApps::new(apps)));
    }

    pub(crate) fn lookups(&self) -> &LookupCounters {
        self.cache.lookups()
    }

    /// Issues a token for `appid`. The one before stays valid for [`TOKEN_OVERLAP`].
    pub(crate) async fn issue(&self, appid: AppId, now: UnixMillis) -> Result<AccessToken, Unavailable> {
        let secret = *self.apps.load().secret_digests.get(&appid).ok_or(Unavailable::Closed)?;
        let new = self.generate(now).await?;
        let new_digest = digest(new.expose());
        let good_until = now.saturating_add(TOKEN_LIFETIME);
        let appid_text = appid.to_string();
        let token =
            StoredToken { appid: appid_text, secret, good_until_ms: good_until.get(), replaced: false };

        let _replacing = self.rotation_lock.lock().await;
        for _ in 0..ATTEMPTS_MAX {
            let latest = self.vault.get(latest_key(appid)).await?;
            let mut tokens = vec![(new_digest, token.clone())];
            if let Some((digest, mut before)) = self.load_latest(latest.as_ref()).await? {
                before.good_until_ms = before.good_until_ms.min(now.saturating_add(TOKEN_OVERLAP).get());
                before.replaced = true;
                tokens.push((digest, before));
            }
            let former = latest.map_or(Precondition::Absent, vault::VaultRecord::expected);
            let latest = LatestToken { digest: new_digest };
            let replaces = self.vault.change(latest_key(appid), &latest, good_until, former);
            match self.put(tokens, replaces).await? {
                PutOutcome::Stored => return Ok(new),
                PutOutcome::Conflict => {}
            }
        }
        Err(Unavailable::Busy)
    }

    /// Stores tokens with the record that names the newest, and caches them.
    async fn put(
        &self,
        tokens: Vec<(Digest, StoredToken)>,
        naming: SealedChange,
    ) -> Result<PutOutcome, Unavailable> {
        let changes = tokens.iter().map(|(digest, token)| self.change(digest, token)).chain([naming]);
        let put = self.vault.put(changes.collect()).await?;
        if put == PutOutcome::Stored {
            for (digest, token) in tokens {
                self.cache.insert(digest, token);
            }
        }
        Ok(put)
    }

    /// The token that a record names as the newest.
    async fn load_latest(
        &self,
        latest: Option<&vault::VaultRecord>,
    ) -> Result<Option<(Digest, StoredToken)>, Unavailable> {
        let Some(LatestToken { digest }) = latest.and_then(vault::VaultRecord::value) else {
            return Ok(None);
        };
        Ok(self.find(digest).await?.map(|token| (digest, token)))
    }

    /// The record of a token that a caller presented. A forged token is not looked up.
    async fn find_presented(
        &self,
        token: &AccessToken,
        digest: Digest,
        now: UnixMillis,
    ) -> Result<Option<StoredToken>, Unavailable> {
        if let Some(token) = self.cache.get(&digest) {
            return Ok(Some(token));
        }
        match self.mac(now).await?.origin(token, now) {
            TokenOrigin::Forged => return Ok(None),
            TokenOrigin::MaybeEarlierBuild
                if !self.cache.was_cached(&digest) && !self.untagged_lookups.take(now) =>
            {
                return Err(Unavailable::Busy);
            }
            TokenOrigin::Bank | TokenOrigin::MaybeEarlierBuild => {}
        }
        // Boxed: few requests miss the cache, and every future would carry its size.
        Box::pin(self.load(digest)).await
    }

    async fn find(&self, digest: Digest) -> Result<Option<StoredToken>, Unavailable> {
        match self.cache.get(&digest) {
            Some(token) => Ok(Some(token)),
            // Boxed: few requests miss the cache, and every future would carry its size.
            None => Box::pin(self.load(digest)).await,
        }
    }

    async fn load(&self, digest: Digest) -> Result<Option<StoredToken>, Unavailable> {
        let stored = async {
            let kept = self.vault.get(token_key(&digest)).await?;
            Ok(kept.as_ref().and_then(vault::VaultRecord::value))
        };
        self.cache.get_or_load(&digest, stored).await
    }

    fn change(&self, digest: &Digest, token: &StoredToken) -> SealedChange {
        let expires_at = UnixMillis::new(token.good_until_ms).saturating_add(RETENTION);
        self.vault.change(token_key(digest), token, expires_at, Precondition::Any)
    }

    async fn generate(&self, now: UnixMillis) -> Result<AccessToken, Unavailable> {
        let mac = self.mac(now).await?;
        let mut nonce = Zeroizing::new([0; NONCE_BYTES]);
        self.random.fill(&mut *nonce);
        Ok(mac.token(&nonce))
    }
}

fn token_key(digest: &Digest) -> RecordKey {
    RecordKind::Token.key(&[&to_hex(digest)])
}

fn stable_key(appid: AppId) -> RecordKey {
    RecordKind::StableToken.key(&[appid.as_str()])
}

fn latest_key(appid: AppId) -> RecordKey {
    RecordKind::LatestToken.key(&[appid.as_str()])
}

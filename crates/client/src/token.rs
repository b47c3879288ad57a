//! Access token cache: one call fetches the token, all calls use it.
//!
//! The first call that finds the token close to expiry starts a task that refreshes it. The call waits for the task a
//! moment; it never fails because of it, and the task goes on if the call is cancelled. The others keep using the old
//! token meanwhile. If the token is missing, expired or rejected, calls queue on `refresh_lock`. The next holder takes
//! the token that the previous one fetched, or fetches one. `refresh_lock` is the only lock of this crate that is held
//! across an await: the awaited request has a timeout and takes no lock, so there is no deadlock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use pactolus_protocol::reply::ReplyOutcome;
use pactolus_protocol::token::{STABLE_TOKEN_PATH, TOKEN_PATH};
use pactolus_protocol::{AccessToken, Credentials, GrantType, RefreshMode, StableTokenRequest, TokenReply};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use crate::error::TokenError;
use crate::http::{HttpClient, TransportError};

/// The source of access tokens.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub enum TokenSource {
    /// The app's stable token, shared by all its processes. The choice for more than one process.
    #[default]
    Stable,
    /// A token that invalidates earlier ones after five minutes: only for the single process that fetches tokens.
    Plain,
    /// A fixed token, never refreshed: from a token server of the studio's own, or a static one in development.
    Fixed(AccessToken),
}

/// Maximum lead of a refresh before expiry.
const REFRESH_LEAD_MAX: Duration = Duration::from_secs(300);

/// Time between two early refreshes, while the token is still valid.
const REFRESH_BACKOFF: Duration = Duration::from_secs(10);

/// Maximum wait of a call for its early refresh; a quarter of its timeout if that is shorter.
const EARLY_REFRESH_WAIT_MAX: Duration = Duration::from_secs(1);

/// Access token cache. Clones share it.
#[derive(Clone)]
pub(crate) struct TokenCache(Arc<CacheInner>);

struct CacheInner {
    source: TokenSource,
    credentials: Credentials,
    cached: RwLock<Option<CachedToken>>,
    refresh_lock: Arc<Mutex<RefreshState>>,
    /// Finished refreshes, failed ones included.
    refresh_count: AtomicU64,
}

#[derive(Clone)]
struct CachedToken {
    token: AccessToken,
    refresh_at: Instant,
    expires_at: Instant,
}

/// Result of the last refresh, for the calls that waited for it.
#[derive(Default)]
struct RefreshState {
    last_error: Option<TokenError>,
}

enum TokenState {
    Valid(AccessToken),
    Expiring(AccessToken),
    Missing,
}

impl TokenCache {
    pub(crate) fn new(source: TokenSource, credentials: Credentials) -> Self {
        Self(Arc::new(CacheInner {
            source,
            credentials,
            cached: RwLock::default(),
            refresh_lock: Arc::default(),
            refresh_count: AtomicU64::new(0),
        }))
    }

    /// The cached token, fetched if it is missing or expired.
    pub(crate) async fn get(&self, http: &HttpClient, timeout: Duration) -> Result<AccessToken, TokenError> {
        if let TokenSource::Fixed(token) = &self.0.source {
            return Ok(token.clone());
        }
        match self.state() {
            TokenState::Valid(token) => Ok(token),
            TokenState::Expiring(token) => {
                // Another call may hold the lock; the old token is still valid, so do not wait for it.
                if let Ok(refresh_state) = Arc::clone(&self.0.refresh_lock).try_lock_owned() {
                    self.refresh_early(refresh_state, http, timeout).await;
                }
                Ok(self.current().unwrap_or(token))
            }
            TokenState::Missing => {
                let count_before = self.0.refresh_count.load(Ordering::Acquire);
                let mut refresh_state = self.0.refresh_lock.lock().await;
                if let TokenState::Valid(token) | TokenState::Expiring(token) = self.state() {
                    return Ok(token);
                }
                self.refresh_once(&mut refresh_state, count_before, http, RefreshMode::WhenExpired, timeout)
                    .await
            }
        }
    }

    /// A token in place of a rejected one.
    pub(crate) async fn replace(
        &self,
        rejected: &AccessToken,
        http: &HttpClient,
        timeout: Duration,
    ) -> Result<AccessToken, TokenError> {
        if let TokenSource::Fixed(_) = &self.0.source {
            return Err(TokenError::FixedTokenRejected);
        }
        let count_before = self.0.refresh_count.load(Ordering::Acquire);
        let mut refresh_state = self.0.refresh_lock.lock().await;
        if let Some(token) = self.current().filter(|token| !token.matches(rejected.expose())) {
            return Ok(token);
        }
        let token = self
            .refresh_once(&mut refresh_state, count_before, http, RefreshMode::WhenExpired, timeout)
            .await?;
        if !token.matches(rejected.expose()) {
            return Ok(token);
        }
        // The bank has issued the token that it rejects again; only a forced refresh brings another.
        let count_after = self.0.refresh_count.load(Ordering::Acquire);
        self.refresh_once(&mut refresh_state, count_after, http, RefreshMode::Force, timeout).await
    }

    fn state(&self) -> TokenState {
        let cached = self.0.cached.read().expect("no panic under this lock");
        let now = Instant::now();
        match &*cached {
            Some(token) if now < token.refresh_at => TokenState::Valid(token.token.clone()),
            Some(held) if now < held.expires_at => TokenState::Expiring(held.token.clone()),
            Some(_) | None => TokenState::Missing,
        }
    }

    fn current(&self) -> Option<AccessToken> {
        let cached = self.0.cached.read().expect("no panic under this lock");
        cached.as_ref().map(|held| held.token.clone())
    }

    /// Whether this is the cached token, and its lifetime is not over.
    pub(crate) fn is_unexpired(&self, token: &AccessToken) -> bool {
        let cached = self.0.cached.read().expect("no panic under this lock");
        let is_unexpired = |held: &CachedToken| Instant::now() < held.expires_at;
        cached.as_ref().is_some_and(|held| is_unexpired(held) && held.token.matches(token.expose()))
    }

    /// Refreshes the token in a task of its own, and waits for it a moment.
    ///
    /// The backoff starts before the request, so neither a failure nor a cancelled call brings the next one sooner.
    async fn refresh_early(
        &self,
        mut refresh_state: OwnedMutexGuard<RefreshState>,
        http: &HttpClient,
        timeout: Duration,
    ) {
        if let Some(held) = &mut *self.0.cached.write().expect("no panic under this lock") {
            held.refresh_at = held.expires_at.min(Instant::now() + REFRESH_BACKOFF);
        }
        let (cache, http) = (self.clone(), http.clone());
        let task = tokio::spawn(async move {
            let count_before = cache.0.refresh_count.load(Ordering::Acquire);
            let mode = RefreshMode::WhenExpired;
            let refreshed = cache.refresh_once(&mut refresh_state, count_before, &http, mode, timeout).await;
            if let Err(error) = refreshed {
                tracing::warn!(%error, "access token refresh failed; the old token is still valid");
            }
        });
        let _ = tokio::time::timeout(EARLY_REFRESH_WAIT_MAX.min(timeout / 4), task).await;
    }

    /// Fetches a token, or returns the error of a refresh that failed since `count_before`.
    async fn refresh_once(
        &self,
        refresh_state: &mut RefreshState,
        count_before: u64,
        http: &HttpClient,
        mode: RefreshMode,
        timeout: Duration,
    ) -> Result<AccessToken, TokenError> {
        if self.0.refresh_count.load(Ordering::Acquire) > count_before
            && let Some(error) = &refresh_state.last_error
        {
            return Err(error.clone());
        }
        let result = self.fetch(http, mode, timeout).await;
        self.0.refresh_count.fetch_add(1, Ordering::Release);
        refresh_state.last_error = result.as_ref().err().cloned();
        let reply = result?;
        let now = Instant::now();
        let lead = REFRESH_LEAD_MAX.min(reply.expires_in / 2);
        let cached = CachedToken {
            token: reply.access_token.clone(),
            refresh_at: now + reply.expires_in.saturating_sub(lead),
            expires_at: now + reply.expires_in,
        };
        *self.0.cached.write().expect("no panic under this lock") = Some(cached);
        tracing::debug!(expires_in_s = reply.expires_in.as_secs(), "access token fetched");
        Ok(reply.access_token)
    }

    async fn fetch(
        &self,
        http: &HttpClient,
        mode: RefreshMode,
        timeout: Duration,
    ) -> Result<TokenReply, TokenError> {
        let json = match &self.0.source {
            TokenSource::Stable => {
                let request = StableTokenRequest { credentials: self.0.credentials.clone(), refresh: mode };
                http.post(STABLE_TOKEN_PATH, request.to_json(), timeout).await?
            }
            TokenSource::Plain => {
                let query = self.0.credentials.to_query(GrantType::ClientCredential);
                http.get(&format!("{TOKEN_PATH}?{query}"), timeout).await?
            }
            TokenSource::Fixed(_) => return Err(TokenError::FixedTokenRejected),
        };
        match TokenReply::parse(&json).map_err(TransportError::InvalidReply)? {
            ReplyOutcome::Success(reply) => Ok(reply),
            ReplyOutcome::Refused(refused) => Err(TokenError::Api(refused)),
        }
    }
}

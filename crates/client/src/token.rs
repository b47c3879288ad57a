//! The access token: held for all calls, and asked for by one of them at a time.
//!
//! A token that is soon over is renewed by the first call that finds it so; the others go on with it meanwhile. One
//! that is over, or refused, they wait for together: the lock `turn` is the queue of those who wait, and whoever gets
//! it either finds what the one before has brought, or asks. It is the one lock of this crate that is held while
//! something is awaited, and what is awaited has a timeout and takes no lock.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pactolus_protocol::reply::ReplyOutcome;
use pactolus_protocol::token::{STABLE_TOKEN_PATH, TOKEN_PATH};
use pactolus_protocol::{AccessToken, Credentials, GrantType, RefreshMode, StableTokenRequest, TokenReply};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::TokenError;
use crate::http::{HttpClient, TransportError};

/// Where a client has its access token from.
#[derive(Clone, Debug, Default)]
pub enum TokenSource {
    /// The app's stable token, which all its processes share. This is what suits more than one process.
    #[default]
    Stable,
    /// A token that ends those given out before, five minutes later: for the only process that asks for tokens.
    Plain,
    /// This one, for as long as it is good: from a server of the studio's that hands tokens out, or, in development,
    /// a static one.
    Fixed(AccessToken),
}

/// How long before its end a token is renewed, at most.
const REFRESH_LEAD_MAX: Duration = Duration::from_secs(300);

/// How long a renewal that failed is not tried again while the token is still good.
const REFRESH_BACKOFF: Duration = Duration::from_secs(10);

/// The token of one client.
pub(crate) struct TokenCache {
    source: TokenSource,
    credentials: Credentials,
    cached: RwLock<Option<CachedToken>>,
    refresh_lock: Mutex<RefreshState>,
    /// How many have had their turn.
    refresh_count: AtomicU64,
}

#[derive(Clone)]
struct CachedToken {
    token: AccessToken,
    refresh_at: Instant,
    expires_at: Instant,
}

/// What came of the last turn, for those who waited while it was taken.
#[derive(Default)]
struct RefreshState {
    last_error: Option<TokenError>,
}

/// What a call finds when it asks for the token.
enum TokenState {
    Valid(AccessToken),
    Expiring(AccessToken),
    Missing,
}

impl TokenCache {
    pub(crate) fn new(source: TokenSource, credentials: Credentials) -> Self {
        Self {
            source,
            credentials,
            cached: RwLock::default(),
            refresh_lock: Mutex::default(),
            refresh_count: AtomicU64::new(0),
        }
    }

    /// A token to call with.
    pub(crate) async fn get(&self, http: &HttpClient, timeout: Duration) -> Result<AccessToken, TokenError> {
        if let TokenSource::Fixed(token) = &self.source {
            return Ok(token.clone());
        }
        match self.state() {
            TokenState::Valid(token) => Ok(token),
            TokenState::Expiring(token) => {
                // Somebody else may be at it; there is no need to wait for them.
                if let Ok(mut refresh_state) = self.refresh_lock.try_lock() {
                    self.refresh_early(&mut refresh_state, http, timeout).await;
                }
                Ok(self.current().unwrap_or(token))
            }
            TokenState::Missing => {
                let count_before = self.refresh_count.load(Ordering::Acquire);
                let mut turn = self.refresh_lock.lock().await;
                if let TokenState::Valid(token) | TokenState::Expiring(token) = self.state() {
                    return Ok(token);
                }
                self.refresh_once(&mut turn, count_before, http, RefreshMode::WhenExpired, timeout).await
            }
        }
    }

    /// A token to call with in place of one that was refused.
    pub(crate) async fn replace(
        &self,
        rejected: &AccessToken,
        http: &HttpClient,
        timeout: Duration,
    ) -> Result<AccessToken, TokenError> {
        if let TokenSource::Fixed(_) = &self.source {
            return Err(TokenError::FixedTokenRejected);
        }
        let count_before = self.refresh_count.load(Ordering::Acquire);
        let mut refresh_state = self.refresh_lock.lock().await;
        if let Some(token) = self.current().filter(|token| !token.matches(rejected.expose())) {
            return Ok(token);
        }
        let token = self
            .refresh_once(&mut refresh_state, count_before, http, RefreshMode::WhenExpired, timeout)
            .await?;
        if !token.matches(rejected.expose()) {
            return Ok(token);
        }
        // The bank believes in a token that it refuses; only this makes another.
        let seen = self.refresh_count.load(Ordering::Acquire);
        self.refresh_once(&mut refresh_state, seen, http, RefreshMode::Force, timeout).await
    }

    fn state(&self) -> TokenState {
        let cached = self.cached.read().expect("nothing panics while it replaces a token");
        let now = Instant::now();
        match &*cached {
            Some(held) if now < held.refresh_at => TokenState::Valid(held.token.clone()),
            Some(held) if now < held.expires_at => TokenState::Expiring(held.token.clone()),
            Some(_) | None => TokenState::Missing,
        }
    }

    fn current(&self) -> Option<AccessToken> {
        let cached = self.cached.read().expect("nothing panics while it replaces a token");
        cached.as_ref().map(|held| held.token.clone())
    }

    async fn refresh_early(&self, refresh_state: &mut RefreshState, http: &HttpClient, timeout: Duration) {
        let count_before = self.refresh_count.load(Ordering::Acquire);
        if let Err(error) =
            self.refresh_once(refresh_state, count_before, http, RefreshMode::WhenExpired, timeout).await
        {
            tracing::warn!(%error, "the access token is not renewed yet");
            let mut cached = self.cached.write().expect("nothing panics while it replaces a token");
            if let Some(held) = &mut *cached {
                held.refresh_at = held.expires_at.min(Instant::now() + REFRESH_BACKOFF);
            }
        }
    }

    /// Asks for a token, unless somebody has done so in vain since `seen` turns were over.
    async fn refresh_once(
        &self,
        refresh_state: &mut RefreshState,
        count_before: u64,
        http: &HttpClient,
        mode: RefreshMode,
        timeout: Duration,
    ) -> Result<AccessToken, TokenError> {
        if self.refresh_count.load(Ordering::Acquire) > count_before
            && let Some(error) = &refresh_state.last_error
        {
            return Err(error.clone());
        }
        let result = self.fetch(http, mode, timeout).await;
        self.refresh_count.fetch_add(1, Ordering::Release);
        refresh_state.last_error = result.as_ref().err().cloned();
        let reply = result?;
        let now = Instant::now();
        let lead = REFRESH_LEAD_MAX.min(reply.expires_in / 2);
        let cached = CachedToken {
            token: reply.access_token.clone(),
            refresh_at: now + reply.expires_in.saturating_sub(lead),
            expires_at: now + reply.expires_in,
        };
        *self.cached.write().expect("nothing panics while it replaces a token") = Some(cached);
        tracing::debug!(expires_in_s = reply.expires_in.as_secs(), "a new access token");
        Ok(reply.access_token)
    }

    async fn fetch(
        &self,
        http: &HttpClient,
        mode: RefreshMode,
        timeout: Duration,
    ) -> Result<TokenReply, TokenError> {
        let json = match &self.source {
            TokenSource::Stable => {
                let request = StableTokenRequest { credentials: self.credentials.clone(), refresh: mode };
                http.post(STABLE_TOKEN_PATH, request.to_json(), timeout).await?
            }
            TokenSource::Plain => {
                let query = self.credentials.to_query(GrantType::ClientCredential);
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

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
use crate::http::{Http, TryError};

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
const LEAD_MAX: Duration = Duration::from_secs(300);

/// How long a renewal that failed is not tried again while the token is still good.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// The token of one client.
pub(crate) struct Tokens {
    source: TokenSource,
    credentials: Credentials,
    held: RwLock<Option<Held>>,
    turn: Mutex<Turn>,
    /// How many have had their turn.
    turns: AtomicU64,
}

#[derive(Clone)]
struct Held {
    token: AccessToken,
    renew_at: Instant,
    over_at: Instant,
}

/// What came of the last turn, for those who waited while it was taken.
#[derive(Default)]
struct Turn {
    failed: Option<TokenError>,
}

/// What a call finds when it asks for the token.
enum Found {
    Good(AccessToken),
    SoonOver(AccessToken),
    None,
}

impl Tokens {
    pub(crate) fn new(source: TokenSource, credentials: Credentials) -> Self {
        Self {
            source,
            credentials,
            held: RwLock::default(),
            turn: Mutex::default(),
            turns: AtomicU64::new(0),
        }
    }

    /// A token to call with.
    pub(crate) async fn get(&self, http: &Http, timeout: Duration) -> Result<AccessToken, TokenError> {
        if let TokenSource::Fixed(token) = &self.source {
            return Ok(token.clone());
        }
        match self.find() {
            Found::Good(token) => Ok(token),
            Found::SoonOver(token) => {
                // Somebody else may be at it; there is no need to wait for them.
                if let Ok(mut turn) = self.turn.try_lock() {
                    self.renew_early(&mut turn, http, timeout).await;
                }
                Ok(self.current().unwrap_or(token))
            }
            Found::None => {
                let seen = self.turns.load(Ordering::Acquire);
                let mut turn = self.turn.lock().await;
                if let Found::Good(token) | Found::SoonOver(token) = self.find() {
                    return Ok(token);
                }
                self.take_turn(&mut turn, seen, http, RefreshMode::WhenExpired, timeout).await
            }
        }
    }

    /// A token to call with in place of one that was refused.
    pub(crate) async fn replace(
        &self,
        refused: &AccessToken,
        http: &Http,
        timeout: Duration,
    ) -> Result<AccessToken, TokenError> {
        if let TokenSource::Fixed(_) = &self.source {
            return Err(TokenError::Fixed);
        }
        let seen = self.turns.load(Ordering::Acquire);
        let mut turn = self.turn.lock().await;
        if let Some(token) = self.current().filter(|token| !token.matches(refused.expose())) {
            return Ok(token);
        }
        let token = self.take_turn(&mut turn, seen, http, RefreshMode::WhenExpired, timeout).await?;
        if !token.matches(refused.expose()) {
            return Ok(token);
        }
        // The bank believes in a token that it refuses; only this makes another.
        let seen = self.turns.load(Ordering::Acquire);
        self.take_turn(&mut turn, seen, http, RefreshMode::Force, timeout).await
    }

    fn find(&self) -> Found {
        let held = self.held.read().expect("nothing panics while it replaces a token");
        let now = Instant::now();
        match &*held {
            Some(held) if now < held.renew_at => Found::Good(held.token.clone()),
            Some(held) if now < held.over_at => Found::SoonOver(held.token.clone()),
            Some(_) | None => Found::None,
        }
    }

    fn current(&self) -> Option<AccessToken> {
        let held = self.held.read().expect("nothing panics while it replaces a token");
        held.as_ref().map(|held| held.token.clone())
    }

    async fn renew_early(&self, turn: &mut Turn, http: &Http, timeout: Duration) {
        let seen = self.turns.load(Ordering::Acquire);
        if let Err(error) = self.take_turn(turn, seen, http, RefreshMode::WhenExpired, timeout).await {
            tracing::warn!(%error, "the access token is not renewed yet");
            let mut held = self.held.write().expect("nothing panics while it replaces a token");
            if let Some(held) = &mut *held {
                held.renew_at = held.over_at.min(Instant::now() + RENEWAL_PAUSE);
            }
        }
    }

    /// Asks for a token, unless somebody has done so in vain since `seen` turns were over.
    async fn take_turn(
        &self,
        turn: &mut Turn,
        seen: u64,
        http: &Http,
        refresh: RefreshMode,
        timeout: Duration,
    ) -> Result<AccessToken, TokenError> {
        if self.turns.load(Ordering::Acquire) > seen
            && let Some(error) = &turn.failed
        {
            return Err(error.clone());
        }
        let asked = self.ask(http, refresh, timeout).await;
        self.turns.fetch_add(1, Ordering::Release);
        turn.failed = asked.as_ref().err().cloned();
        let reply = asked?;
        let now = Instant::now();
        let lead = LEAD_MAX.min(reply.expires_in / 2);
        let held = Held {
            token: reply.access_token.clone(),
            renew_at: now + reply.expires_in.saturating_sub(lead),
            over_at: now + reply.expires_in,
        };
        *self.held.write().expect("nothing panics while it replaces a token") = Some(held);
        tracing::debug!(expires_in_s = reply.expires_in.as_secs(), "a new access token");
        Ok(reply.access_token)
    }

    async fn ask(
        &self,
        http: &Http,
        refresh: RefreshMode,
        timeout: Duration,
    ) -> Result<TokenReply, TokenError> {
        let json = match &self.source {
            TokenSource::Stable => {
                let request = StableTokenRequest { credentials: self.credentials.clone(), refresh };
                http.post(STABLE_TOKEN_PATH, request.to_json(), timeout).await?
            }
            TokenSource::Plain => {
                let query = self.credentials.to_query(GrantType::ClientCredential);
                http.get(&format!("{TOKEN_PATH}?{query}"), timeout).await?
            }
            TokenSource::Fixed(_) => return Err(TokenError::Fixed),
        };
        match TokenReply::parse(&json).map_err(TryError::NotAnAnswer)? {
            ReplyOutcome::Success(reply) => Ok(reply),
            ReplyOutcome::Refused(refused) => Err(TokenError::Refused(refused)),
        }
    }
}

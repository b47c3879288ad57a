//! Rate limiter: calls per second of an app in an environment, and calls per second about one player.
//!
//! A restart resets it. Memory is bounded: the bucket of a player without recent calls may be evicted, and then
//! starts full again, with one second's worth of calls.

pub(crate) mod token_bucket;

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use pactolus_protocol::{ErrorCode, ErrorReply};
use pactolus_types::{AppId, Environment, OpenId, UnixMillis};
use quick_cache::sync::Cache;

use self::token_bucket::TokenBucket;
use crate::apps::ServedApp;
use crate::settings::AppSettings;

/// Token buckets of players, separate for live and sandbox. Those of an app are in its [`ServedApp`].
pub(crate) struct RateLimiter {
    players: Cache<(AppId, Environment, OpenId), Arc<Mutex<TokenBucket>>>,
}

impl RateLimiter {
    pub(crate) fn new(players_cached: usize) -> Self {
        Self { players: Cache::new(players_cached) }
    }

    /// Counts a call about a player. 45009 over the rate.
    pub(crate) fn check_player(
        &self,
        app: &AppSettings,
        environment: Environment,
        player: OpenId,
        now: UnixMillis,
    ) -> Result<(), ErrorReply> {
        let Some(rate) = app.rate_limit_per_player_per_second else { return Ok(()) };
        let full = || Ok::<_, Infallible>(Arc::new(Mutex::new(TokenBucket::new())));
        let Ok(bucket) = self.players.get_or_insert_with(&(app.appid, environment, player), full);
        if take_from(&bucket, rate, now) {
            return Ok(());
        }
        Err(ErrorReply::with_detail(
            ErrorCode::QuotaReached,
            format!(
                "this app may make {rate} calls a second about one player in the {environment} environment"
            ),
        ))
    }
}

/// Counts a call of `app`. 45009 over the rate.
pub(crate) fn check_app(
    app: &ServedApp,
    environment: Environment,
    now: UnixMillis,
) -> Result<(), ErrorReply> {
    let Some(rate) = app.rate_limit_per_second else { return Ok(()) };
    if take_from(app.bucket(environment), rate, now) {
        return Ok(());
    }
    Err(ErrorReply::with_detail(
        ErrorCode::QuotaReached,
        format!("this app may make {rate} calls a second in the {environment} environment"),
    ))
}

/// The lock covers the arithmetic alone.
fn take_from(bucket: &Mutex<TokenBucket>, rate: NonZeroU32, now: UnixMillis) -> bool {
    bucket.lock().expect("nothing panics while it holds a bucket").take(rate, now)
}

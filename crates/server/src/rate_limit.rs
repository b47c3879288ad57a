//! Rate limiter: calls per second of an app in an environment, and calls per second about one player.
//!
//! A restart resets it. Memory is bounded: the bucket of a player without recent calls may be evicted, and then
//! starts full again, with one second's worth of calls.

use std::collections::HashMap;
use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pactolus_protocol::{ErrorCode, ErrorReply};
use pactolus_types::{AppId, Environment, OpenId, UnixMillis};
use quick_cache::sync::Cache;

use crate::apps::ServedApp;
use crate::settings::AppSettings;

/// Token buckets of apps and players, separate for live and sandbox: a test must not use up the rate of players.
pub(crate) struct RateLimiter {
    apps: HashMap<(AppId, Environment), Mutex<TokenBucket>>,
    players: Cache<(AppId, Environment, OpenId), Arc<Mutex<TokenBucket>>>,
}

impl RateLimiter {
    pub(crate) fn new<'a>(apps: impl Iterator<Item = &'a Arc<ServedApp>>, players_cached: usize) -> Self {
        let bucket = |appid, environment, rate| ((appid, environment), Mutex::new(TokenBucket::full(rate)));
        let limited = apps.filter_map(|app| Some((app.appid, app.rate_limit_per_second?)));
        Self {
            apps: limited
                .flat_map(|(appid, rate)| {
                    Environment::ALL.map(|environment| bucket(appid, environment, rate))
                })
                .collect(),
            players: Cache::new(players_cached),
        }
    }

    /// Counts a call of `app`. 45009 over the rate.
    pub(crate) fn check_app(
        &self,
        app: &AppSettings,
        environment: Environment,
        now: UnixMillis,
    ) -> Result<(), ErrorReply> {
        let Some(rate) = app.rate_limit_per_second else { return Ok(()) };
        let bucket = self.apps.get(&(app.appid, environment));
        if bucket.is_none_or(|bucket| take_from(bucket, rate, now)) {
            return Ok(());
        }
        Err(ErrorReply::with_detail(
            ErrorCode::QuotaReached,
            format!("this app may make {rate} calls a second in the {environment} environment"),
        ))
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
        let full = || Ok::<_, Infallible>(Arc::new(Mutex::new(TokenBucket::full(rate))));
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

/// The lock covers the arithmetic alone.
fn take_from(bucket: &Mutex<TokenBucket>, rate: NonZeroU32, now: UnixMillis) -> bool {
    bucket.lock().expect("nothing panics while it holds a bucket").take(rate, now)
}

/// A token bucket with a capacity of one second's worth of calls.
///
/// It counts in thousandths of a call, so that a rate of `rate` calls a second refills `rate` thousandths in a
/// millisecond, without a fraction.
pub(crate) struct TokenBucket {
    millitokens: u64,
    refilled_at: UnixMillis,
}

/// Time in which any bucket refills.
const REFILL_TIME: Duration = Duration::from_secs(1);

impl TokenBucket {
    pub(crate) fn full(rate: NonZeroU32) -> Self {
        Self { millitokens: capacity(rate), refilled_at: UnixMillis::new(0) }
    }

    pub(crate) fn take(&mut self, rate: NonZeroU32, now: UnixMillis) -> bool {
        // Requests may arrive here out of the order of their clock readings, and no moment may refill twice. But a
        // clock that was set back for good must not block the app for good.
        if self.refilled_at.saturating_since(now) > REFILL_TIME {
            self.refilled_at = now;
        }
        if now > self.refilled_at {
            let passed = now.saturating_since(self.refilled_at).min(REFILL_TIME).as_millis();
            let back = u64::try_from(passed).expect("it is a second at most") * u64::from(rate.get());
            self.millitokens = (self.millitokens + back).min(capacity(rate));
            self.refilled_at = now;
        }
        let left = self.millitokens.checked_sub(1000);
        self.millitokens = left.unwrap_or(self.millitokens);
        left.is_some()
    }
}

fn capacity(rate: NonZeroU32) -> u64 {
    1000 * u64::from(rate.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(bucket: &mut TokenBucket, rate: u32, at_ms: u64) -> usize {
        let rate = NonZeroU32::new(rate).unwrap();
        (0..100).take_while(|_| bucket.take(rate, UnixMillis::new(at_ms))).count()
    }

    #[test]
    fn one_second_refills_the_bucket() {
        let mut bucket = TokenBucket::full(NonZeroU32::new(3).unwrap());
        assert_eq!(take_all(&mut bucket, 3, 10_000), 3);
        assert_eq!(take_all(&mut bucket, 3, 10_333), 0, "a third of a second, and not all of it");
        assert_eq!(take_all(&mut bucket, 3, 10_334), 1);
        assert_eq!(take_all(&mut bucket, 3, 11_334), 3);
        assert_eq!(take_all(&mut bucket, 3, 99_999), 3, "no more than a second's worth is kept");
    }

    #[test]
    fn clock_going_back_neither_refills_nor_blocks() {
        let mut bucket = TokenBucket::full(NonZeroU32::new(1000).unwrap());
        for _ in 0..10 {
            take_all(&mut bucket, 1000, 10_000);
        }
        for _ in 0..5 {
            assert_eq!(take_all(&mut bucket, 1000, 9_990), 0);
            assert_eq!(take_all(&mut bucket, 1000, 10_000), 0);
        }
        assert_eq!(take_all(&mut bucket, 1000, 5_000), 0, "the clock was turned back");
        assert_eq!(take_all(&mut bucket, 1000, 5_007), 7);
    }
}

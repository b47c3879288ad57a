//! Sharded counters: each worker thread adds to atomics of its own, so that no two cores contend for a cache line.
//!
//! This is on the path of every call: a record is a few relaxed additions at fixed places, without a lock, a hash or an
//! allocation. A scrape adds the shards up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use pactolus_ledger::OrderKind;
use pactolus_protocol::{CallKind, CallPath, ErrorCode, MidasCode, PlatformCode};
use pactolus_types::Environment;

use super::catalog::{APP_SLOTS, CALL_BOUNDS, NAMED_APPS};

/// Place of an app in the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AppSlot(usize);

impl AppSlot {
    /// Shared by all apps without series of their own.
    pub(crate) const OTHER: Self = Self(NAMED_APPS);

    /// The place of the app with this number, from zero.
    pub(crate) fn new(number: usize) -> Self {
        Self(number.min(NAMED_APPS))
    }

    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

/// Shards of a counter; more than most machines have cores. Threads beyond share them.
const SHARDS: usize = 32;

/// On cache lines of its own. Two lines, because processors fetch pairs.
#[repr(align(128))]
struct CacheAligned<T>(T);

/// One `T` for each worker thread.
pub(crate) struct PerWorker<T>(Box<[CacheAligned<T>]>);

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Number of the thread.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

impl<T> PerWorker<T> {
    pub(crate) fn new(shard: impl Fn() -> T) -> Self {
        Self((0..SHARDS).map(|_| CacheAligned(shard())).collect())
    }

    /// The shard of this thread.
    pub(crate) fn local(&self) -> &T {
        &self.0[THREAD.with(|number| *number) % SHARDS].0
    }

    /// All shards.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &padded.0)
    }

    /// Sum of one counter over all shards.
    pub(crate) fn sum(&self, counter: impl Fn(&T) -> &AtomicU64) -> u64 {
        self.iter().map(|shard| counter(shard).load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

/// Codes of replies, success first.
pub(crate) const REPLY_CODES: usize = PlatformCode::ALL.len() + MidasCode::ALL.len() + 1;

pub(crate) const CALL_KINDS: usize = 4;
pub(crate) const CALL_PATHS: usize = 2 * CALL_KINDS;
pub(crate) const CALL_BUCKETS: usize = CALL_BOUNDS.len() + 1;

/// Outcome of a call with a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    Ok,
    /// An idempotent replay.
    Replayed,
    Refused,
    /// -1: the outcome is unknown, and the caller repeats the call.
    Unavailable,
}

impl CallOutcome {
    pub(crate) const ALL: [(Self, &'static str); 4] = [
        (Self::Ok, "ok"),
        (Self::Replayed, "replayed"),
        (Self::Refused, "refused"),
        (Self::Unavailable, "unavailable"),
    ];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Replayed => 1,
            Self::Refused => 2,
            Self::Unavailable => 3,
        }
    }
}

/// A limit of an app that a call exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitScope {
    /// Calls of the app.
    AppRate,
    /// Calls about one player.
    PlayerRate,
    /// Coins of one present.
    OrderGift,
    /// Coins of a player's presents in a day.
    DayGift,
}

impl LimitScope {
    pub(crate) const RATES: [(Self, &'static str); 2] =
        [(Self::AppRate, "app"), (Self::PlayerRate, "player")];
    pub(crate) const GIFTS: [(Self, &'static str); 2] = [(Self::OrderGift, "order"), (Self::DayGift, "day")];

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::AppRate => 0,
            Self::PlayerRate => 1,
            Self::OrderGift => 2,
            Self::DayGift => 3,
        }
    }
}

/// Kinds of orders, by the names of [`OrderKind::name`].
pub(crate) const ORDER_KINDS: [&str; 6] = ["save", "present", "pay", "cancel", "debit", "refund"];

pub(crate) const fn order_kind_index(kind: OrderKind) -> usize {
    match kind {
        OrderKind::Save(_) => 0,
        OrderKind::Present(_) => 1,
        OrderKind::Pay(_) => 2,
        OrderKind::Cancel { .. } => 3,
        OrderKind::Debit(_) => 4,
        OrderKind::Refund(_) => 5,
    }
}

pub(crate) const fn environment_index(environment: Environment) -> usize {
    match environment {
        Environment::Live => 0,
        Environment::Sandbox => 1,
    }
}

/// Place of a path, in the order of [`CallPath::all`].
pub(crate) const fn path_index(path: CallPath) -> usize {
    let kind = match path.kind {
        CallKind::Present => 0,
        CallKind::GetBalance => 1,
        CallKind::Pay => 2,
        CallKind::CancelPay => 3,
    };
    CALL_KINDS * environment_index(path.environment) + kind
}

/// Place of a reply's code; `None` is success.
pub(crate) fn code_index(code: Option<ErrorCode>) -> usize {
    code.and_then(|code| ErrorCode::of_midas().position(|known| known == code)).map_or(0, |place| place + 1)
}

/// Counters of an app in one environment.
pub(crate) struct AppCounters {
    pub(crate) outcomes: [AtomicU64; CallOutcome::ALL.len()],
    pub(crate) coins: [AtomicU64; ORDER_KINDS.len()],
    pub(crate) limited: [AtomicU64; 4],
    /// Calls signed with the key before the present one.
    pub(crate) previous_key: AtomicU64,
}

/// Counters of the calls that one thread answered.
pub(crate) struct CallShard {
    pub(crate) replies: [[AtomicU64; REPLY_CODES]; CALL_PATHS],
    pub(crate) buckets: [[AtomicU64; CALL_BUCKETS]; CALL_PATHS],
    pub(crate) nanos: [AtomicU64; CALL_PATHS],
    pub(crate) apps: [[AppCounters; 2]; APP_SLOTS],
}

fn zeros<const N: usize>() -> [AtomicU64; N] {
    std::array::from_fn(|_| AtomicU64::new(0))
}

impl CallShard {
    pub(crate) fn new() -> Self {
        let counters = || AppCounters {
            outcomes: zeros(),
            coins: zeros(),
            limited: zeros(),
            previous_key: AtomicU64::new(0),
        };
        Self {
            replies: std::array::from_fn(|_| zeros()),
            buckets: std::array::from_fn(|_| zeros()),
            nanos: zeros(),
            apps: std::array::from_fn(|_| std::array::from_fn(|_| counters())),
        }
    }

    pub(crate) fn app(&self, slot: AppSlot, environment: Environment) -> &AppCounters {
        &self.apps[slot.index()][environment_index(environment)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_and_code_has_a_place_of_its_own() {
        for (place, path) in CallPath::all().enumerate() {
            assert_eq!(path_index(path), place, "{path}");
        }
        assert_eq!(CallPath::all().count(), CALL_PATHS);
        assert_eq!(code_index(None), 0);
        for (place, code) in ErrorCode::of_midas().enumerate() {
            assert_eq!(code_index(Some(code)), place + 1);
        }
        for (place, (outcome, _)) in CallOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), place);
        }
    }

    #[test]
    fn shards_of_many_threads_add_up() {
        let counter = PerWorker::new(|| AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| counter.local().fetch_add(1, Ordering::Relaxed));
            }
        });
        assert_eq!(counter.sum(|shard| shard), 64);
    }

    #[test]
    fn apps_beyond_the_named_share_a_place() {
        assert_ne!(AppSlot::new(NAMED_APPS - 1), AppSlot::OTHER);
        assert_eq!(AppSlot::new(NAMED_APPS), AppSlot::OTHER);
        assert_eq!(AppSlot::new(usize::MAX), AppSlot::OTHER);
    }
}

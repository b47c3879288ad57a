//! The rejections of this node, in memory.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};

use pactolus_protocol::Rid;

use super::rejection::Rejection;
use super::ring::Ring;
use crate::rate_limit::token_bucket::TokenBucket;
use crate::settings::Limits;

pub(crate) struct RejectionLog {
    app_ring: Mutex<Ring>,
    anonymous_ring: Mutex<Ring>,
    /// Searches left in this second in the live environment.
    pub(super) search_budget: Mutex<TokenBucket>,
    /// Writes left in this second to a shared store.
    pub(super) share_budget: Mutex<TokenBucket>,
}

/// Rejections per second that a node stores for the others. At some 2 KB each, those of an hour take 140 MB at most,
/// and a flood of rejections does not become a flood of writes.
pub(super) const SHARED_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");

/// One part in this many of the space is for calls without a valid token.
const ANONYMOUS_DIVISOR: usize = 8;

impl RejectionLog {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (entries, bytes) = (limits.rejections_max, limits.rejections_bytes_max);
        let (anonymous_entries, anonymous_bytes) = (entries / ANONYMOUS_DIVISOR, bytes / ANONYMOUS_DIVISOR);
        Self {
            app_ring: Mutex::new(Ring::new(entries - anonymous_entries, bytes - anonymous_bytes)),
            anonymous_ring: Mutex::new(Ring::new(anonymous_entries, anonymous_bytes)),
            search_budget: Mutex::new(TokenBucket::new()),
            share_budget: Mutex::new(TokenBucket::new()),
        }
    }

    pub(crate) fn get(&self, rid: Rid) -> Option<Arc<Rejection>> {
        [&self.app_ring, &self.anonymous_ring].into_iter().find_map(|ring| lock(ring).get(rid))
    }

    /// Newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Arc<Rejection>> {
        let rings = [&self.app_ring, &self.anonymous_ring];
        let mut newest: Vec<_> = rings.into_iter().flat_map(|ring| lock(ring).newest(limit)).collect();
        newest.sort_by_key(|rejection| std::cmp::Reverse(rejection.at));
        newest.truncate(limit);
        newest
    }

    pub(super) fn push(&self, rejection: Rejection) {
        let ring = if rejection.appid.is_some() { &self.app_ring } else { &self.anonymous_ring };
        lock(ring).push(Arc::new(rejection));
    }
}

/// Held for one lookup or push; no other lock is taken under it.
pub(super) fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("nothing panics while it holds this lock")
}

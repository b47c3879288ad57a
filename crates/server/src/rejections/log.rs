//! The rejections that this node keeps, in memory.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};

use pactolus_protocol::Rid;

use super::rejection::Rejection;
use super::ring::Ring;
use crate::rate_limit::TokenBucket;
use crate::settings::Limits;

/// The rejections of a bank.
pub(crate) struct RejectionLog {
    app_ring: Mutex<Ring>,
    anonymous_ring: Mutex<Ring>,
    /// What is left of this second's searches in the live environment.
    pub(super) search_budget: Mutex<TokenBucket>,
    /// What is left of this second's room in a store that is shared.
    pub(super) share_budget: Mutex<TokenBucket>,
}

/// How many rejections a second a node keeps for the others: at some 2 KB each, those of an hour take 140 MB at most,
/// and a flood of refusals does not become a flood of writes.
pub(super) const SHARED_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");

/// One part in so many of the room is for those who showed no good token.
const ANONYMOUS_DIVISOR: usize = 8;

impl RejectionLog {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (kept, bytes) = (limits.rejections_max, limits.rejections_bytes_max);
        let (kept_of_strangers, bytes_of_strangers) = (kept / ANONYMOUS_DIVISOR, bytes / ANONYMOUS_DIVISOR);
        Self {
            app_ring: Mutex::new(Ring::new(kept - kept_of_strangers, bytes - bytes_of_strangers)),
            anonymous_ring: Mutex::new(Ring::new(kept_of_strangers, bytes_of_strangers)),
            search_budget: Mutex::new(TokenBucket::full(limits.diagnoses_per_second)),
            share_budget: Mutex::new(TokenBucket::full(SHARED_PER_SECOND)),
        }
    }

    /// The rejection with this id, if it is still kept.
    pub(crate) fn get(&self, rid: Rid) -> Option<Arc<Rejection>> {
        [&self.app_ring, &self.anonymous_ring].into_iter().find_map(|ring| lock(ring).get(rid))
    }

    /// The newest `limit` rejections, the newest first.
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

/// A lock is held for a look-up or a push alone, and no other is taken under it.
pub(super) fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("nothing panics while it holds this lock")
}

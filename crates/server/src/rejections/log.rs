//! The rejections that this node keeps, in memory.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};

use pactolus_protocol::Rid;

use super::rejection::Rejection;
use super::ring::Ring;
use crate::rate_limit::Bucket;
use crate::settings::Limits;

/// The rejections of a bank.
pub(crate) struct Rejections {
    of_apps: Mutex<Ring>,
    of_strangers: Mutex<Ring>,
    /// What is left of this second's searches in the live environment.
    pub(super) searches: Mutex<Bucket>,
    /// What is left of this second's room in a store that is shared.
    pub(super) shared: Mutex<Bucket>,
}

/// How many rejections a second a node keeps for the others: at some 2 KB each, those of an hour take 140 MB at most,
/// and a flood of refusals does not become a flood of writes.
pub(super) const SHARED_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("it is not zero");

/// One part in so many of the room is for those who showed no good token.
const STRANGERS_SHARE: usize = 8;

impl Rejections {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (kept, bytes) = (limits.rejections_kept, limits.rejections_bytes_max);
        let (kept_of_strangers, bytes_of_strangers) = (kept / STRANGERS_SHARE, bytes / STRANGERS_SHARE);
        Self {
            of_apps: Mutex::new(Ring::new(kept - kept_of_strangers, bytes - bytes_of_strangers)),
            of_strangers: Mutex::new(Ring::new(kept_of_strangers, bytes_of_strangers)),
            searches: Mutex::new(Bucket::full(limits.explained_per_second)),
            shared: Mutex::new(Bucket::full(SHARED_PER_SECOND)),
        }
    }

    /// The rejection with this id, if it is still kept.
    pub(crate) fn get(&self, rid: Rid) -> Option<Arc<Rejection>> {
        [&self.of_apps, &self.of_strangers].into_iter().find_map(|ring| locked(ring).get(rid))
    }

    /// The newest `limit` rejections, the newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Arc<Rejection>> {
        let rings = [&self.of_apps, &self.of_strangers];
        let mut newest: Vec<_> = rings.into_iter().flat_map(|ring| locked(ring).newest(limit)).collect();
        newest.sort_by_key(|rejection| std::cmp::Reverse(rejection.at));
        newest.truncate(limit);
        newest
    }

    pub(super) fn keep(&self, rejection: Rejection) {
        let ring = if rejection.appid.is_some() { &self.of_apps } else { &self.of_strangers };
        locked(ring).push(Arc::new(rejection));
    }
}

/// A lock is held for a look-up or a push alone, and no other is taken under it.
pub(super) fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().expect("nothing panics while it holds this lock")
}

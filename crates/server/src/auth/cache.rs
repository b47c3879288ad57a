//! Read cache of store records: bounded in entries and, on a shared store, in age.
//!
//! With exclusive access an entry never expires, because every write of this process updates the cache too. On a
//! store shared with other nodes an entry lives for one second: for that long a node may accept a token or a session
//! that ended on another node.

use std::hash::Hash;
use std::time::Duration;

use pactolus_ledger::{RecordAccess, Unavailable};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::metrics::lookups::{LookupCounters, LookupResult};

/// TTL of an entry that other nodes may change.
const SHARED_TTL: Duration = Duration::from_secs(1);

pub(super) struct ReadCache<K, V> {
    cache: Cache<K, CachedValue<V>>,
    access: RecordAccess,
    lookups: LookupCounters,
}

#[derive(Clone)]
struct CachedValue<V> {
    value: V,
    /// When its read began or its write ended; `None` never expires.
    read_at: Option<Instant>,
}

impl<K: Hash + Eq + Clone, V: Clone> ReadCache<K, V> {
    pub(super) fn new(capacity: usize, sharing: RecordAccess, lookups: LookupCounters) -> Self {
        Self { cache: Cache::new(capacity), access: sharing, lookups }
    }

    pub(super) const fn lookups(&self) -> &LookupCounters {
        &self.lookups
    }

    /// The cached value, if it is fresh.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entry = self.cache.get(key).filter(CachedValue::is_fresh)?;
        self.lookups.count(LookupResult::Cached);
        Some(entry.value)
    }

    /// Whether a value is cached, fresh or not.
    pub(super) fn was_cached(&self, key: &K) -> bool {
        self.cache.get(key).is_some()
    }

    /// The cached value, or else the value that `read` loads.
    pub(super) async fn get_or_load(
        &self,
        key: &K,
        read: impl Future<Output = Result<Option<V>, Unavailable>>,
    ) -> Result<Option<V>, Unavailable> {
        // The guard keeps this read from overwriting a newer value.
        let guard = loop {
            match self.cache.get_value_or_guard_async(key).await {
                Ok(entry) if entry.is_fresh() => {
                    self.lookups.count(LookupResult::Cached);
                    return Ok(Some(entry.value));
                }
                Ok(old) => drop(self.cache.remove_if(key, |held| held.read_at == old.read_at)),
                Err(guard) => break guard,
            }
        };
        let read_at = self.read_time();
        let value = read.await?;
        self.lookups.count(if value.is_some() { LookupResult::Read } else { LookupResult::NotFound });
        if let Some(value) = &value {
            let _ = guard.insert(CachedValue { value: value.clone(), read_at });
        }
        Ok(value)
    }

    /// Caches a value that was just written.
    pub(super) fn insert(&self, key: K, value: V) {
        self.cache.insert(key, CachedValue { value, read_at: self.read_time() });
    }

    fn read_time(&self) -> Option<Instant> {
        match self.access {
            RecordAccess::Exclusive => None,
            RecordAccess::Shared => Some(Instant::now()),
        }
    }
}

impl<V> CachedValue<V> {
    fn is_fresh(&self) -> bool {
        self.read_at.is_none_or(|at| at.elapsed() < SHARED_TTL)
    }
}

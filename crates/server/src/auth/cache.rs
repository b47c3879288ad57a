//! What was read of the store, held in memory: so many of it, and no longer than it can be trusted.
//!
//! Where this process alone changes the store, that is for ever, because whoever changes it changes what is held too.
//! Where other nodes change it as well, it is for a second: as long may a node still take a token or a login that
//! ended on another.

use std::hash::Hash;
use std::time::Duration;

use pactolus_ledger::{RecordAccess, Unavailable};
use quick_cache::sync::Cache;
use tokio::time::Instant;

/// How long what other nodes may change is trusted.
const SHARED_TTL: Duration = Duration::from_secs(1);

/// Values by keys, as they are in the store or were a moment ago.
pub(super) struct ReadCache<K, V> {
    cache: Cache<K, CachedValue<V>>,
    sharing: RecordAccess,
}

#[derive(Clone)]
struct CachedValue<V> {
    value: V,
    /// When reading it began; nothing where it is trusted for ever.
    read_at: Option<Instant>,
}

impl<K: Hash + Eq + Clone, V: Clone> ReadCache<K, V> {
    /// Room for `held_max` values of a store that is shared so.
    pub(super) fn new(capacity: usize, sharing: RecordAccess) -> Self {
        Self { cache: Cache::new(capacity), sharing }
    }

    /// What is held and can be trusted.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.cache.get(key).filter(CachedValue::is_fresh).map(|held| held.value)
    }

    /// What is held, or else what `read` reads.
    pub(super) async fn get_or_load(
        &self,
        key: &K,
        read: impl Future<Output = Result<Option<V>, Unavailable>>,
    ) -> Result<Option<V>, Unavailable> {
        // The guard keeps what is read here from taking the place of something newer.
        let guard = loop {
            match self.cache.get_value_or_guard_async(key).await {
                Ok(held) if held.is_fresh() => return Ok(Some(held.value)),
                Ok(old) => drop(self.cache.remove_if(key, |held| held.read_at == old.read_at)),
                Err(guard) => break guard,
            }
        };
        let read_at = self.read_time();
        let value = read.await?;
        if let Some(value) = &value {
            let _ = guard.insert(CachedValue { value: value.clone(), read_at });
        }
        Ok(value)
    }

    /// Holds what was just written.
    pub(super) fn insert(&self, key: K, value: V) {
        self.cache.insert(key, CachedValue { value, read_at: self.read_time() });
    }

    fn read_time(&self) -> Option<Instant> {
        match self.sharing {
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

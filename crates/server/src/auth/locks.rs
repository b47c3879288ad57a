//! Striped locks by name: bounded memory, rare false contention.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

/// Enough that two waiting names seldom share a lock: a write takes about a millisecond, so a thousand logins a
/// second hold one or two locks at once.
const SHARDS: usize = 256;

/// One lock per name, hashed onto [`SHARDS`] mutexes.
pub(super) struct KeyedLocks([Mutex<()>; SHARDS]);

impl KeyedLocks {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    pub(super) async fn lock(&self, name: impl Hash) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let index = hasher.finish() % SHARDS as u64;
        self.0[usize::try_from(index).expect("it is below the number of locks")].lock().await
    }
}

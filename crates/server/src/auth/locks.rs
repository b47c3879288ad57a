//! Locks by name: who waits for one waits for others of the same name only, or hardly any others.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

/// So many that those who queue up at once seldom meet: a write takes about a millisecond, so a thousand logins a
/// second keep one or two of them.
const SHARDS: usize = 256;

/// As many locks as there are names, as far as anybody can tell but for the waiting; in bounded memory.
pub(super) struct KeyedLocks([Mutex<()>; SHARDS]);

impl KeyedLocks {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    /// The lock of `name`, for as long as the guard is held.
    pub(super) async fn lock(&self, name: impl Hash) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let index = hasher.finish() % SHARDS as u64;
        self.0[usize::try_from(index).expect("it is below the number of locks")].lock().await
    }
}

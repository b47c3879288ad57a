//! The memtable: rows of published orders that the views do not hold yet, and a cache of accounts flushed lately.
//!
//! Rows of bill numbers and accounts are sharded by fingerprint, a lock for each shard, so the one publisher hardly
//! ever contends with the many readers. No two of the memtable's locks are held at once, and none during file I/O.
//!
//! A row leaves the memtable only after it was written to the views, so a reader that misses it here finds it there.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pactolus_ledger::TotalKey;

use crate::background::throttle::Throttle;
use crate::fingerprint::{Fingerprint, FingerprintMap};
use crate::journal::{Checkpoint, Position};
use crate::rows::{AccountRow, OrderRow, RowSet, TotalRow, Totals};
use crate::settings::EmbeddedSettings;

/// Number of shards; six bits of a fingerprint choose one.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 6;

/// Accounts moved while a lock is held: some ten microseconds' worth.
const RELEASE_CHUNK: usize = 128;

pub(crate) struct Memtable {
    /// In the order of their fingerprints.
    shards: [RwLock<Shard>; SHARDS],
    totals: RwLock<MemtableTotals>,
    /// End of the published part of the journal.
    end: RwLock<Checkpoint>,
    /// The position of `end`, readable without its lock.
    published: AtomicU64,
    /// Orders published since the last freeze.
    active_orders: AtomicUsize,
    /// Flushed accounts that a shard caches, about.
    flushed_max: usize,
}

#[derive(Default)]
struct Shard {
    /// Rows of orders since the last freeze.
    active: RowSet,
    /// Rows being written to the views.
    frozen: Option<Arc<RowSet>>,
    /// Cached accounts that the views hold. If `active` or `frozen` has one too, its row there is newer.
    flushed: FlushedAccounts,
    /// No rows, and the memory of flushed ones, for the next freeze: allocating so much at once would stall the
    /// publisher.
    spare: RowSet,
}

/// Cache of accounts of the last flushes: an account that just got coins is likely to be read again, and takes two
/// reads to find in the views.
#[derive(Default)]
struct FlushedAccounts {
    newer: FingerprintMap<AccountRow>,
    /// The generation before; dropped when `newer` is large enough.
    older: FingerprintMap<AccountRow>,
}

impl FlushedAccounts {
    fn get(&self, account: &Fingerprint) -> Option<&AccountRow> {
        self.newer.get(account).or_else(|| self.older.get(account))
    }

    /// Returns the accounts to drop, so that at most `max` and those of two flushes are cached.
    fn rotate(&mut self, max: usize) -> FingerprintMap<AccountRow> {
        if self.newer.len() < max / 2 {
            return FingerprintMap::default();
        }
        let newer = std::mem::take(&mut self.newer);
        std::mem::replace(&mut self.older, newer)
    }
}

#[derive(Default)]
struct MemtableTotals {
    active: Totals,
    frozen: Arc<Totals>,
}

/// Immutable rows on their way to the views.
pub(crate) struct FrozenRows {
    /// In the order of their fingerprints.
    pub(crate) shards: Vec<Arc<RowSet>>,
    pub(crate) totals: Arc<Totals>,
}

impl Memtable {
    pub(crate) fn new(settings: &EmbeddedSettings) -> Self {
        Self {
            flushed_max: settings.accounts_cached / SHARDS,
            shards: std::array::from_fn(|_| RwLock::default()),
            totals: RwLock::default(),
            end: RwLock::new(Checkpoint::START),
            published: AtomicU64::new(0),
            active_orders: AtomicUsize::new(0),
        }
    }

    /// End of the published part of the journal.
    pub(crate) fn end(&self) -> Checkpoint {
        *read_lock(&self.end)
    }

    /// The position of [`Memtable::end`]. Later look-ups see the rows of all orders before it.
    pub(crate) fn published(&self) -> Position {
        Position(self.published.load(Ordering::Acquire))
    }

    /// Position of the last order under a bill number, if the memtable has it.
    pub(crate) fn bill(&self, bill: Fingerprint) -> Option<Position> {
        let shard = read_lock(self.shard(bill));
        let frozen = || shard.frozen.as_ref().and_then(|rows| rows.bills.get(&bill));
        shard.active.bills.get(&bill).or_else(frozen).copied()
    }

    pub(crate) fn account(&self, account: Fingerprint) -> Option<AccountRow> {
        let shard = read_lock(self.shard(account));
        let frozen = || shard.frozen.as_ref().and_then(|rows| rows.accounts.get(&account));
        let flushed = || shard.flushed.get(&account);
        shard.active.accounts.get(&account).or_else(frozen).or_else(flushed).copied()
    }

    pub(crate) fn total(&self, key: &TotalKey) -> Option<TotalRow> {
        let totals = read_lock(&self.totals);
        totals.active.get(key).or_else(|| totals.frozen.get(key)).copied()
    }

    /// All wanted totals in the memtable. A key may come twice: the newer row counts more orders.
    pub(crate) fn totals(&self, wanted: impl Fn(&TotalKey) -> bool) -> Vec<(TotalKey, TotalRow)> {
        let totals = read_lock(&self.totals);
        let rows = totals.frozen.iter().chain(&totals.active).filter(|(key, _)| wanted(key));
        rows.map(|(key, row)| (*key, *row)).collect()
    }

    /// Accounts changed since the last flush that is in the views.
    pub(crate) fn changed_accounts(&self) -> FingerprintMap<AccountRow> {
        let mut changed = FingerprintMap::default();
        for shard in &self.shards {
            let shard = read_lock(shard);
            changed.extend(shard.frozen.iter().flat_map(|rows| &rows.accounts));
            changed.extend(&shard.active.accounts);
        }
        changed
    }

    /// Publishes the rows of durable orders, the newest last, and then moves the end to `end`. Returns the number of
    /// active orders.
    ///
    /// Only one thread publishes and freezes.
    pub(crate) fn publish(&self, rows: &[OrderRow], totals: &Totals, end: Checkpoint) -> usize {
        for row in rows {
            for bill in row.keys.bills() {
                write_lock(self.shard(bill)).active.bills.insert(bill, row.position);
            }
            write_lock(self.shard(row.keys.account)).active.accounts.insert(row.keys.account, row.into());
        }
        write_lock(&self.totals).active.extend(totals);
        *write_lock(&self.end) = end;
        self.published.store(end.position.0, Ordering::Release);
        self.active_orders.fetch_add(rows.len(), Ordering::Relaxed) + rows.len()
    }

    /// Orders published since the last freeze.
    pub(crate) fn active_orders(&self) -> usize {
        self.active_orders.load(Ordering::Relaxed)
    }

    /// Freezes the active rows for a flush. The rows frozen before have been released.
    pub(crate) fn freeze(&self) -> FrozenRows {
        self.active_orders.store(0, Ordering::Relaxed);
        let freeze = |shard: &RwLock<Shard>| {
            let mut shard = write_lock(shard);
            let spare = std::mem::take(&mut shard.spare);
            let rows = Arc::new(std::mem::replace(&mut shard.active, spare));
            shard.frozen = Some(Arc::clone(&rows));
            rows
        };
        let shards = self.shards.iter().map(freeze).collect();
        let mut totals = write_lock(&self.totals);
        totals.frozen = Arc::new(std::mem::take(&mut totals.active));
        FrozenRows { shards, totals: Arc::clone(&totals.frozen) }
    }

    /// Releases frozen rows, which the views hold now.
    pub(crate) fn release_flushed(&self, frozen_rows: FrozenRows, throttle: &Throttle<'_>) {
        write_lock(&self.totals).frozen = Arc::default();
        for (shard, rows) in self.shards.iter().zip(frozen_rows.shards) {
            // In chunks, so that no reader waits for all. Accounts moved so far are not seen here yet: a look-up
            // tries the frozen rows, which are the same, first.
            let mut accounts = rows.accounts.iter();
            while accounts.len() > 0 {
                write_lock(shard).flushed.newer.extend(accounts.by_ref().take(RELEASE_CHUNK));
                throttle.step();
            }
            let mut guard = write_lock(shard);
            guard.frozen = None;
            let dropped = guard.flushed.rotate(self.flushed_max);
            drop(guard);
            // Freeing memory takes a while, so no lock is held. This is the only reference to the rows.
            drop(dropped);
            let mut rows = Arc::into_inner(rows).unwrap_or_default();
            rows.clear();
            write_lock(shard).spare = rows;
        }
    }

    fn shard(&self, fingerprint: Fingerprint) -> &RwLock<Shard> {
        let shard = fingerprint.high >> (u64::BITS - SHARD_BITS);
        &self.shards[usize::try_from(shard).expect("six bits")]
    }
}

/// Nothing panics under these locks, and no change is visible half done, so a poisoned lock is safe to use.
fn read_lock<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write_lock<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

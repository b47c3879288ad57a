//! The tail: the rows of published orders that the views do not hold yet, in memory, and accounts that left it lately.
//!
//! The rows of bill numbers and accounts are cut into shards by their fingerprints, each with a lock of its own, so
//! that the one who publishes and the many who look up hardly ever meet. No two of the tail's locks are held at once,
//! and none while a file is read or written.
//!
//! A row that leaves the tail was written to the views before, so whoever misses it here finds it there.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pactolus_ledger::TotalKey;

use crate::background::throttle::Throttle;
use crate::fingerprint::{Fingerprint, FingerprintMap};
use crate::journal::{Checkpoint, Position};
use crate::rows::{AccountRow, OrderRow, RowSet, TotalRow, Totals};
use crate::settings::EmbeddedSettings;

/// How many shards there are: as many as six bits tell apart.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 6;

/// How many accounts are moved under a lock: some ten microseconds' worth.
const RELEASE_CHUNK: usize = 128;

/// The rows that the views do not hold yet.
pub(crate) struct Memtable {
    /// In the order of the fingerprints that they hold.
    shards: [RwLock<Shard>; SHARDS],
    totals: RwLock<MemtableTotals>,
    /// Where the published part of the journal ends.
    end: RwLock<Checkpoint>,
    /// The position of `end`, for whoever needs no more of it.
    published: AtomicU64,
    /// How many orders were published since the last bulk was cut off.
    active_orders: AtomicUsize,
    /// How many accounts that the views hold a shard keeps all the same, about.
    flushed_max: usize,
}

#[derive(Default)]
struct Shard {
    /// Rows of orders since the last bulk was cut off.
    active: RowSet,
    /// Rows that are being written to the views.
    frozen: Option<Arc<RowSet>>,
    /// Accounts that the views hold; of one that is in the others too, the others have the newer row.
    flushed: FlushedAccounts,
    /// No rows, and the memory of those before, for the next: to ask for so much at once takes longer than anybody
    /// should wait who has an order to publish.
    spare: RowSet,
}

/// Accounts of the last bulks that were written, kept because whoever just got coins is likely to be asked about
/// again, and in the views an account takes two reads to find.
#[derive(Default)]
struct FlushedAccounts {
    newer: FingerprintMap<AccountRow>,
    /// Those before; forgotten when there are enough young ones.
    older: FingerprintMap<AccountRow>,
}

impl FlushedAccounts {
    fn get(&self, account: &Fingerprint) -> Option<&AccountRow> {
        self.newer.get(account).or_else(|| self.older.get(account))
    }

    /// Returns what it forgets, so that hardly more than `max` accounts are kept.
    fn rotate(&mut self, max: usize) -> FingerprintMap<AccountRow> {
        if self.newer.len() < max / 2 {
            return FingerprintMap::default();
        }
        let young = std::mem::take(&mut self.newer);
        std::mem::replace(&mut self.older, young)
    }
}

#[derive(Default)]
struct MemtableTotals {
    active: Totals,
    frozen: Arc<Totals>,
}

/// Rows on their way to the views.
pub(crate) struct FrozenRows {
    /// In the order of the fingerprints that they hold.
    pub(crate) shards: Vec<Arc<RowSet>>,
    pub(crate) totals: Arc<Totals>,
}

impl Memtable {
    /// The tail of an empty journal.
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

    /// Where the published part of the journal ends.
    pub(crate) fn end(&self) -> Checkpoint {
        *read_lock(&self.end)
    }

    /// The position of [`Memtable::end`]: rows of all orders before it are seen by whoever looks them up afterwards.
    pub(crate) fn published(&self) -> Position {
        Position(self.published.load(Ordering::Acquire))
    }

    /// Where the last order under a bill number stands, if it is in the tail.
    pub(crate) fn bill(&self, bill: Fingerprint) -> Option<Position> {
        let shard = read_lock(self.shard(bill));
        let frozen = || shard.frozen.as_ref().and_then(|rows| rows.bills.get(&bill));
        shard.active.bills.get(&bill).or_else(frozen).copied()
    }

    /// An account that is in the tail.
    pub(crate) fn account(&self, account: Fingerprint) -> Option<AccountRow> {
        let shard = read_lock(self.shard(account));
        let frozen = || shard.frozen.as_ref().and_then(|rows| rows.accounts.get(&account));
        let written = || shard.flushed.get(&account);
        shard.active.accounts.get(&account).or_else(frozen).or_else(written).copied()
    }

    /// The sums of an offer, zone and day, if they are in the tail.
    pub(crate) fn total(&self, key: &TotalKey) -> Option<TotalRow> {
        let totals = read_lock(&self.totals);
        totals.active.get(key).or_else(|| totals.frozen.get(key)).copied()
    }

    /// All sums that are in the tail, some of them twice: the newer counts more orders.
    pub(crate) fn totals(&self, wanted: impl Fn(&TotalKey) -> bool) -> Vec<(TotalKey, TotalRow)> {
        let totals = read_lock(&self.totals);
        let rows = totals.frozen.iter().chain(&totals.active).filter(|(key, _)| wanted(key));
        rows.map(|(key, row)| (*key, *row)).collect()
    }

    /// The accounts that have changed since the last bulk that is in the views.
    pub(crate) fn changed_accounts(&self) -> FingerprintMap<AccountRow> {
        let mut changed = FingerprintMap::default();
        for shard in &self.shards {
            let shard = read_lock(shard);
            changed.extend(shard.frozen.iter().flat_map(|rows| &rows.accounts));
            changed.extend(&shard.active.accounts);
        }
        changed
    }

    /// Makes rows of durable orders visible, the newest last, and then says that they reach up to `end`; tells how
    /// many orders are gathered.
    ///
    /// There is one who publishes, and who cuts off bulks.
    pub(crate) fn publish(&self, rows: &[OrderRow], totals: &Totals, end: Checkpoint) -> usize {
        for row in rows {
            write_lock(self.shard(row.keys.bill)).active.bills.insert(row.keys.bill, row.position);
            write_lock(self.shard(row.keys.account)).active.accounts.insert(row.keys.account, row.into());
        }
        write_lock(&self.totals).active.extend(totals);
        *write_lock(&self.end) = end;
        self.published.store(end.position.0, Ordering::Release);
        self.active_orders.fetch_add(rows.len(), Ordering::Relaxed) + rows.len()
    }

    /// How many orders are gathered and not cut off yet.
    pub(crate) fn active_orders(&self) -> usize {
        self.active_orders.load(Ordering::Relaxed)
    }

    /// Cuts off what is gathered, to be written to the views. The bulk before has been let go of.
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

    /// Lets go of a bulk, which the views hold now.
    pub(crate) fn release_flushed(&self, frozen_rows: FrozenRows, throttle: &Throttle<'_>) {
        write_lock(&self.totals).frozen = Arc::default();
        for (shard, rows) in self.shards.iter().zip(frozen_rows.shards) {
            // A few at a time, so that nobody waits for all. Those that are there already are not seen yet, because
            // the frozen rows, which are the same, are looked at first.
            let mut accounts = rows.accounts.iter();
            while accounts.len() > 0 {
                write_lock(shard).flushed.newer.extend(accounts.by_ref().take(RELEASE_CHUNK));
                throttle.step();
            }
            let mut held = write_lock(shard);
            held.frozen = None;
            let forgotten = held.flushed.rotate(self.flushed_max);
            drop(held);
            // Letting go of memory takes a while. Nobody holds the rows but who gave them here.
            drop(forgotten);
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

/// Nothing panics under these locks, and no change leaves anything half done that a reader could take for true.
fn read_lock<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write_lock<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

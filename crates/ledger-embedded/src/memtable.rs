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

use crate::background::throttle::Pace;
use crate::fingerprint::{Fingerprint, Map};
use crate::journal::{Mark, Position};
use crate::rows::{AccountRow, OrderRow, Rows, TotalRow, Totals};
use crate::settings::Settings;

/// How many shards there are: as many as six bits tell apart.
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 6;

/// How many accounts are moved under a lock: some ten microseconds' worth.
const THAWED_AT_ONCE: usize = 128;

/// The rows that the views do not hold yet.
pub(crate) struct Tail {
    /// In the order of the fingerprints that they hold.
    shards: [RwLock<Shard>; SHARDS],
    totals: RwLock<TotalsTail>,
    /// Where the published part of the journal ends.
    end: RwLock<Mark>,
    /// The position of `end`, for whoever needs no more of it.
    published: AtomicU64,
    /// How many orders were published since the last bulk was cut off.
    gathered: AtomicUsize,
    /// How many accounts that the views hold a shard keeps all the same, about.
    written_max: usize,
}

#[derive(Default)]
struct Shard {
    /// Rows of orders since the last bulk was cut off.
    active: Rows,
    /// Rows that are being written to the views.
    frozen: Option<Arc<Rows>>,
    /// Accounts that the views hold; of one that is in the others too, the others have the newer row.
    written: Written,
    /// No rows, and the memory of those before, for the next: to ask for so much at once takes longer than anybody
    /// should wait who has an order to publish.
    room: Rows,
}

/// Accounts of the last bulks that were written, kept because whoever just got coins is likely to be asked about
/// again, and in the views an account takes two reads to find.
#[derive(Default)]
struct Written {
    young: Map<AccountRow>,
    /// Those before; forgotten when there are enough young ones.
    old: Map<AccountRow>,
}

impl Written {
    fn get(&self, account: &Fingerprint) -> Option<&AccountRow> {
        self.young.get(account).or_else(|| self.old.get(account))
    }

    /// Returns what it forgets, so that hardly more than `max` accounts are kept.
    fn forget(&mut self, max: usize) -> Map<AccountRow> {
        if self.young.len() < max / 2 {
            return Map::default();
        }
        let young = std::mem::take(&mut self.young);
        std::mem::replace(&mut self.old, young)
    }
}

#[derive(Default)]
struct TotalsTail {
    active: Totals,
    frozen: Arc<Totals>,
}

/// Rows on their way to the views.
pub(crate) struct Bulk {
    /// In the order of the fingerprints that they hold.
    pub(crate) shards: Vec<Arc<Rows>>,
    pub(crate) totals: Arc<Totals>,
}

impl Tail {
    /// The tail of an empty journal.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            written_max: settings.accounts_kept / SHARDS,
            shards: std::array::from_fn(|_| RwLock::default()),
            totals: RwLock::default(),
            end: RwLock::new(Mark::START),
            published: AtomicU64::new(0),
            gathered: AtomicUsize::new(0),
        }
    }

    /// Where the published part of the journal ends.
    pub(crate) fn end(&self) -> Mark {
        *read(&self.end)
    }

    /// The position of [`Tail::end`]: rows of all orders before it are seen by whoever looks them up afterwards.
    pub(crate) fn published(&self) -> Position {
        Position(self.published.load(Ordering::Acquire))
    }

    /// Where the last order under a bill number stands, if it is in the tail.
    pub(crate) fn bill(&self, bill: Fingerprint) -> Option<Position> {
        let shard = read(self.shard(bill));
        let frozen = || shard.frozen.as_ref().and_then(|rows| rows.bills.get(&bill));
        shard.active.bills.get(&bill).or_else(frozen).copied()
    }

    /// An account that is in the tail.
    pub(crate) fn account(&self, account: Fingerprint) -> Option<AccountRow> {
        let shard = read(self.shard(account));
        let frozen = || shard.frozen.as_ref().and_then(|rows| rows.accounts.get(&account));
        let written = || shard.written.get(&account);
        shard.active.accounts.get(&account).or_else(frozen).or_else(written).copied()
    }

    /// The sums of an offer, zone and day, if they are in the tail.
    pub(crate) fn total(&self, key: &TotalKey) -> Option<TotalRow> {
        let totals = read(&self.totals);
        totals.active.get(key).or_else(|| totals.frozen.get(key)).copied()
    }

    /// All sums that are in the tail, some of them twice: the newer counts more orders.
    pub(crate) fn totals(&self, wanted: impl Fn(&TotalKey) -> bool) -> Vec<(TotalKey, TotalRow)> {
        let totals = read(&self.totals);
        let rows = totals.frozen.iter().chain(&totals.active).filter(|(key, _)| wanted(key));
        rows.map(|(key, row)| (*key, *row)).collect()
    }

    /// The accounts that have changed since the last bulk that is in the views.
    pub(crate) fn changed_accounts(&self) -> Map<AccountRow> {
        let mut changed = Map::default();
        for shard in &self.shards {
            let shard = read(shard);
            changed.extend(shard.frozen.iter().flat_map(|rows| &rows.accounts));
            changed.extend(&shard.active.accounts);
        }
        changed
    }

    /// Makes rows of durable orders visible, the newest last, and then says that they reach up to `end`; tells how
    /// many orders are gathered.
    ///
    /// There is one who publishes, and who cuts off bulks.
    pub(crate) fn publish(&self, rows: &[OrderRow], totals: &Totals, end: Mark) -> usize {
        for row in rows {
            write(self.shard(row.names.bill)).active.bills.insert(row.names.bill, row.position);
            write(self.shard(row.names.account)).active.accounts.insert(row.names.account, row.into());
        }
        write(&self.totals).active.extend(totals);
        *write(&self.end) = end;
        self.published.store(end.position.0, Ordering::Release);
        self.gathered.fetch_add(rows.len(), Ordering::Relaxed) + rows.len()
    }

    /// How many orders are gathered and not cut off yet.
    pub(crate) fn gathered(&self) -> usize {
        self.gathered.load(Ordering::Relaxed)
    }

    /// Cuts off what is gathered, to be written to the views. The bulk before has been let go of.
    pub(crate) fn freeze(&self) -> Bulk {
        self.gathered.store(0, Ordering::Relaxed);
        let freeze = |shard: &RwLock<Shard>| {
            let mut shard = write(shard);
            let room = std::mem::take(&mut shard.room);
            let rows = Arc::new(std::mem::replace(&mut shard.active, room));
            shard.frozen = Some(Arc::clone(&rows));
            rows
        };
        let shards = self.shards.iter().map(freeze).collect();
        let mut totals = write(&self.totals);
        totals.frozen = Arc::new(std::mem::take(&mut totals.active));
        Bulk { shards, totals: Arc::clone(&totals.frozen) }
    }

    /// Lets go of a bulk, which the views hold now.
    pub(crate) fn thaw(&self, bulk: Bulk, pace: &Pace<'_>) {
        write(&self.totals).frozen = Arc::default();
        for (shard, rows) in self.shards.iter().zip(bulk.shards) {
            // A few at a time, so that nobody waits for all. Those that are there already are not seen yet, because
            // the frozen rows, which are the same, are looked at first.
            let mut accounts = rows.accounts.iter();
            while accounts.len() > 0 {
                write(shard).written.young.extend(accounts.by_ref().take(THAWED_AT_ONCE));
                pace.step();
            }
            let mut held = write(shard);
            held.frozen = None;
            let forgotten = held.written.forget(self.written_max);
            drop(held);
            // Letting go of memory takes a while. Nobody holds the rows but who gave them here.
            drop(forgotten);
            let mut rows = Arc::into_inner(rows).unwrap_or_default();
            rows.clear();
            write(shard).room = rows;
        }
    }

    fn shard(&self, fingerprint: Fingerprint) -> &RwLock<Shard> {
        let shard = fingerprint.high >> (u64::BITS - SHARD_BITS);
        &self.shards[usize::try_from(shard).expect("six bits")]
    }
}

/// Nothing panics under these locks, and no change leaves anything half done that a reader could take for true.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

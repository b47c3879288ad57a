//! Bounds of a store.

use crate::random::{FillRandom, os_random};

/// Bounds of a store; the defaults suit a machine with 1 GiB to spare.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// Orders that may queue for the writer; further callers wait. At some 500 bytes each, 16,384 take 8 MiB.
    pub queue_orders_max: usize,
    /// Orders that the memtable gathers before a flush. It takes at most some 1,200 bytes for each, 450 MiB for
    /// 393,216, which are read again in about a second after a crash. The rows of four times as many orders can be
    /// held: of twice as many active, and of twice as many frozen and being flushed. If each has its own account,
    /// that is 4 × 152 bytes (hash-table slots of 25 for the bill number and 89 for the account, three in four used).
    /// Accounts of flushed orders beyond `accounts_cached` bring it to 1,200. Tables grow by doubling, so other
    /// values may take up to 1,850.
    pub memtable_orders: usize,
    /// Accounts cached in memory besides, at some 140 bytes each: a million take 140 MiB. Other accounts are read
    /// from disk.
    pub accounts_cached: usize,
    /// Size at which a journal file is full and the next one begins.
    pub segment_bytes: u64,
    /// Memory for the Bloom filters that rule out unused bill numbers: the default is enough for sixty million
    /// orders. With less, more look-ups of new bill numbers read the disk.
    pub filter_bytes: u64,
    /// Disk space kept free, at most an eighth of the disk: with less free, new orders and records are refused.
    /// Accepted orders need the reserve to be flushed: four times `memtable_orders` in two indexes, at 26 bytes an
    /// entry, are 80 MiB, and the orders between two polls of the free space some 10 MiB. A merge needs as much space
    /// as its input, and is deferred while that is not free beside the reserve.
    pub disk_reserve_bytes: u64,
    /// Draws the key of a new store's fingerprints.
    pub randomness: FillRandom,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            queue_orders_max: 16_384,
            memtable_orders: 393_216,
            accounts_cached: 1_048_576,
            segment_bytes: 256 * MIB,
            filter_bytes: 256 * MIB,
            disk_reserve_bytes: 128 * MIB,
            randomness: os_random,
        }
    }
}

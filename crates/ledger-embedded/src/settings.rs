//! Bounds of a store.

/// Bounds of a store; the defaults suit a machine with 1 GiB to spare.
#[derive(Clone, Debug)]
pub struct EmbeddedSettings {
    /// How many orders may wait for the writer; the callers of more wait themselves. At some 500 bytes each,
    /// 16,384 take 8 MiB.
    pub queue_orders_max: usize,
    /// How many orders are gathered in memory before they go to the views. At most three times as many are held,
    /// at some 300 bytes each, and the accounts of as many: 393,216 take up to 400 MiB, and are read again in about
    /// a second after a crash.
    pub memtable_orders: usize,
    /// How many accounts are kept in memory beside those, at some 130 bytes each: a million take 130 MiB. Whoever is
    /// not among them is looked for on disk.
    pub accounts_cached: usize,
    /// How large a file of the journal grows before the next one begins.
    pub segment_bytes: u64,
    /// Room for the filters that say of a new bill number that it is new: the default is enough for sixty million
    /// orders. With less, more new ones are looked for on disk.
    pub filter_bytes: u64,
    /// How much room is left on the disk: with less, new orders and records are refused until there is more. Of a
    /// small disk it is an eighth at most. What was taken before needs it to go on: three bulks of `memtable_orders` rows
    /// in two indexes, at 26 bytes each, are 60 MiB, and the orders of the moment in which nobody looks some 10 MiB.
    /// A merge of the views needs as much as it merges, and is put off while there is not so much beside this.
    pub disk_reserve_bytes: u64,
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
        }
    }
}

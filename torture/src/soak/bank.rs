//! The bank under test: the built executable with a store and a configuration of its own.
//!
//! Its limits are small, so that every cache is full soon, and growth after that is a leak.

use std::fs;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use pactolus_reports::machine::disk::folder_bytes;
use serde::Deserialize;

use crate::bank::Bank;
use crate::workload;

const SESSIONS_CACHED: u64 = 20_000;
const RATES_CACHED: u64 = 1000;
const REJECTIONS_BYTES_MAX: u64 = 1 << 20;
const QUEUE_ORDERS_MAX: u64 = 16_384;
const MEMTABLE_ORDERS: u64 = 20_000;
const ACCOUNTS_CACHED: u64 = 20_000;
const FILTER_BYTES: u64 = 4 << 20;
/// Small enough for several segments within an hour; the bank keeps each segment file open.
const SEGMENT_BYTES: u64 = 64 << 20;

/// Upper bound of the bank's memory, from the documented sizes of its settings: 600 bytes a session, 300 a rate, 500
/// a queued order, 130 an account, and for the memtable 1,067 an order (`EmbeddedSettings::memtable_orders` counts at
/// most some 1,100).
///
/// The redb caches for logins and totals add 20 MiB. The rest, 128 MiB, is for the program, its threads and
/// connections, merges of runs, and memory that the allocator retains.
pub(super) const MEMORY_MAX_BYTES: u64 = SESSIONS_CACHED * 600
    + RATES_CACHED * 300
    + REJECTIONS_BYTES_MAX
    + QUEUE_ORDERS_MAX * 500
    + MEMTABLE_ORDERS * 1067
    + ACCOUNTS_CACHED * 130
    + FILTER_BYTES
    + (20 + 128) * (1 << 20);

/// Configuration file of the bank.
pub(super) fn config() -> String {
    let bounds = format!(
        r#"login = "open"

[limits]
sessions_cached = {SESSIONS_CACHED}
rates_cached = {RATES_CACHED}
rejections_bytes_max = {REJECTIONS_BYTES_MAX}

[embedded]
queue_orders_max = {QUEUE_ORDERS_MAX}
memtable_orders = {MEMTABLE_ORDERS}
accounts_cached = {ACCOUNTS_CACHED}
filter_bytes = {FILTER_BYTES}
segment_bytes = {SEGMENT_BYTES}
"#
    );
    workload::config(STORE, &bounds)
}

const STORE: &str = "embedded:./data";

/// One row of `pactolus export orders`.
#[derive(Debug, Deserialize)]
pub(super) struct ExportRow {
    pub(super) kind: String,
    pub(super) bill_no: String,
    pub(super) env: String,
    pub(super) openid: String,
    pub(super) coins: u64,
}

/// Makes an online backup and removes it.
pub(super) fn back_up(bank: &Bank) -> anyhow::Result<()> {
    let to = bank.folder().join("backup");
    let output = bank.command(&["backup", "--to", "backup"]).output()?;
    fs::remove_dir_all(&to)?;
    ensure!(output.status.success(), "the backup failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Visits every order of these days, in the order in which they were applied.
pub(super) fn for_each_order(
    bank: &Bank,
    from: &str,
    to: &str,
    mut visit: impl FnMut(ExportRow),
) -> anyhow::Result<()> {
    let mut export = bank.command(&["export", "orders", "--from", from, "--to", to]);
    let mut export = export.stdout(Stdio::piped()).spawn()?;
    let rows = csv::Reader::from_reader(export.stdout.take().context("the export has an output")?);
    for row in rows.into_deserialize() {
        visit(row?);
    }
    ensure!(export.wait()?.success(), "the export failed");
    Ok(())
}

/// Bytes of the store on disk. Retries, because a merge may remove a file meanwhile.
pub(super) fn store_bytes(bank: &Bank) -> anyhow::Result<u64> {
    const TRIES: usize = 10;
    let store = bank.folder().join("data");
    (1..TRIES).find_map(|_| folder_bytes(&store).ok()).map_or_else(|| Ok(folder_bytes(&store)?), Ok)
}

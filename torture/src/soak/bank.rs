//! The bank that is soaked: the built executable with a store and a configuration of its own.
//!
//! Its bounds are small, so that all that may fill is full soon, and what grows afterwards is a leak.

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
/// So small that there are several within an hour: each is a file that the bank keeps open.
const SEGMENT_BYTES: u64 = 64 << 20;

/// The most memory that this bank may take, by what its settings say of themselves: sessions of 600 bytes, rates of
/// 300, queued orders of 500, accounts of 130, and of the tail 400 MiB for every 393,216 orders.
///
/// Besides, the rows of logins and of sums have caches of 20 MiB. The rest, 128 MiB, is for the program, its threads and
/// connections, runs that are merged, and what the allocator keeps for later.
pub(super) const MEMORY_MAX_BYTES: u64 = SESSIONS_CACHED * 600
    + RATES_CACHED * 300
    + REJECTIONS_BYTES_MAX
    + QUEUE_ORDERS_MAX * 500
    + MEMTABLE_ORDERS * 1067
    + ACCOUNTS_CACHED * 130
    + FILTER_BYTES
    + (20 + 128) * (1 << 20);

/// What it is configured like.
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

/// An order as the bank exports it.
#[derive(Debug, Deserialize)]
pub(super) struct ExportRow {
    pub(super) kind: String,
    pub(super) bill_no: String,
    pub(super) env: String,
    pub(super) openid: String,
    pub(super) coins: u64,
}

/// Backs it up while it is served, and removes the copy.
pub(super) fn back_up(bank: &Bank) -> anyhow::Result<()> {
    let to = bank.folder().join("backup");
    let output = bank.command(&["backup", "--to", "backup"]).output()?;
    fs::remove_dir_all(&to)?;
    ensure!(output.status.success(), "the backup failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Visits every order of these days, in the order in which they were decided.
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

/// What its store takes on the disk. A file that is merged away meanwhile is no error.
pub(super) fn store_bytes(bank: &Bank) -> anyhow::Result<u64> {
    const TRIES: usize = 10;
    let store = bank.folder().join("data");
    (1..TRIES).find_map(|_| folder_bytes(&store).ok()).map_or_else(|| Ok(folder_bytes(&store)?), Ok)
}

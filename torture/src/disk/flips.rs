//! Bits that flip while the store is closed.
//!
//! In the journal every flip is detected: the store does not open, the audit has a finding, or a read fails. In a
//! view a flip is detected or harmless. In the records a flip may also lose the latest values
//! ([`FlipOutcomes::forgotten`]). No order, account or total is ever wrong.
//!
//! One flip cannot be detected: in the last frame of the journal, while the views do not have it yet, a flip looks
//! like a torn write. Recovery truncates that frame, and its orders are lost. The zeros after it are preallocated
//! space.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use pactolus_ledger::{Audit, Ledger as _};
use pactolus_ledger_embedded::{EmbeddedStore, OpenError};
use pactolus_reports::table::{MarkdownTable, format_number, to_f64};
use pollster::block_on;
use serde::Serialize;

use super::{Fixture, settings};
use crate::checker::{Baseline, Checker};

/// Flips in copies of one store, one bit each, before the next store is made.
const FLIPS_PER_STORE: usize = 20;

/// Outcomes by the component that was damaged.
#[derive(Default, Serialize)]
pub(super) struct FlipStats(BTreeMap<String, FlipOutcomes>);

#[derive(Default, Serialize)]
struct FlipOutcomes {
    struck: u64,
    /// The store did not open.
    refused: u64,
    /// The process aborted.
    ended: u64,
    /// The audit had a finding.
    audited: u64,
    /// A read or an order failed.
    failed: u64,
    /// Every answer is unchanged.
    harmless: u64,
    /// The last frame was truncated as torn.
    cut_off: u64,
    /// A record has an earlier value or is absent, and nothing reports it.
    forgotten: u64,
}

/// Makes a store and flips bits in copies of it.
pub(super) fn inject(seed: u64, flips: &mut FlipStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    let store = fixture.open()?;
    fixture.run_workload(&store)?;
    // Half of the stores are closed first, so that the views hold every order.
    if fixture.random.bool() {
        block_on(store.close());
    }
    let folder = fixture.disk.folder();
    let last = journal_end(&folder)?;
    if block_on(store.ready()).is_ok() {
        while journal_end(&folder)? == last {
            let order = fixture.checker.orders.next_order(&mut fixture.random);
            fixture.checker.post(&store, &order, fixture.checker.orders.now())?;
        }
    }
    let end = journal_end(&folder)?;
    let baseline = fixture.checker.baseline(&store);
    // The disk at this moment. A close would flush the views up to the end of the journal.
    let image = fixture.disk.image();
    fixture.disk.cut_power();
    drop(store);

    for _ in 0..FLIPS_PER_STORE {
        fixture.disk.restart_from_image(&image);
        let files = fixture.disk.files();
        let (path, ranges) = &files[fixture.random.usize(..files.len())];
        let holds_something = |range: &&Range<u64>| *path != end.file || range.start < end.offset;
        let ranges: Vec<_> = ranges.iter().filter(holds_something).collect();
        if ranges.is_empty() {
            continue;
        }
        let range = ranges[fixture.random.usize(..ranges.len())].clone();
        let (offset, bit) = (fixture.random.u64(range), fixture.random.u32(..8));
        fixture.disk.flip_bit(path, offset, bit);
        let position = if !path.starts_with("journal") || last.is_after(path, offset) {
            FlipPosition::Before
        } else if end.is_after(path, offset) {
            FlipPosition::Within
        } else {
            FlipPosition::After
        };
        let outcomes = flips.0.entry(component(path).to_owned()).or_default();
        outcomes.struck += 1;
        // On some damage redb panics, and panics again while it unwinds, which aborts the process.
        if is_redb_file(path) && !probe_succeeds(&fixture.disk.folder())? {
            outcomes.ended += 1;
            continue;
        }
        let opened = EmbeddedStore::open(&fixture.disk.folder(), &settings());
        classify(opened, path, offset, position, &baseline, outcomes)
            .with_context(|| format!("bit {bit} of byte {offset} of {} was flipped", path.display()))?;
    }
    Ok(())
}

fn is_redb_file(path: &Path) -> bool {
    path.starts_with("records") || path.starts_with("views/totals")
}

/// Whether a child process exits normally after it opened and read the store, or failed to open it.
fn probe_succeeds(folder: &Path) -> anyhow::Result<bool> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["disk", "--probe"]).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(child.status()?.success())
}

/// Opens a store, if possible, and reads everything that redb holds.
pub(super) fn probe(folder: &Path) {
    if let Ok(store) = EmbeddedStore::open(folder, &settings()) {
        let _ = block_on(store.audit());
        let checker = Checker::new(0);
        let _ = checker.baseline(&store);
    }
}

/// End of a journal.
#[derive(PartialEq, Eq)]
struct JournalEnd {
    /// Last segment file, relative to the store's folder.
    file: PathBuf,
    /// Offset after the last non-zero byte. The last frame may end with further zeros.
    offset: u64,
}

impl JournalEnd {
    /// Whether a position in the journal is before this end.
    fn is_after(&self, file: &Path, offset: u64) -> bool {
        (file, offset) < (&self.file, self.offset)
    }
}

/// Position of a flipped bit relative to the last frame of the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FlipPosition {
    /// Before the last frame, or not in the journal.
    Before,
    Within,
    /// In the preallocated zeros after the last frame, or in the frame's own trailing zeros.
    After,
}

/// Current end of the journal of the store in `folder`.
fn journal_end(folder: &Path) -> anyhow::Result<JournalEnd> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.join("journal"))? {
        files.push(Path::new("journal").join(entry?.file_name()));
    }
    let file = files.into_iter().max().context("the store has no journal")?;
    let bytes = std::fs::read(folder.join(&file))?;
    let offset = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1) as u64;
    Ok(JournalEnd { file, offset })
}

/// Compares every answer of a damaged store with the baseline.
fn classify(
    opened: Result<EmbeddedStore, OpenError>,
    path: &Path,
    offset: u64,
    position: FlipPosition,
    baseline: &Baseline,
    outcomes: &mut FlipOutcomes,
) -> anyhow::Result<()> {
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            if let OpenError::Corrupt { file, offset: named, .. } = &error {
                ensure!(file.ends_with(path), "the error names {}", file.display());
                ensure!(*named <= offset, "the error names offset {named}, after the flip");
            }
            outcomes.refused += 1;
            return Ok(());
        }
    };
    let audit = block_on(store.audit());
    let is_clean = audit.as_ref().is_ok_and(Audit::is_clean);
    let differences = baseline.compare(&store);
    if position != FlipPosition::Before && !differences.mismatches.is_empty() && is_clean {
        ensure!(differences.only_missing, "{:?}", differences.mismatches);
        outcomes.cut_off += 1;
        return Ok(());
    }
    if path.starts_with("records") && differences.mismatches.iter().all(|what| what.starts_with("record")) {
        if !differences.mismatches.is_empty() {
            outcomes.forgotten += 1;
            return Ok(());
        }
    } else if let Some(wrong) = differences.mismatches.first() {
        bail!("undetected: {wrong} (audit: {audit:?})");
    }
    if !is_clean {
        outcomes.audited += 1;
    } else if differences.failed_reads > 0 {
        outcomes.failed += 1;
    } else {
        ensure!(!path.starts_with("journal") || position == FlipPosition::After, "the flip is undetected");
        outcomes.harmless += 1;
    }
    Ok(())
}

fn component(path: &Path) -> &'static str {
    let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
    match parts.as_slice() {
        ["journal", ..] => "journal",
        ["views", "totals", ..] => "views: sums",
        ["views", "bills" | "accounts", ..] => "views: indexes",
        ["views", ..] => "views: contents",
        ["records", ..] => "records",
        _ => "the format's version",
    }
}

impl FlipStats {
    pub(super) fn table(&self) -> String {
        let mut table = MarkdownTable::new(&[
            "Bits flipped in",
            "Count",
            "Not opened",
            "Process aborted",
            "Found by the audit",
            "Found by reading",
            "Harmless",
            "Last frame truncated as torn",
            "Records reverted",
            "Wrong answers",
        ]);
        for (what, outcomes) in &self.0 {
            let FlipOutcomes { struck, refused, ended, audited, failed, harmless, cut_off, forgotten } =
                outcomes;
            let counts = [struck, refused, ended, audited, failed, harmless, cut_off, forgotten, &0];
            let cells = counts.map(|count| format_number(to_f64(*count), 0));
            let row: Vec<&str> =
                std::iter::once(what.as_str()).chain(cells.iter().map(String::as_str)).collect();
            table.push_row(&row);
        }
        table.to_string()
    }
}

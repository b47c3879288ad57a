//! Bits that flip while the store is closed.
//!
//! In what holds orders every flip is found: the store is not opened, the audit tells, or a read fails. In a view or
//! a record it is found or is of no consequence. Nowhere is an answer wrong.
//!
//! One case nobody can tell: in the last frame of the journal, which the views do not hold yet, a flip looks like a
//! write that was torn. It is cut off, and its order with it. After that frame the file goes on with zeros, which hold
//! nothing.

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

/// How many bits are flipped, each by itself, in a store before the next is made.
const FLIPS_PER_STORE: usize = 20;

/// What came of flips, by what was struck.
#[derive(Default, Serialize)]
pub(super) struct FlipStats(BTreeMap<String, FlipOutcomes>);

#[derive(Default, Serialize)]
struct FlipOutcomes {
    struck: u64,
    /// The store was not opened.
    refused: u64,
    /// The program ended.
    ended: u64,
    /// The audit told.
    audited: u64,
    /// A read or an order failed.
    failed: u64,
    /// Everything is as it was.
    harmless: u64,
    /// The last frame was cut off.
    cut_off: u64,
    /// A record is as it was before, or not there, and nobody says so.
    forgotten: u64,
}

/// Makes a store and flips bits of it.
pub(super) fn inject(seed: u64, flips: &mut FlipStats) -> anyhow::Result<()> {
    let mut fixture = Fixture::new(seed)?;
    let store = fixture.open()?;
    fixture.run_workload(&store)?;
    // Closed in half of the stores, so that the views hold everything; in the others they do not.
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
    let right = fixture.checker.baseline(&store);
    // As it is at this moment on disk; closing it would bring the views up to the end.
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
        let place = if !path.starts_with("journal") || last.is_after(path, offset) {
            FlipPosition::Before
        } else if end.is_after(path, offset) {
            FlipPosition::Within
        } else {
            FlipPosition::After
        };
        let outcomes = flips.0.entry(component(path).to_owned()).or_default();
        outcomes.struck += 1;
        // The storage engine panics over some damage, and while it unwinds once more, which ends the program.
        if is_redb_file(path) && !probe_succeeds(&fixture.disk.folder())? {
            outcomes.ended += 1;
            continue;
        }
        let opened = EmbeddedStore::open(&fixture.disk.folder(), &settings());
        classify(opened, path, offset, place, &right, outcomes)
            .with_context(|| format!("bit {bit} of byte {offset} of {} was flipped", path.display()))?;
    }
    Ok(())
}

fn is_redb_file(path: &Path) -> bool {
    path.starts_with("records") || path.starts_with("views/totals")
}

/// Whether a program can open a store and read it, or not open it, and end by itself.
fn probe_succeeds(folder: &Path) -> anyhow::Result<bool> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["disk", "--probe"]).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(child.status()?.success())
}

/// Opens a store, if it can be opened, and reads what the storage engine keeps.
pub(super) fn probe(folder: &Path) {
    if let Ok(store) = EmbeddedStore::open(folder, &settings()) {
        let _ = block_on(store.audit());
        let checker = Checker::new(0);
        let _ = checker.baseline(&store);
    }
}

/// Where a journal ends.
#[derive(PartialEq, Eq)]
struct JournalEnd {
    /// Its last file, from the store's folder.
    file: PathBuf,
    /// After the last byte that is not zero; the last frame may go on with some that are.
    offset: u64,
}

impl JournalEnd {
    /// Whether this is after a place in a file of the journal.
    fn is_after(&self, file: &Path, offset: u64) -> bool {
        (file, offset) < (&self.file, self.offset)
    }
}

/// Where a bit was flipped, relative to the last frame of the journal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FlipPosition {
    /// Before the last frame of the journal, or not in the journal.
    Before,
    Within,
    /// In the zeros after the last frame, or in those that it ends with.
    After,
}

/// Where the journal of the store in `folder` ends now.
fn journal_end(folder: &Path) -> anyhow::Result<JournalEnd> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.join("journal"))? {
        files.push(Path::new("journal").join(entry?.file_name()));
    }
    let file = files.into_iter().max().context("there is a journal")?;
    let bytes = std::fs::read(folder.join(&file))?;
    let offset = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1) as u64;
    Ok(JournalEnd { file, offset })
}

/// Looks at all that a damaged store says.
fn classify(
    opened: Result<EmbeddedStore, OpenError>,
    path: &Path,
    offset: u64,
    place: FlipPosition,
    right: &Baseline,
    outcomes: &mut FlipOutcomes,
) -> anyhow::Result<()> {
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            if let OpenError::Corrupt { file, offset: named, .. } = &error {
                ensure!(file.ends_with(path), "{} is named", file.display());
                ensure!(*named <= offset, "offset {named} is named");
            }
            outcomes.refused += 1;
            return Ok(());
        }
    };
    let audit = block_on(store.audit());
    let is_clean = audit.as_ref().is_ok_and(Audit::is_clean);
    let differences = right.compare(&store);
    if place != FlipPosition::Before && !differences.mismatches.is_empty() && is_clean {
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
        bail!("it is not told, and {wrong} (audit: {audit:?})");
    }
    if !is_clean {
        outcomes.audited += 1;
    } else if differences.failed_reads > 0 {
        outcomes.failed += 1;
    } else {
        ensure!(!path.starts_with("journal") || place == FlipPosition::After, "nobody found it");
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
            "How often",
            "Not opened",
            "Ended the program",
            "Found by the audit",
            "Found by reading",
            "Harmless",
            "Last frame, cut off as torn",
            "Records forgotten",
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

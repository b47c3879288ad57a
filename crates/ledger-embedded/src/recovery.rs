//! Recovery: opens a store's files, scans the journal from the views' checkpoint, and cuts a torn end off.
//!
//! A bit flip in a frame that the header of a later frame follows is refused by file and offset. Damage in the last
//! answered frame is cut off as a torn write.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::background::flusher::Flusher;
use crate::disk::space::DiskSpace;
use crate::disk::sync_folder;
use crate::error::OpenError;
use crate::health::{Health, StoreFailure};
use crate::journal::scan::{Scan, ScanStep};
use crate::journal::segment::{HEADER_BYTES, Segment};
use crate::journal::{AppendCursor, Appender, Checkpoint, Journal, Position};
use crate::rows::{self, OrderRow, Totals};
use crate::settings::EmbeddedSettings;
use crate::state::StoreState;
use crate::views::{ViewError, Views};
use crate::write::committer::{CommitWorker, Committer};
use crate::write::writer::Writer;

/// Offset of a segment's first frame.
const FIRST_FRAME_OFFSET: u64 = HEADER_BYTES as u64;

/// Opens the state, and a writer that appends at its end.
pub(crate) fn open(
    folder: &Path,
    settings: &EmbeddedSettings,
    space: Arc<DiskSpace>,
    health: Arc<Health>,
) -> Result<(Arc<StoreState>, Writer), OpenError> {
    let disk = Arc::clone(space.disk());
    let journal = Arc::new(Journal::open(&folder.join("journal"), &*disk)?);
    let views = Views::open(&folder.join("views"), settings, Arc::clone(&space))
        .map_err(|error| view_error(folder, error))?;
    sync_folder(folder)?;
    let reached = views.reached();
    let state = Arc::new(StoreState::new(Arc::clone(&journal), views, space, health, settings));
    let mut flusher = Flusher::start(Arc::clone(&state), settings.memtable_orders)?;
    let end = recover(&state, &mut flusher, reached, settings.memtable_orders, folder)?;
    let cursor = AppendCursor::new(&journal, end, settings.segment_bytes);
    let appender = Appender::new(disk, journal, end)?;
    let worker = CommitWorker::new(Arc::clone(&state), appender, flusher, settings.memtable_orders);
    Ok((Arc::clone(&state), Writer::new(state, cursor, Committer::start(worker)?)))
}

/// Adds the orders after `reached` to the memtable, cuts a torn end off, and makes the last frame durable.
fn recover(
    state: &StoreState,
    flusher: &mut Flusher,
    reached: Checkpoint,
    memtable_orders: usize,
    folder: &Path,
) -> Result<Checkpoint, OpenError> {
    let last = state.journal.segment(reached.position);
    if last.offset(reached.position) > last.file_bytes()? {
        return Err(OpenError::JournalTruncated);
    }
    let mut scan = Scan::new(&state.journal, reached);
    let mut rows = Vec::new();
    let (mut unflushed, mut last) = (0, None);
    loop {
        let before = *scan.checkpoint();
        match scan.step()? {
            ScanStep::Frame => {
                // Only the frames before this one are surely durable, and the views must not get ahead of the
                // journal. Without a flush, memory would have to hold the rest of the journal.
                if unflushed >= memtable_orders && !flusher.start_flush(before) {
                    return Err(flush_error(state, folder));
                }
                last = Some(scan.frame().len());
                rows.clear();
                let mut totals = Totals::default();
                for entry in scan.entries() {
                    let (position, entry) = entry?;
                    let (order, change) = (&entry.receipt.order, entry.receipt.effect());
                    rows.push(OrderRow { keys: state.order_keys(order), position, after: change.after });
                    let counted = rows::count(&mut totals, order, &change, position, |key| state.total(key));
                    if let Err(error) = counted {
                        // As in `BatchBuilder::apply`.
                        state.refuse(&error);
                    }
                }
                unflushed = state.memtable.publish(&rows, &totals, *scan.checkpoint());
            }
            ScanStep::Torn => {
                let segment = scan.segment();
                let offset = segment.offset(scan.checkpoint().position);
                tracing::warn!(file = %segment.path.display(), offset, "cutting off a torn batch at the journal's end");
                segment.file()?.set_len(offset)?;
            }
            ScanStep::End => {
                if last.is_none() && !passes_through(&state.journal, reached)? {
                    return Err(OpenError::JournalTruncated);
                }
                break;
            }
        }
    }
    // Without a frame, the journal's end is not published yet.
    state.memtable.publish(&[], &Totals::default(), *scan.checkpoint());
    make_durable(scan.segment(), scan.checkpoint().position, last)?;
    Ok(*scan.checkpoint())
}

/// Whether the journal passes through `mark`, after which there is no frame.
///
/// Preallocated zeros make the file longer than the journal, so its length does not tell.
fn passes_through(journal: &Journal, checkpoint: Checkpoint) -> Result<bool, OpenError> {
    let segment = journal.segment(checkpoint.position);
    if segment.before == checkpoint || segment.offset(checkpoint.position) == segment.file_bytes()? {
        return Ok(true);
    }
    let mut scan = Scan::new(journal, segment.before);
    while scan.checkpoint().position < checkpoint.position {
        match scan.step() {
            Ok(ScanStep::Frame) => {}
            Ok(ScanStep::End | ScanStep::Torn) => return Ok(false),
            // Damage behind the views refuses the orders that need it, and not the store: their keys are in the views.
            Err(OpenError::Corrupt { .. }) if scan.step_over().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(*scan.checkpoint() == checkpoint)
}

/// Makes a segment durable up to `end`. Its last frame, if any, ends there and has `last_frame` bytes.
///
/// The last write of a killed process may be in the page cache only, and must be durable before any reader sees it.
/// If its sync failed, the kernel takes the pages for clean, and another sync does nothing. So the last frame, the
/// only one in doubt, is written again as it was read.
fn make_durable(segment: &Segment, end: Position, last_frame: Option<usize>) -> io::Result<()> {
    let start = last_frame.and_then(|bytes| segment.offset(end).checked_sub(bytes as u64));
    // A frame in an earlier file was synced before this file was begun.
    if let (Some(start), Some(bytes)) = (start.filter(|start| *start >= FIRST_FRAME_OFFSET), last_frame) {
        let mut frame = vec![0; bytes];
        segment.file()?.read_exact_at(&mut frame, start)?;
        segment.file()?.write_all_at(&frame, start)?;
    }
    segment.file()?.sync_all()
}

/// Why a flush did not start.
fn flush_error(state: &StoreState, folder: &Path) -> OpenError {
    if state.space.is_full() {
        return OpenError::DiskFull { folder: folder.to_owned() };
    }
    if state.space.flush_stalled() {
        return OpenError::FileLimit { folder: folder.to_owned() };
    }
    let failure = state.health.failure().unwrap_or_else(|| StoreFailure::new("the flusher ended"));
    OpenError::ViewsNotWritten { folder: folder.join("views"), source: Box::new(failure) }
}

fn view_error(folder: &Path, error: ViewError) -> OpenError {
    if error.is_full() {
        return OpenError::DiskFull { folder: folder.to_owned() };
    }
    OpenError::Views { folder: folder.join("views"), source: Box::new(error) }
}

//! Brings the books of a store back: opens its files, reads the journal from where the views end, and cuts a torn end off.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::background::flusher::Flusher;
use crate::disk::space::Room;
use crate::disk::sync_folder;
use crate::error::OpenError;
use crate::journal::scan::{Scan, Step};
use crate::journal::segment::{HEADER_BYTES, Segment};
use crate::journal::{Appender, Head, Journal, Mark, Position};
use crate::rows::{self, OrderRow, Totals};
use crate::settings::Settings;
use crate::state::{Books, BooksError};
use crate::views::{ViewError, Views};
use crate::write::committer::{Committer, Committing};
use crate::write::writer::Writer;

/// Where in a segment its first frame begins.
const FIRST_FRAME: u64 = HEADER_BYTES as u64;

/// Opens the books and a writer that goes on where they end.
pub(crate) fn open(
    folder: &Path,
    settings: &Settings,
    room: Arc<Room>,
) -> Result<(Arc<Books>, Writer), OpenError> {
    let disk = Arc::clone(room.disk());
    let journal = Arc::new(Journal::open(&folder.join("journal"), &*disk)?);
    let views = Views::open(&folder.join("views"), settings, Arc::clone(&room))
        .map_err(|error| views_error(folder, error))?;
    sync_folder(folder)?;
    let reached = views.reached();
    let books = Arc::new(Books::new(Arc::clone(&journal), views, room, settings));
    let mut flusher = Flusher::start(Arc::clone(&books), settings.tail_orders)?;
    let end = replay(&books, &mut flusher, reached, settings.tail_orders, folder)?;
    let head = Head::new(&journal, end, settings.segment_bytes);
    let appender = Appender::new(disk, journal, end)?;
    let committing = Committing::new(Arc::clone(&books), appender, flusher, settings.tail_orders);
    Ok((Arc::clone(&books), Writer::new(books, head, Committer::start(committing)?)))
}

/// Files the orders after `reached`, cuts a torn end off, and makes sure that what was read is durable.
fn replay(
    books: &Books,
    flusher: &mut Flusher,
    reached: Mark,
    tail_orders: usize,
    folder: &Path,
) -> Result<Mark, OpenError> {
    let last = books.journal.segment(reached.position);
    if last.offset(reached.position) > last.file.metadata()?.len() {
        return Err(OpenError::JournalCut);
    }
    let mut scan = Scan::new(&books.journal, reached);
    let mut rows = Vec::new();
    let (mut held, mut last) = (0, None);
    loop {
        let before = *scan.mark();
        match scan.step()? {
            Step::Frame => {
                // Of the frames before this one, and of no more, it is sure that they are durable: the views must
                // not get ahead of the journal.
                // Without room in the views the rest of the journal would have to be held in memory.
                if held >= tail_orders && !flusher.begin(before) && books.room.rows_wait() {
                    return Err(OpenError::Full { folder: folder.to_owned() });
                }
                last = Some(scan.frame().len());
                rows.clear();
                let mut totals = Totals::default();
                for entry in scan.entries() {
                    let (position, entry) = entry?;
                    let (order, change) = (&entry.receipt.order, entry.receipt.effect());
                    rows.push(OrderRow { names: books.names(order), position, after: change.after });
                    let counted = rows::count(&mut totals, order, &change, position, |key| books.total(key));
                    counted.map_err(|error| books_error(folder, error))?;
                }
                held = books.tail.publish(&rows, &totals, *scan.mark());
            }
            Step::Torn => {
                let segment = scan.segment();
                let offset = segment.offset(scan.mark().position);
                tracing::warn!(file = %segment.path.display(), offset, "cutting off a batch that was never finished");
                segment.file.set_len(offset)?;
            }
            Step::End => {
                if last.is_none() && !comes_by(&books.journal, reached)? {
                    return Err(OpenError::JournalCut);
                }
                break;
            }
        }
    }
    // Where there was no frame, nothing has said yet how far the journal reaches.
    books.tail.publish(&[], &Totals::default(), *scan.mark());
    make_durable(scan.segment(), scan.mark().position, last)?;
    Ok(*scan.mark())
}

/// Whether the journal comes by `mark`, after which there is no frame.
///
/// Where zeros were written ahead, the file is longer than the journal, so its length does not tell.
fn comes_by(journal: &Journal, mark: Mark) -> Result<bool, OpenError> {
    let segment = journal.segment(mark.position);
    if segment.before == mark || segment.offset(mark.position) == segment.file.metadata()?.len() {
        return Ok(true);
    }
    let mut scan = Scan::new(journal, segment.before);
    while scan.mark().position < mark.position {
        if !matches!(scan.step()?, Step::Frame) {
            return Ok(false);
        }
    }
    Ok(*scan.mark() == mark)
}

/// Makes sure that a segment is on disk up to `end`, where its last frame of so many bytes ends, if it has one.
///
/// What a process that was killed had written may be in the kernel's memory only; nobody may be told of it before it
/// is not. If its sync failed, the kernel believes that it wrote it, and another sync would do nothing: so the last
/// frame, which alone can be in doubt, is written again as it was read.
fn make_durable(segment: &Segment, end: Position, last_frame: Option<usize>) -> io::Result<()> {
    let start = last_frame.and_then(|bytes| segment.offset(end).checked_sub(bytes as u64));
    // A frame in the file before was synced, or this one would not have been begun.
    if let (Some(start), Some(bytes)) = (start.filter(|start| *start >= FIRST_FRAME), last_frame) {
        let mut frame = vec![0; bytes];
        segment.file.read_exact_at(&mut frame, start)?;
        segment.file.write_all_at(&frame, start)?;
    }
    segment.file.sync_all()
}

fn books_error(folder: &Path, error: BooksError) -> OpenError {
    match error {
        BooksError::View(error) => views_error(folder, error),
        BooksError::Journal(_) | BooksError::Names(_) => OpenError::JournalCut,
    }
}

fn views_error(folder: &Path, error: ViewError) -> OpenError {
    if error.is_full() {
        return OpenError::Full { folder: folder.to_owned() };
    }
    OpenError::Views { folder: folder.join("views"), source: Box::new(error) }
}

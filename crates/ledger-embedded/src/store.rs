//! The folder of a store: what is in it, who may open it, and how its books are brought back.
//!
//! ```text
//! pactolus-store   the format's version, in words
//! lock             held by the process that has the store open
//! journal/         the truth
//! views/           derived from the journal; may be removed while the store is closed
//! records/         tokens, sessions and the like
//! room             there for a moment, while room on a full disk is tried for
//! ```

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::books::{Books, BooksError};
use crate::committer::{Committer, Committing};
use crate::flusher::Flusher;
use crate::journal::scan::{Scan, Step};
use crate::journal::segment::{HEADER_BYTES, Segment};
use crate::journal::{Appender, FORMAT, Head, Journal, Mark, Position};
use crate::open::OpenError;
use crate::room::Room;
use crate::rows::{self, OrderRow, Totals};
use crate::views::{ViewError, Views};
use crate::writer::Writer;

/// Where in a segment its first frame begins.
const FIRST_FRAME: u64 = HEADER_BYTES as u64;

const FORMAT_FILE: &str = "pactolus-store";
const FORMAT_FILE_UNNAMED: &str = "pactolus-store.new";
const LOCK_FILE: &str = "lock";
const FORMAT_WORDS: &str = "Pactolus embedded store, format ";

/// Takes hold of the folder: makes it if it is not there, and refuses one that is in use, or is something else.
///
/// The store is held as long as the file returned is open.
pub(crate) fn hold(folder: &Path) -> Result<File, OpenError> {
    std::fs::create_dir_all(folder)?;
    // A relative folder's own parent may have no name.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new(".")))?;
    let format = folder.join(FORMAT_FILE);
    let is_new = !format.exists();
    if is_new && holds_something_else(folder)? {
        return Err(OpenError::NotAStore { folder: folder.to_owned() });
    }
    let lock = File::create(folder.join(LOCK_FILE))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse { folder: folder.to_owned() },
        TryLockError::Error(error) => error.into(),
    })?;
    if is_new {
        write_format(folder, &format)?;
    }
    let words = std::fs::read_to_string(&format)?;
    match words.trim_end().strip_prefix(FORMAT_WORDS).map(str::parse::<u32>) {
        Some(Ok(found)) if found <= FORMAT => Ok(lock),
        Some(Ok(found)) => Err(OpenError::NewerFormat { found, file: format }),
        Some(Err(_)) | None => {
            Err(OpenError::Corrupt { file: format, offset: 0, what: "the format's version" })
        }
    }
}

/// Whether there is more in a folder than an interrupted [`hold`] leaves.
fn holds_something_else(folder: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != LOCK_FILE && name != FORMAT_FILE_UNNAMED {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Names the format, whole or not at all.
fn write_format(folder: &Path, format: &Path) -> io::Result<()> {
    let unnamed = folder.join(FORMAT_FILE_UNNAMED);
    let mut file = File::create(&unnamed)?;
    writeln!(file, "{FORMAT_WORDS}{FORMAT}")?;
    file.sync_all()?;
    std::fs::rename(&unnamed, format)?;
    sync_folder(folder)
}

/// Makes durable what files and folders a folder holds; without this a power cut may forget a new one, with all in it.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens the books and a writer that goes on where they end.
pub(crate) fn open(
    folder: &Path,
    settings: &crate::Settings,
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
                    let (order, change) = (&entry.receipt.order, entry.receipt.change());
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

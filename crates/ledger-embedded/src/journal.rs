//! The write-ahead journal: the truth. The rest of the store is views of it that can be dropped and rebuilt.
//!
//! It is one append-only stream of bytes, cut into files ([`segment`]), filled with batches ([`frame`]) of orders
//! ([`entry`]). A [`Position`] in the stream names an order.
//!
//! A frame is written only after the frame before it was synced, so only the last one can be torn. [`scan`] reads the
//! frames after a [`Checkpoint`]: an unreadable frame is damage if the header of a later frame follows, else a torn
//! write. Segments behind the last one are opened when they are read, and a bounded number stays open (`files`).

pub(crate) mod appender;
pub(crate) mod entry;
mod files;
pub(crate) mod frame;
pub(crate) mod position;
pub(crate) mod scan;
pub(crate) mod segment;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::appender::{AppendCursor, Appender};
pub(crate) use self::position::{Checkpoint, Position};

use self::entry::Entry;
use self::files::SegmentFiles;
use self::frame::ENTRY_HEADER_BYTES;
use self::segment::{Segment, is_zero_from, read_available};
use crate::codec::FIRST_FORMAT;
use crate::disk::{Disk, sync_folder};
use crate::error::OpenError;

/// Word for a damaged entry.
pub(crate) const AN_ORDER: &str = "an order";

/// An open journal, for readers.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// The appender adds one now and then; no lock is held while a file is read.
    segments: SegmentFiles,
}

impl Journal {
    /// Opens the journal in `folder`, or creates it.
    pub(crate) fn open(folder: &Path, disk: &dyn Disk) -> Result<Self, OpenError> {
        std::fs::create_dir_all(folder)?;
        let mut segments = open_segments(folder, Segment::open)?;
        if segments.is_empty() {
            let first =
                Segment::create(disk, folder, Checkpoint::START, FIRST_FORMAT).map_err(io::Error::from)?;
            segments.push(Arc::new(first));
        }
        // The process that created the last file may have been killed before it synced the folder: then a power cut
        // would lose the file, with all frames appended from now on.
        sync_folder(folder)?;
        Ok(Self { folder: folder.to_owned(), segments: SegmentFiles::new(segments) })
    }

    /// Opens the present files of the journal in `folder` read-only; `None` if there are none.
    pub(crate) fn open_read_only(folder: &Path) -> Result<Option<Self>, OpenError> {
        let segments = open_segments(folder, Segment::open_read_only)?;
        let is_there = !segments.is_empty();
        Ok(is_there.then(|| Self { folder: folder.to_owned(), segments: SegmentFiles::new(segments) }))
    }

    /// The segment that holds `position`, or where it would be if it is past the end.
    pub(crate) fn segment(&self, position: Position) -> Arc<Segment> {
        self.segments.find(position)
    }

    /// Opens a segment's file if it is closed.
    pub(crate) fn open_file(&self, segment: &Segment) -> io::Result<()> {
        self.segments.open(segment)
    }

    /// The last segment that was there when it was opened, or was added since.
    pub(crate) fn last_segment(&self) -> Option<Arc<Segment>> {
        self.segments.with(|segments| segments.last().cloned())
    }

    /// The newest format of any file.
    pub(crate) fn format(&self) -> u32 {
        let newest = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.format).max();
        self.segments.with(newest).unwrap_or(FIRST_FORMAT)
    }

    pub(crate) fn segment_after(&self, segment: &Segment) -> Option<Arc<Segment>> {
        self.segments.after(&segment.before)
    }

    /// Reads the entry at `position`.
    pub(crate) fn entry(&self, position: Position) -> Result<Entry, EntryReadError> {
        let segment = self.segment(position);
        let offset = segment.offset(position);
        let failed = |source| EntryReadError::Io { file: segment.path.clone(), offset, source };
        self.segments.open(&segment).map_err(failed)?;
        // Nearly every entry fits the first read.
        let mut bytes = [0; 512];
        let read = read_available(&segment, &mut bytes, offset).map_err(failed)?;
        if let Some((entry, _)) = frame::read_entry(&bytes[..read], position) {
            return Ok(entry);
        }
        let mut bytes = [0; ENTRY_HEADER_BYTES + Entry::BYTES_MAX];
        let read = read_available(&segment, &mut bytes, offset).map_err(failed)?;
        match frame::read_entry(&bytes[..read], position) {
            Some((entry, _)) => Ok(entry),
            None => Err(EntryReadError::NotAnEntry { file: segment.path.clone(), offset }),
        }
    }

    fn add_segment(&self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        self.segments.push(Arc::clone(&segment));
        segment
    }
}

/// Opens the files of a journal in order; they have to follow on one another from its start.
fn open_segments(
    folder: &Path,
    open: fn(PathBuf) -> Result<Segment, OpenError>,
) -> Result<Vec<Arc<Segment>>, OpenError> {
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for path in Segment::list(folder)? {
        let segment = open(path)?;
        if let Some(last) = segments.last() {
            let end = last.before.position.0 + last.file_bytes()?;
            let start = segment.before.position;
            // If the sync after truncating the zeros failed, a power cut brings them back.
            if end != start.0 && (end < start.0 || !is_zero_from(last, last.offset(start))?) {
                return Err(OpenError::SegmentGap { file: last.path.clone(), next: segment.path });
            }
            let sealed = Arc::new(last.closed());
            segments.pop();
            segments.push(sealed);
        } else if segment.before != Checkpoint::START {
            return Err(OpenError::FirstSegmentMissing { file: segment.path });
        }
        segments.push(Arc::new(segment));
    }
    Ok(segments)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryReadError {
    #[error("{} cannot be read at offset {offset}", file.display())]
    Io {
        file: PathBuf,
        offset: u64,
        #[source]
        source: io::Error,
    },
    /// Worded as [`OpenError::Corrupt`] is.
    #[error("{} is damaged at offset {offset}: {AN_ORDER} cannot be read; restore the store from a backup", file.display())]
    NotAnEntry { file: PathBuf, offset: u64 },
}

//! The write-ahead journal: the truth. The rest of the store is views of it that can be dropped and rebuilt.
//!
//! It is one append-only stream of bytes, cut into files ([`segment`]), filled with batches ([`frame`]) of orders
//! ([`entry`]). A [`Position`] in the stream names an order.
//!
//! A frame is written only after the frame before it was synced, so only the last one can be torn. [`scan`] reads the
//! frames after a [`Checkpoint`]: an unreadable frame is damage if another whole frame follows, else a torn write.

pub(crate) mod appender;
pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod position;
pub(crate) mod scan;
pub(crate) mod segment;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

pub(crate) use self::appender::{AppendCursor, Appender};
pub(crate) use self::position::{Checkpoint, Position};

use self::entry::Entry;
use self::frame::ENTRY_HEADER_BYTES;
use self::segment::{Segment, is_zero_from, read_available};
use crate::codec::FIRST_FORMAT;
use crate::disk::{Disk, sync_folder};
use crate::error::OpenError;

/// An open journal, for readers.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// In order and without gaps. The appender adds one now and then; no lock is held while a file is read.
    segments: RwLock<Vec<Arc<Segment>>>,
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
        Ok(Self { folder: folder.to_owned(), segments: RwLock::new(segments) })
    }

    /// Opens the present files of the journal in `folder` read-only; `None` if there are none.
    pub(crate) fn open_read_only(folder: &Path) -> Result<Option<Self>, OpenError> {
        let segments = open_segments(folder, Segment::open_read_only)?;
        let journal = Self { folder: folder.to_owned(), segments: RwLock::new(segments) };
        let is_there = !journal.segments.read().expect("the lock is not shared yet").is_empty();
        Ok(is_there.then_some(journal))
    }

    /// The segment that holds `position`, or where it would be if it is past the end.
    pub(crate) fn segment(&self, position: Position) -> Arc<Segment> {
        let segments = self.segments.read().expect("nothing panics while it adds a segment");
        let after = segments.partition_point(|segment| segment.before.position <= position);
        Arc::clone(&segments[after.saturating_sub(1)])
    }

    /// The last segment that was there when it was opened, or was added since.
    pub(crate) fn last_segment(&self) -> Option<Arc<Segment>> {
        self.segments.read().expect("nothing panics while it adds a segment").last().cloned()
    }

    /// The newest format of any file.
    pub(crate) fn format(&self) -> u32 {
        let segments = self.segments.read().expect("nothing panics while it adds a segment");
        segments.iter().map(|segment| segment.format).max().unwrap_or(FIRST_FORMAT)
    }

    pub(crate) fn segment_after(&self, segment: &Segment) -> Option<Arc<Segment>> {
        let segments = self.segments.read().expect("nothing panics while it adds a segment");
        segments.iter().find(|next| next.before.position > segment.before.position).cloned()
    }

    /// Reads the entry at `position`.
    pub(crate) fn entry(&self, position: Position) -> Result<Entry, EntryReadError> {
        let segment = self.segment(position);
        let offset = segment.offset(position);
        // Nearly every entry fits the first read.
        let mut bytes = [0; 512];
        let read = read_available(&segment, &mut bytes, offset)?;
        if let Some((entry, _)) = frame::read_entry(&bytes[..read], position) {
            return Ok(entry);
        }
        let mut bytes = [0; ENTRY_HEADER_BYTES + Entry::BYTES_MAX];
        let read = read_available(&segment, &mut bytes, offset)?;
        match frame::read_entry(&bytes[..read], position) {
            Some((entry, _)) => Ok(entry),
            None => Err(EntryReadError::NotAnEntry { file: segment.path.clone(), offset }),
        }
    }

    fn add_segment(&self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        let mut segments = self.segments.write().expect("nothing panics while it adds a segment");
        segments.push(Arc::clone(&segment));
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
            let end = last.before.position.0 + last.file.metadata()?.len();
            let start = segment.before.position;
            // If the sync after truncating the zeros failed, a power cut brings them back.
            if end != start.0 && (end < start.0 || !is_zero_from(last, last.offset(start))?) {
                return Err(OpenError::SegmentGap { file: last.path.clone(), next: segment.path });
            }
        } else if segment.before != Checkpoint::START {
            return Err(OpenError::FirstSegmentMissing { file: segment.path });
        }
        segments.push(Arc::new(segment));
    }
    Ok(segments)
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryReadError {
    #[error("reading the journal failed")]
    Io(#[from] io::Error),
    #[error("{} holds no order at offset {offset}", file.display())]
    NotAnEntry { file: PathBuf, offset: u64 },
}

//! The journal: the truth. Everything else in the store is a view of it that can be dropped and rebuilt.
//!
//! It is one stream of bytes, cut into files ([`segment`]), filled with batches ([`frame`]) of orders ([`entry`]).
//! A [`Position`] in the stream names an order; nothing in the journal is ever changed or removed.
//!
//! A frame is written only after the frame before it was synced, so at most the last one can be torn; [`scan`]
//! reads frames after a [`Mark`] and tells a torn end from damage in the middle.

pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod scan;
pub(crate) mod segment;

use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use pactolus_ledger::HistoryDigest;

use self::entry::Entry;
use self::frame::{ENTRY_HEADER_BYTES, Frame, FrameBuilder};
use self::segment::Segment;
use crate::disk::{Disk, WriteError, synced};
use crate::open::OpenError;
use crate::store::sync_folder;

/// The version of the store's files that this program writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// A place in the journal: bytes since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position(pub(crate) u64);

impl Position {
    /// The place `bytes` further on.
    pub(crate) fn plus(self, bytes: usize) -> Self {
        Self(self.0 + bytes as u64)
    }
}

/// A boundary between two frames, and what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) position: Position,
    /// How many orders are before it.
    pub(crate) orders: u64,
    /// The digest of the frame that ends here, which vouches for everything before it.
    pub(crate) digest: [u8; 32],
}

impl Mark {
    /// Where the journal begins.
    pub(crate) const START: Self = Self { position: Position(0), orders: 0, digest: [0; 32] };

    /// What the orders before it are called.
    pub(crate) fn history(&self) -> HistoryDigest {
        HistoryDigest { orders: self.orders, digest: self.digest }
    }
}

/// The files of the journal, for whoever reads entries.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    /// In order and without gaps. The writer adds one now and then; nobody holds the lock while reading a file.
    segments: RwLock<Vec<Arc<Segment>>>,
}

impl Journal {
    /// Opens the journal in `folder`, and makes it if there is none.
    pub(crate) fn open(folder: &Path, disk: &dyn Disk) -> Result<Self, OpenError> {
        std::fs::create_dir_all(folder)?;
        let mut segments = open_all(folder, Segment::open)?;
        if segments.is_empty() {
            let first = Segment::create(disk, folder, Mark::START).map_err(io::Error::from)?;
            segments.push(Arc::new(first));
        }
        // Whoever made the last one may have been killed before the folder was synced: then a power cut would take it,
        // with all that is appended to it from now on.
        sync_folder(folder)?;
        Ok(Self { folder: folder.to_owned(), segments: RwLock::new(segments) })
    }

    /// Opens the files that the journal in `folder` has now, to read them; nothing if there is none.
    pub(crate) fn open_to_read(folder: &Path) -> Result<Option<Self>, OpenError> {
        let segments = open_all(folder, Segment::open_to_read)?;
        let journal = Self { folder: folder.to_owned(), segments: RwLock::new(segments) };
        let is_there = !journal.segments.read().expect("nobody else has it yet").is_empty();
        Ok(is_there.then_some(journal))
    }

    /// The segment that holds `position`, or where it would be if it is past the end.
    pub(crate) fn segment(&self, position: Position) -> Arc<Segment> {
        let segments = self.segments.read().expect("nothing panics while it adds a segment");
        let after = segments.partition_point(|segment| segment.before.position <= position);
        Arc::clone(&segments[after.saturating_sub(1)])
    }

    /// The last segment that was there when it was opened, or was added since.
    pub(crate) fn last(&self) -> Option<Arc<Segment>> {
        self.segments.read().expect("nothing panics while it adds a segment").last().cloned()
    }

    /// The segment after `segment`.
    pub(crate) fn next(&self, segment: &Segment) -> Option<Arc<Segment>> {
        let segments = self.segments.read().expect("nothing panics while it adds a segment");
        segments.iter().find(|next| next.before.position > segment.before.position).cloned()
    }

    /// The entry at `position`, or what keeps it from being read.
    pub(crate) fn entry(&self, position: Position) -> Result<Entry, ReadError> {
        let segment = self.segment(position);
        let offset = segment.offset(position);
        // Nearly every entry fits the first read.
        let mut bytes = [0; 512];
        let read = read_up_to(&segment, &mut bytes, offset)?;
        if let Some((entry, _)) = frame::read_entry(&bytes[..read], position) {
            return Ok(entry);
        }
        let mut bytes = [0; ENTRY_HEADER_BYTES + Entry::BYTES_MAX];
        let read = read_up_to(&segment, &mut bytes, offset)?;
        match frame::read_entry(&bytes[..read], position) {
            Some((entry, _)) => Ok(entry),
            None => Err(ReadError::NotAnEntry { file: segment.path.clone(), offset }),
        }
    }

    fn push(&self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        let mut segments = self.segments.write().expect("nothing panics while it adds a segment");
        segments.push(Arc::clone(&segment));
        segment
    }
}

/// The files of a journal, in order, which have to follow on one another from its beginning.
fn open_all(
    folder: &Path,
    open: fn(PathBuf) -> Result<Segment, OpenError>,
) -> Result<Vec<Arc<Segment>>, OpenError> {
    let mut segments: Vec<Arc<Segment>> = Vec::new();
    for path in Segment::list(folder)? {
        let segment = open(path)?;
        if let Some(last) = segments.last() {
            let end = last.before.position.0 + last.file.metadata()?.len();
            let start = segment.before.position;
            // Where the sync failed that takes the zeros away, a power cut brings them back.
            if end != start.0 && (end < start.0 || !only_zeros_from(last, last.offset(start))?) {
                return Err(OpenError::Gap { file: last.path.clone(), next: segment.path });
            }
        } else if segment.before != Mark::START {
            return Err(OpenError::Beginning { file: segment.path });
        }
        segments.push(Arc::new(segment));
    }
    Ok(segments)
}

/// Why an entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("reading the journal failed")]
    Io(#[from] io::Error),
    #[error("{} holds no order at offset {offset}", file.display())]
    NotAnEntry { file: PathBuf, offset: u64 },
}

/// Fills `bytes` from `offset` on as far as the file goes, and says how far.
pub(crate) fn read_up_to(segment: &Segment, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match segment.file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether nothing follows at `offset`, or nothing but zeros, which are written ahead of frames.
pub(crate) fn only_zeros_from(segment: &Segment, mut offset: u64) -> io::Result<bool> {
    let mut bytes = [0; 4096];
    loop {
        match read_up_to(segment, &mut bytes, offset)? {
            0 => return Ok(true),
            read if bytes[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            read => offset += read as u64,
        }
    }
}

/// Where the next frame will stand, for whoever fills frames.
#[derive(Debug)]
pub(crate) struct Head {
    end: Mark,
    /// Where the last segment begins.
    segment: Position,
    segment_bytes: u64,
}

impl Head {
    /// Goes on after `end`, the end of `journal`.
    pub(crate) fn new(journal: &Journal, end: Mark, segment_bytes: u64) -> Self {
        Self { end, segment: journal.segment(end.position).before.position, segment_bytes }
    }

    /// Goes on after `end`, where `journal` was cut back to.
    pub(crate) fn go_back(&mut self, journal: &Journal, end: Mark) {
        *self = Self::new(journal, end, self.segment_bytes);
    }

    /// The end of what was filled so far.
    pub(crate) fn position(&self) -> Position {
        self.end.position
    }

    /// A frame to fill, in `room`; the first after a full segment will begin a new one.
    pub(crate) fn frame(&self, room: Vec<u8>) -> FrameBuilder {
        let is_full = self.end.position.0 - self.segment.0 >= self.segment_bytes;
        FrameBuilder::new(if is_full { segment::first_frame(self.end) } else { self.end }, room)
    }

    /// Goes on after `frame`.
    pub(crate) fn pass(&mut self, frame: &Frame) {
        if frame.before.position != self.end.position {
            self.segment = self.end.position;
        }
        self.end = frame.after;
    }
}

/// The one who appends to the journal.
///
/// A sync that makes a file longer writes more than what is synced: the file system's own journal too. So the file is
/// made longer now and then, by zeros that frames are later written over. They are no part of the journal: it ends
/// where only zeros follow. They are taken away before there is another file.
#[derive(Debug)]
pub(crate) struct Appender {
    disk: Arc<dyn Disk>,
    journal: Arc<Journal>,
    segment: Arc<Segment>,
    end: Mark,
    /// How long the segment's file is: what is after `end` is zeros.
    length: u64,
}

/// How many zeros a file is made longer by: enough for a few thousand orders, and written in less than a millisecond.
const AHEAD_BYTES: usize = 256 * 1024;

/// How many of them are written at once. A larger write that fails halfway may be told as a shorter one, and what is
/// tried again hides the failure.
const AHEAD_PART_BYTES: usize = 64 * 1024;

static AHEAD: [u8; AHEAD_BYTES] = [0; AHEAD_BYTES];

/// Of frames that are longer, a few would use the zeros up, which then cost more than they save.
const SHORT_FRAME_BYTES: usize = AHEAD_BYTES / 8;

impl Appender {
    /// Appends after `end`, which is where the journal ends and is durable.
    pub(crate) fn new(disk: Arc<dyn Disk>, journal: Arc<Journal>, end: Mark) -> io::Result<Self> {
        let segment = journal.segment(end.position);
        let length = segment.file.metadata()?.len();
        Ok(Self { disk, journal, segment, end, length })
    }

    /// Where the journal ends.
    pub(crate) fn end(&self) -> Mark {
        self.end
    }

    /// Writes a frame; when this returns, it is durable.
    ///
    /// Where there is no room, nothing of it is there, and another frame may be appended at [`Appender::end`].
    /// After any other error the frame may or may not be there; nothing more may be appended until the journal is
    /// opened again.
    pub(crate) fn append(&mut self, frame: &Frame) -> Result<(), WriteError> {
        if frame.before.position != self.end.position {
            self.begin_segment()?;
        }
        let at = self.segment.offset(frame.before.position);
        let end = at + frame.bytes.len() as u64;
        if end > self.length && frame.bytes.len() <= SHORT_FRAME_BYTES {
            self.write_ahead()?;
        }
        if let Err(error) = self.disk.write(&self.segment.file, &frame.bytes, at) {
            if error.is_full() {
                // What was written of it was not synced and never will be, so nobody was told of it. The cut itself
                // needs no sync: if it is lost, what comes back is a torn end, which opening cuts off; and the next
                // frame's sync makes both durable.
                self.cut(at)?;
            }
            return Err(error);
        }
        self.length = self.length.max(end);
        synced(self.segment.file.sync_data())?;
        self.end = frame.after;
        Ok(())
    }

    /// Makes the file longer by zeros, as far as there is room for them. The next sync makes them durable.
    fn write_ahead(&mut self) -> Result<(), WriteError> {
        for part in AHEAD.chunks(AHEAD_PART_BYTES) {
            match self.disk.write(&self.segment.file, part, self.length) {
                Ok(()) => self.length += part.len() as u64,
                Err(WriteError::Full(_)) => return self.cut(self.length),
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    /// Takes away the zeros that no frame was written over.
    pub(crate) fn trim(&mut self) -> Result<(), WriteError> {
        let end = self.segment.offset(self.end.position);
        if self.length > end {
            self.cut(end)?;
            synced(self.segment.file.sync_data())?;
        }
        Ok(())
    }

    /// Goes on in a new file. The one before ends where the journal ended, which is durable before there is another.
    fn begin_segment(&mut self) -> Result<(), WriteError> {
        self.trim()?;
        self.segment = self.journal.push(Segment::create(&*self.disk, &self.journal.folder, self.end)?);
        // Even if there is no room for the frame, the file is there, and the next one goes into it.
        self.end = self.segment.first_frame();
        self.length = self.segment.offset(self.end.position);
        Ok(())
    }

    /// Makes the file end at `length`.
    fn cut(&mut self, length: u64) -> Result<(), WriteError> {
        self.segment.file.set_len(length).map_err(WriteError::Failed)?;
        self.length = length;
        Ok(())
    }
}

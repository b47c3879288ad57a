//! The end of the journal: the cursor of the next frame, and the appender.

use std::io;
use std::sync::Arc;

use super::Journal;
use super::frame::{Frame, FrameBuilder};
use super::position::{Checkpoint, Position};
use super::segment::{self, Segment};
use crate::disk::{Disk, WriteError, sync_result};
use crate::format;

/// Position of the next frame, for the writer.
#[derive(Debug)]
pub(crate) struct AppendCursor {
    end: Checkpoint,
    /// Start of the last segment.
    segment_start: Position,
    /// Format of the last segment.
    segment_format: u32,
    segment_bytes: u64,
}

impl AppendCursor {
    /// A cursor at `end`, the end of `journal`.
    pub(crate) fn new(journal: &Journal, end: Checkpoint, segment_bytes: u64) -> Self {
        let last = journal.segment(end.position);
        Self { end, segment_start: last.before.position, segment_format: last.format, segment_bytes }
    }

    /// Moves back to `end`, to which `journal` was truncated.
    pub(crate) fn rewind(&mut self, journal: &Journal, end: Checkpoint) {
        *self = Self::new(journal, end, self.segment_bytes);
    }

    /// End of the frames filled so far.
    pub(crate) fn position(&self) -> Position {
        self.end.position
    }

    /// Begins a frame of orders of `format` or an older one, encoded into `buffer`. After a full segment, or one of an
    /// older format, it is the first of a new segment.
    pub(crate) fn begin_frame(&self, format: u32, buffer: Vec<u8>) -> FrameBuilder {
        let is_full = self.end.position.0 - self.segment_start.0 >= self.segment_bytes;
        let rolls = is_full || format > self.segment_format;
        let before = if rolls { segment::first_frame(self.end) } else { self.end };
        FrameBuilder::new(before, buffer).with_format(format)
    }

    /// Moves behind `frame`.
    pub(crate) fn advance(&mut self, frame: &Frame) {
        if frame.before.position != self.end.position {
            self.segment_start = self.end.position;
            self.segment_format = self.segment_format.max(frame.format);
        }
        self.end = frame.after;
    }
}

/// Appends frames to the journal.
///
/// A sync of a file that has grown also writes the file system's own journal. So the appender preallocates zeros, and
/// frames overwrite them. The zeros are not part of the journal, which ends where only zeros follow. They are
/// truncated before the next file is begun.
#[derive(Debug)]
pub(crate) struct Appender {
    disk: Arc<dyn Disk>,
    journal: Arc<Journal>,
    segment: Arc<Segment>,
    end: Checkpoint,
    /// Length of the segment's file; the bytes after `end` are zeros.
    file_bytes: u64,
}

/// Zeros of one preallocation: enough for a few thousand orders, and written in less than a millisecond.
const PREALLOCATE_BYTES: usize = 256 * 1024;

/// Zeros per write. A larger write that fails halfway may be reported as a short write, and a retry of the rest hides
/// the failure.
const PREALLOCATE_CHUNK_BYTES: usize = 64 * 1024;

static ZEROS: [u8; PREALLOCATE_BYTES] = [0; PREALLOCATE_BYTES];

/// Longer frames do not preallocate: a few would use the zeros up, which then cost more than they save.
const PREALLOCATING_FRAME_BYTES_MAX: usize = PREALLOCATE_BYTES / 8;

impl Appender {
    /// Appends after `end`, the durable end of `journal`.
    pub(crate) fn new(disk: Arc<dyn Disk>, journal: Arc<Journal>, end: Checkpoint) -> io::Result<Self> {
        let segment = journal.segment(end.position);
        let length = segment.file_bytes()?;
        Ok(Self { disk, journal, segment, end, file_bytes: length })
    }

    pub(crate) fn end(&self) -> Checkpoint {
        self.end
    }

    /// Writes a frame and syncs it.
    ///
    /// On a full disk, or if the next file cannot be opened, nothing of the frame is left, and another may be appended
    /// at [`Appender::end`].
    /// After any other error the frame may or may not be there; nothing more may be appended until the journal is
    /// reopened.
    pub(crate) fn append(&mut self, frame: &Frame) -> Result<(), WriteError> {
        if frame.before.position != self.end.position {
            self.roll_segment(frame.format)?;
        }
        debug_assert!(frame.format <= self.segment.format, "the cursor begins a segment for a newer format");
        let at = self.segment.offset(frame.before.position);
        let end = at + frame.bytes.len() as u64;
        if end > self.file_bytes && frame.bytes.len() <= PREALLOCATING_FRAME_BYTES_MAX {
            self.preallocate()?;
        }
        if let Err(error) = self.disk.write(self.segment.file()?, &frame.bytes, at) {
            if error.is_full() {
                // The partial frame was not synced and never will be, so no caller was answered. The truncation needs
                // no sync: if it is lost, opening finds a torn end and cuts it off; and the next frame's sync makes
                // both durable.
                self.truncate(at)?;
            }
            return Err(error);
        }
        self.file_bytes = self.file_bytes.max(end);
        sync_result(self.segment.file()?.sync_data())?;
        self.end = frame.after;
        Ok(())
    }

    /// Extends the file by zeros, as far as there is disk space. The next sync makes them durable.
    fn preallocate(&mut self) -> Result<(), WriteError> {
        for part in ZEROS.chunks(PREALLOCATE_CHUNK_BYTES) {
            match self.disk.write(self.segment.file()?, part, self.file_bytes) {
                Ok(()) => self.file_bytes += part.len() as u64,
                Err(WriteError::DiskFull(_)) => return self.truncate(self.file_bytes),
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    /// Truncates the zeros that no frame has overwritten.
    pub(crate) fn release_preallocated(&mut self) -> Result<(), WriteError> {
        let end = self.segment.offset(self.end.position);
        if self.file_bytes > end {
            self.truncate(end)?;
            sync_result(self.segment.file()?.sync_data())?;
        }
        Ok(())
    }

    /// Begins a new file, of `format` or that of the one before. The one before ends where the journal ended, durably,
    /// before the next one exists. The store's folder names a newer format before a file has it.
    fn roll_segment(&mut self, format: u32) -> Result<(), WriteError> {
        self.release_preallocated()?;
        let (folder, format) = (&self.journal.folder, format.max(self.segment.format));
        if format > self.segment.format {
            format::raise(&*self.disk, folder.parent().unwrap_or(folder), format)?;
        }
        self.segment = self.journal.add_segment(Segment::create(&*self.disk, folder, self.end, format)?);
        // Even if the disk is full for the frame, the file exists, and the next frame goes into it.
        self.end = self.segment.first_frame();
        self.file_bytes = self.segment.offset(self.end.position);
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> Result<(), WriteError> {
        self.segment.file()?.set_len(length).map_err(WriteError::Failed)?;
        self.file_bytes = length;
        Ok(())
    }
}

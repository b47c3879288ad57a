//! The end of the journal: where the next frame stands, and what appends it.

use std::io;
use std::sync::Arc;

use super::Journal;
use super::frame::{Frame, FrameBuilder};
use super::position::{Checkpoint, Position};
use super::segment::{self, Segment};
use crate::disk::{Disk, WriteError, sync_result};

/// Where the next frame will stand, for whoever fills frames.
#[derive(Debug)]
pub(crate) struct AppendCursor {
    end: Checkpoint,
    /// Where the last segment begins.
    segment_start: Position,
    segment_bytes: u64,
}

impl AppendCursor {
    /// Goes on after `end`, the end of `journal`.
    pub(crate) fn new(journal: &Journal, end: Checkpoint, segment_bytes: u64) -> Self {
        Self { end, segment_start: journal.segment(end.position).before.position, segment_bytes }
    }

    /// Goes on after `end`, where `journal` was cut back to.
    pub(crate) fn rewind(&mut self, journal: &Journal, end: Checkpoint) {
        *self = Self::new(journal, end, self.segment_bytes);
    }

    /// The end of what was filled so far.
    pub(crate) fn position(&self) -> Position {
        self.end.position
    }

    /// A frame to fill, in `room`; the first after a full segment will begin a new one.
    pub(crate) fn begin_frame(&self, buffer: Vec<u8>) -> FrameBuilder {
        let is_full = self.end.position.0 - self.segment_start.0 >= self.segment_bytes;
        FrameBuilder::new(if is_full { segment::first_frame(self.end) } else { self.end }, buffer)
    }

    /// Goes on after `frame`.
    pub(crate) fn advance(&mut self, frame: &Frame) {
        if frame.before.position != self.end.position {
            self.segment_start = self.end.position;
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
    end: Checkpoint,
    /// How long the segment's file is: what is after `end` is zeros.
    file_bytes: u64,
}

/// How many zeros a file is made longer by: enough for a few thousand orders, and written in less than a millisecond.
const PREALLOCATE_BYTES: usize = 256 * 1024;

/// How many of them are written at once. A larger write that fails halfway may be told as a shorter one, and what is
/// tried again hides the failure.
const PREALLOCATE_CHUNK_BYTES: usize = 64 * 1024;

static ZEROS: [u8; PREALLOCATE_BYTES] = [0; PREALLOCATE_BYTES];

/// Of frames that are longer, a few would use the zeros up, which then cost more than they save.
const PREALLOCATING_FRAME_BYTES_MAX: usize = PREALLOCATE_BYTES / 8;

impl Appender {
    /// Appends after `end`, which is where the journal ends and is durable.
    pub(crate) fn new(disk: Arc<dyn Disk>, journal: Arc<Journal>, end: Checkpoint) -> io::Result<Self> {
        let segment = journal.segment(end.position);
        let length = segment.file.metadata()?.len();
        Ok(Self { disk, journal, segment, end, file_bytes: length })
    }

    /// Where the journal ends.
    pub(crate) fn end(&self) -> Checkpoint {
        self.end
    }

    /// Writes a frame; when this returns, it is durable.
    ///
    /// Where there is no room, nothing of it is there, and another frame may be appended at [`Appender::end`].
    /// After any other error the frame may or may not be there; nothing more may be appended until the journal is
    /// opened again.
    pub(crate) fn append(&mut self, frame: &Frame) -> Result<(), WriteError> {
        if frame.before.position != self.end.position {
            self.roll_segment()?;
        }
        let at = self.segment.offset(frame.before.position);
        let end = at + frame.bytes.len() as u64;
        if end > self.file_bytes && frame.bytes.len() <= PREALLOCATING_FRAME_BYTES_MAX {
            self.preallocate()?;
        }
        if let Err(error) = self.disk.write(&self.segment.file, &frame.bytes, at) {
            if error.is_full() {
                // What was written of it was not synced and never will be, so nobody was told of it. The cut itself
                // needs no sync: if it is lost, what comes back is a torn end, which opening cuts off; and the next
                // frame's sync makes both durable.
                self.truncate(at)?;
            }
            return Err(error);
        }
        self.file_bytes = self.file_bytes.max(end);
        sync_result(self.segment.file.sync_data())?;
        self.end = frame.after;
        Ok(())
    }

    /// Makes the file longer by zeros, as far as there is room for them. The next sync makes them durable.
    fn preallocate(&mut self) -> Result<(), WriteError> {
        for part in ZEROS.chunks(PREALLOCATE_CHUNK_BYTES) {
            match self.disk.write(&self.segment.file, part, self.file_bytes) {
                Ok(()) => self.file_bytes += part.len() as u64,
                Err(WriteError::DiskFull(_)) => return self.truncate(self.file_bytes),
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    /// Takes away the zeros that no frame was written over.
    pub(crate) fn release_preallocated(&mut self) -> Result<(), WriteError> {
        let end = self.segment.offset(self.end.position);
        if self.file_bytes > end {
            self.truncate(end)?;
            sync_result(self.segment.file.sync_data())?;
        }
        Ok(())
    }

    /// Goes on in a new file. The one before ends where the journal ended, which is durable before there is another.
    fn roll_segment(&mut self) -> Result<(), WriteError> {
        self.release_preallocated()?;
        self.segment =
            self.journal.add_segment(Segment::create(&*self.disk, &self.journal.folder, self.end)?);
        // Even if there is no room for the frame, the file is there, and the next one goes into it.
        self.end = self.segment.first_frame();
        self.file_bytes = self.segment.offset(self.end.position);
        Ok(())
    }

    /// Makes the file end at `length`.
    fn truncate(&mut self, length: u64) -> Result<(), WriteError> {
        self.segment.file.set_len(length).map_err(WriteError::Failed)?;
        self.file_bytes = length;
        Ok(())
    }
}

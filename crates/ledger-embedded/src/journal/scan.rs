//! Scan of the journal from a checkpoint to its end, which tells damage from a torn end.
//!
//! An unreadable frame before another whole frame was synced: it is refused by file and offset. Damage in the last
//! answered frames, with nothing whole after it, looks the same as a torn write.

use std::sync::Arc;

use super::Journal;
use super::entry::Entry;
use super::frame::{self, FrameHeader, HEADER_BYTES};
use super::position::{Checkpoint, Position};
use super::segment::{Segment, is_zero_from, read_available};
use crate::error::OpenError;

/// A scan over the frames after a checkpoint.
pub(crate) struct Scan<'a> {
    journal: &'a Journal,
    segment: Arc<Segment>,
    checkpoint: Checkpoint,
    frame: Vec<u8>,
}

pub(crate) enum ScanStep {
    /// A frame; its entries can be read until the next step.
    Frame,
    /// The journal ends here.
    End,
    /// The journal ends here, and unreadable bytes follow: a torn write, or damage in the last frames.
    Torn,
}

impl<'a> Scan<'a> {
    /// Scans from `from`, a checkpoint that was once the end of the journal.
    pub(crate) fn new(journal: &'a Journal, from: Checkpoint) -> Self {
        let segment = journal.segment(from.position);
        // The end of a segment is the start of the next, whose first frame comes after its header.
        let at = if segment.before == from { segment.first_frame() } else { from };
        Self { journal, segment, checkpoint: at, frame: Vec::new() }
    }

    /// The checkpoint after the last frame.
    pub(crate) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The segment being scanned.
    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The last frame, header and payload.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The entries of the last frame.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<(Position, Entry), OpenError>> {
        let payload = self.frame.get(HEADER_BYTES..).unwrap_or_default();
        let start = Position(self.checkpoint.position.0 - payload.len() as u64);
        frame::entries(payload, start)
            .map(move |entry| entry.ok_or_else(|| self.corruption(start, "an order")))
    }

    /// Reads the next frame.
    ///
    /// Damage is an error: an unreadable frame that was once synced, because a whole frame or a later segment
    /// follows.
    pub(crate) fn step(&mut self) -> Result<ScanStep, OpenError> {
        self.frame.clear();
        let offset = self.segment.offset(self.checkpoint.position);
        let length = self.segment.file.metadata()?.len();
        if let Some(after) = self.read_frame(offset, length)? {
            self.checkpoint = after;
            return Ok(ScanStep::Frame);
        }
        if is_zero_from(&self.segment, offset)? {
            let Some(next) = self.journal.segment_after(&self.segment) else {
                return Ok(ScanStep::End);
            };
            if next.before != self.checkpoint {
                return Err(OpenError::Corrupt {
                    file: next.path.clone(),
                    offset: 0,
                    what: "the chain of digests",
                });
            }
            self.checkpoint = next.first_frame();
            self.segment = next;
            return self.step();
        }
        if self.journal.segment_after(&self.segment).is_some() || self.complete_frame_after(offset, length)? {
            return Err(self.corruption(self.checkpoint.position, "a batch"));
        }
        Ok(ScanStep::Torn)
    }

    /// Reads and verifies the frame at `offset` of a file of this length; `None` if it does not follow the last
    /// checkpoint.
    fn read_frame(&mut self, offset: u64, length: u64) -> Result<Option<Checkpoint>, OpenError> {
        self.frame.resize(HEADER_BYTES, 0);
        let read = read_available(&self.segment, &mut self.frame, offset)?;
        let Some(header) = FrameHeader::read(&self.frame[..read], self.checkpoint.position) else {
            return Ok(None);
        };
        // Allocates no more than the file holds: a header may claim up to 4 GiB.
        if (HEADER_BYTES + header.payload_bytes) as u64 > length.saturating_sub(offset) {
            return Ok(None);
        }
        self.frame.resize(HEADER_BYTES + header.payload_bytes, 0);
        let read =
            read_available(&self.segment, &mut self.frame[HEADER_BYTES..], offset + HEADER_BYTES as u64)?;
        if read < header.payload_bytes {
            return Ok(None);
        }
        Ok(frame::verify(&header, &self.frame, &self.checkpoint))
    }

    /// Whether a whole frame stands anywhere after `offset`.
    ///
    /// It was written after a sync of everything before it, so an unreadable frame at `offset` was acknowledged.
    fn complete_frame_after(&self, offset: u64, length: u64) -> Result<bool, OpenError> {
        let mut rest = vec![0; usize::try_from(length - offset).unwrap_or(usize::MAX)];
        let read = read_available(&self.segment, &mut rest, offset)?;
        let start = self.checkpoint.position;
        Ok((1..read).any(|at| frame::is_complete(&rest[at..read], start.plus(at))))
    }

    /// The error for damage at `position`.
    pub(crate) fn corruption(&self, position: Position, what: &'static str) -> OpenError {
        let offset = self.segment.offset(position);
        OpenError::Corrupt { file: self.segment.path.clone(), offset, what }
    }
}

//! Scan of the journal from a checkpoint to its end, which tells damage from a torn end.
//!
//! An unreadable frame before the header of a later frame was synced: it is refused by file and offset. Damage in the
//! last answered frame, or in the headers of all later ones as well, looks the same as a torn write.

use std::io;
use std::sync::Arc;

use super::entry::Entry;
use super::frame::{self, FrameHeader, HEADER_BYTES};
use super::position::{Checkpoint, Position};
use super::segment::{Segment, is_zero_from, read_available};
use super::{AN_ORDER, EntryReadError, Journal};
use crate::error::OpenError;

/// Bytes read at once in the search for a later header.
const SEARCH_BYTES: usize = 1 << 20;

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
    /// The journal ends here, and unreadable bytes follow: a torn write, or damage in the last frame.
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
        frame::entries(payload, start).map(move |entry| entry.ok_or_else(|| self.corruption(start, AN_ORDER)))
    }

    /// Reads the next frame.
    ///
    /// Damage is an error: an unreadable frame that was once synced, because a later frame's header or a later segment
    /// follows.
    pub(crate) fn step(&mut self) -> Result<ScanStep, OpenError> {
        self.frame.clear();
        self.journal.open_file(&self.segment)?;
        let offset = self.segment.offset(self.checkpoint.position);
        let length = self.segment.file_bytes()?;
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
        if self.journal.segment_after(&self.segment).is_some() || self.later_header_after(offset)? {
            return Err(self.frame_damage());
        }
        Ok(ScanStep::Torn)
    }

    /// Steps over the damaged frame that the last step refused, and salvages its entries: the readable ones, and the
    /// positions of the unreadable ones. `None` if its header is unreadable too.
    pub(crate) fn step_over(&mut self) -> Option<Vec<Result<(Position, Entry), Position>>> {
        let header = FrameHeader::read(&self.frame, self.checkpoint.position)?;
        let after = header.claimed_end(&self.checkpoint)?;
        let start = self.checkpoint.position.plus(HEADER_BYTES);
        let salvaged = frame::salvage(self.frame.get(HEADER_BYTES..)?, start);
        self.checkpoint = after;
        Some(salvaged)
    }

    /// The error for the damaged frame read last: it names the first unreadable entry, if the header is readable.
    fn frame_damage(&self) -> OpenError {
        let start = self.checkpoint.position;
        let payload = FrameHeader::read(&self.frame, start).and_then(|_| self.frame.get(HEADER_BYTES..));
        let entries = payload.map(|payload| frame::salvage(payload, start.plus(HEADER_BYTES)));
        match entries.into_iter().flatten().find_map(Result::err) {
            Some(entry) => self.corruption(entry, AN_ORDER),
            None => self.corruption(start, "a batch"),
        }
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

    /// Whether the header of a later frame stands anywhere after `offset`.
    ///
    /// It was written after a sync of everything before it, so an unreadable frame at `offset` was acknowledged.
    fn later_header_after(&self, offset: u64) -> io::Result<bool> {
        let mut bytes = vec![0; SEARCH_BYTES];
        // The texts of the damaged frame itself are no evidence, as far as its header says where it ends.
        let header = FrameHeader::read(&self.frame, self.checkpoint.position);
        let frame_bytes = header.map_or(1, |header| (HEADER_BYTES + header.payload_bytes) as u64);
        let mut from = offset + frame_bytes;
        loop {
            let read = read_available(&self.segment, &mut bytes, from)?;
            let start = Position(self.segment.before.position.0 + from);
            let mut at = 0;
            while let Some(next) = frame::find_magic(&bytes[at..read]) {
                at += next;
                if frame::is_later_header(&bytes[at..read], start.plus(at), &self.checkpoint) {
                    return Ok(true);
                }
                at += 1;
            }
            if read < bytes.len() {
                return Ok(false);
            }
            // A header may stand across the end of these bytes.
            from += (bytes.len() - HEADER_BYTES) as u64;
        }
    }

    /// The error for the frame that the last step could not read from disk.
    pub(crate) fn unreadable(&self, source: io::Error) -> EntryReadError {
        let offset = self.segment.offset(self.checkpoint.position);
        EntryReadError::Io { file: self.segment.path.clone(), offset, source }
    }

    /// The error for damage at `position`.
    pub(crate) fn corruption(&self, position: Position, what: &'static str) -> OpenError {
        let offset = self.segment.offset(position);
        OpenError::Corrupt { file: self.segment.path.clone(), offset, what }
    }
}

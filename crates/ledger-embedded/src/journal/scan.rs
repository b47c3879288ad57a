//! Reading the journal from a mark to its end, and telling how it ends.

use std::sync::Arc;

use super::Journal;
use super::entry::Entry;
use super::frame::{self, HEADER_BYTES, Header};
use super::position::{Mark, Position};
use super::segment::{Segment, only_zeros_from, read_up_to};
use crate::error::OpenError;

/// A walk over the frames after a mark.
pub(crate) struct Scan<'a> {
    journal: &'a Journal,
    segment: Arc<Segment>,
    at: Mark,
    frame: Vec<u8>,
}

/// What a step of the walk came to.
pub(crate) enum Step {
    /// A frame; its entries can be read until the next step.
    Frame,
    /// The journal ends here.
    End,
    /// The journal ends here, and then there are bytes of a frame that was never finished.
    Torn,
}

impl<'a> Scan<'a> {
    /// Walks from `from`, a mark that was made when the journal reached it.
    pub(crate) fn new(journal: &'a Journal, from: Mark) -> Self {
        let segment = journal.segment(from.position);
        // Where a segment begins, the one before it ended; the first frame comes after the header.
        let at = if segment.before == from { segment.first_frame() } else { from };
        Self { journal, segment, at, frame: Vec::new() }
    }

    /// The mark after the last frame.
    pub(crate) fn mark(&self) -> &Mark {
        &self.at
    }

    /// The segment in which the walk is.
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
        let start = Position(self.at.position.0 - payload.len() as u64);
        frame::entries(payload, start).map(move |entry| entry.ok_or_else(|| self.corrupt(start, "an order")))
    }

    /// Reads the next frame.
    ///
    /// Damage is an error: bytes that are no frame, but were once synced, because a whole frame follows them.
    pub(crate) fn step(&mut self) -> Result<Step, OpenError> {
        self.frame.clear();
        let offset = self.segment.offset(self.at.position);
        let length = self.segment.file.metadata()?.len();
        if let Some(after) = self.read_frame(offset, length)? {
            self.at = after;
            return Ok(Step::Frame);
        }
        if only_zeros_from(&self.segment, offset)? {
            let Some(next) = self.journal.next(&self.segment) else {
                return Ok(Step::End);
            };
            if next.before != self.at {
                return Err(OpenError::Corrupt {
                    file: next.path.clone(),
                    offset: 0,
                    what: "the chain of digests",
                });
            }
            self.at = next.first_frame();
            self.segment = next;
            return self.step();
        }
        if self.journal.next(&self.segment).is_some() || self.whole_frame_after(offset, length)? {
            return Err(self.corrupt(self.at.position, "a batch"));
        }
        Ok(Step::Torn)
    }

    /// Reads the frame at `offset` of a file of this length and verifies it; `None` if what is there does not follow
    /// the last mark.
    fn read_frame(&mut self, offset: u64, length: u64) -> Result<Option<Mark>, OpenError> {
        self.frame.resize(HEADER_BYTES, 0);
        let read = read_up_to(&self.segment, &mut self.frame, offset)?;
        let Some(header) = Header::read(&self.frame[..read], self.at.position) else {
            return Ok(None);
        };
        // No room is made for what the file does not hold: a header may say up to 4 GiB.
        if (HEADER_BYTES + header.payload) as u64 > length.saturating_sub(offset) {
            return Ok(None);
        }
        self.frame.resize(HEADER_BYTES + header.payload, 0);
        let read = read_up_to(&self.segment, &mut self.frame[HEADER_BYTES..], offset + HEADER_BYTES as u64)?;
        if read < header.payload {
            return Ok(None);
        }
        Ok(frame::verify(&header, &self.frame, &self.at))
    }

    /// Whether a whole frame stands anywhere after `offset`.
    ///
    /// It was written after a sync of everything before it, so what is broken at `offset` was acknowledged.
    fn whole_frame_after(&self, offset: u64, length: u64) -> Result<bool, OpenError> {
        let mut rest = vec![0; usize::try_from(length - offset).unwrap_or(usize::MAX)];
        let read = read_up_to(&self.segment, &mut rest, offset)?;
        let start = self.at.position;
        Ok((1..read).any(|at| frame::is_whole(&rest[at..read], start.plus(at))))
    }

    /// What is said of damage at `position`.
    pub(crate) fn corrupt(&self, position: Position, what: &'static str) -> OpenError {
        let offset = self.segment.offset(position);
        OpenError::Corrupt { file: self.segment.path.clone(), offset, what }
    }
}

//! Open files of the journal: the last segment, and the sealed segments used most recently (LRU).
//!
//! A read of an open segment takes no lock besides the list's and makes no system call: it compares a tick. The tick
//! advances with each file that is opened, so the order of uses is known only as finely as files are opened.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use super::position::{Checkpoint, Position};
use super::segment::Segment;
use crate::disk::is_out_of_files;

/// Open sealed segments are at most a quarter of the process's limit of open files, and within these bounds. With
/// files of 256 MiB, 512 are a journal of 128 GiB.
const OPEN_MIN: u64 = 8;
const OPEN_MAX: u64 = 512;

/// The segments of a journal, in order and without gaps.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    segments: RwLock<Vec<Arc<Segment>>>,
    tick: AtomicU64,
    /// Sealed segments that may be open.
    open_max: usize,
}

impl SegmentFiles {
    pub(super) fn new(segments: Vec<Arc<Segment>>) -> Self {
        Self { segments: RwLock::new(segments), tick: AtomicU64::new(1), open_max: open_max() }
    }

    /// Looks something up in the list.
    pub(super) fn with<T>(&self, look_up: impl FnOnce(&[Arc<Segment>]) -> T) -> T {
        look_up(&self.segments.read().expect("nothing panics while it changes the segments"))
    }

    /// The segment that holds `position`, or where it would be if it is past the end.
    pub(super) fn find(&self, position: Position) -> Arc<Segment> {
        self.with(|segments| {
            let after = segments.partition_point(|segment| segment.before.position <= position);
            Arc::clone(&segments[after.saturating_sub(1)])
        })
    }

    /// The first segment after `checkpoint`.
    pub(super) fn after(&self, checkpoint: &Checkpoint) -> Option<Arc<Segment>> {
        self.with(|segments| {
            let after = segments.partition_point(|segment| segment.before.position <= checkpoint.position);
            segments.get(after).cloned()
        })
    }

    /// Opens a segment that is closed, after closing the one used longest ago. Without a file descriptor it closes
    /// all other sealed ones, and tries again.
    pub(super) fn open(&self, segment: &Segment) -> io::Result<()> {
        if segment.is_open() {
            segment.mark_used(self.tick.load(Ordering::Relaxed));
            return Ok(());
        }
        segment.mark_used(self.tick.fetch_add(1, Ordering::Relaxed) + 1);
        self.close_sealed(self.open_max - 1);
        match segment.file() {
            Err(error) if is_out_of_files(&error) => {
                self.close_sealed(0);
                segment.file().map(|_| ())
            }
            opened => opened.map(|_| ()),
        }
    }

    /// Adds the new last segment; the one before is sealed.
    pub(super) fn push(&self, segment: Arc<Segment>) {
        segment.mark_used(self.tick.load(Ordering::Relaxed));
        self.segments.write().expect("nothing panics while it changes the segments").push(segment);
        self.close_sealed(self.open_max);
    }

    /// Closes sealed segments, those used longest ago first, until at most `max` are open.
    fn close_sealed(&self, max: usize) {
        let is_open = |segments: &[Arc<Segment>]| {
            let sealed = segments.split_last().map_or(segments, |(_, sealed)| sealed);
            sealed.iter().enumerate().filter(|(_, segment)| segment.is_open()).map(|(at, _)| at).collect()
        };
        let open: Vec<usize> = self.with(is_open);
        if open.len() <= max {
            return;
        }
        let mut segments = self.segments.write().expect("nothing panics while it changes the segments");
        let mut open: Vec<usize> = is_open(segments.as_slice());
        open.sort_by_key(|at| segments[*at].used_at());
        let surplus = open.len().saturating_sub(max);
        let closed: Vec<_> = open[..surplus]
            .iter()
            .map(|at| {
                let closed = Arc::new(segments[*at].closed());
                std::mem::replace(&mut segments[*at], closed)
            })
            .collect();
        drop(segments);
        // Closing files takes a while, so no lock is held.
        drop(closed);
    }
}

fn open_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let max = limit.map_or(OPEN_MAX, |limit| (limit / 4).clamp(OPEN_MIN, OPEN_MAX));
    usize::try_from(max).expect("at most 512")
}

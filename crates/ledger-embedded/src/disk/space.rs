//! Whether there is room on the disk for more orders, and what is done while there is not.
//!
//! While there is none, new orders and records are refused, and everything else goes on. Orders are refused while less
//! is free than `Settings::room_kept_bytes`, so that what was taken before can still be brought into the views; and
//! when a write found no room all the same, because somebody else filled the disk or a quota ends, until a trial
//! finds room; and while rows wait in memory for room in the views, because memory is bounded.
//!
//! Nobody asks the file system in an order's own path: a thread of the store does, some times a second, and orders
//! look at one number.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::disk::{Disk, WriteError};
use crate::settings::Settings;

/// Of a disk that is smaller than its operator thought of, this part is kept at most.
const KEPT_PART: u64 = 8;

/// How often room is looked for. At the greatest speed, some 40 MB of orders are written in a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The file with which room is tried for.
const TRIAL_FILE: &str = "room";
/// A trial is of at least this much, and of at most [`TRIAL_BYTES_MAX`]: more than the largest batch.
const TRIAL_BYTES_MIN: u64 = 64 * 1024;
const TRIAL_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no room, as bits.
const LOW: u8 = 1;
const REFUSED: u8 = 2;
const ROWS_WAIT: u8 = 4;

/// The room of a store.
#[derive(Debug)]
pub(crate) struct Room {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    kept: u64,
    reasons: AtomicU8,
    /// How much the last write was of that found no room.
    needed: AtomicU64,
}

impl Room {
    /// The room of the store in `folder`, which has to be there.
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path, settings: &Settings) -> Self {
        let room = Self {
            disk,
            folder: folder.to_owned(),
            kept: settings.room_kept_bytes,
            reasons: AtomicU8::new(0),
            needed: AtomicU64::new(0),
        };
        room.look();
        room
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whether new orders and records are refused.
    pub(crate) fn is_full(&self) -> bool {
        self.reasons.load(Ordering::Relaxed) != 0
    }

    /// Whether a write found no room, and no trial has since.
    pub(crate) fn has_refused(&self) -> bool {
        self.reasons.load(Ordering::Relaxed) & REFUSED != 0
    }

    /// Whether rows wait in memory for room in the views.
    pub(crate) fn rows_wait(&self) -> bool {
        self.reasons.load(Ordering::Relaxed) & ROWS_WAIT != 0
    }

    /// A write of about so many bytes found no room.
    pub(crate) fn refuse(&self, bytes: usize) {
        self.needed.store(bytes as u64, Ordering::Relaxed);
        self.add(REFUSED);
    }

    /// Rows wait for room in the views, or no longer.
    pub(crate) fn set_rows_wait(&self, wait: bool) {
        if wait { self.add(ROWS_WAIT) } else { self.clear(ROWS_WAIT) }
    }

    /// Whether so many bytes can be written and what is kept is still there.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        let space = self.disk.space(&self.folder);
        space.is_none_or(|space| space.free >= bytes.saturating_add(self.kept_of(space.total)))
    }

    fn kept_of(&self, total: u64) -> u64 {
        self.kept.min(total / KEPT_PART)
    }

    /// Looks how much is free, and tries for room where a write found none.
    pub(crate) fn look(&self) {
        let is_low = self.disk.space(&self.folder).is_some_and(|space| {
            let kept = self.kept_of(space.total);
            let was_low = self.reasons.load(Ordering::Relaxed) & LOW != 0;
            // A little more than what is kept, so that it does not go back and forth.
            space.free < if was_low { kept.saturating_add(kept / 8) } else { kept }
        });
        if is_low {
            self.add(LOW);
            return;
        }
        if self.has_refused() && self.try_for_room().is_ok() {
            self.clear(REFUSED);
        }
        self.clear(LOW);
    }

    /// Writes twice what found no room, and takes it away again. A file system may have room that is not this user's.
    fn try_for_room(&self) -> Result<(), WriteError> {
        let bytes = self.needed.load(Ordering::Relaxed).saturating_mul(2);
        let bytes = bytes.clamp(TRIAL_BYTES_MIN, TRIAL_BYTES_MAX);
        let path = self.folder.join(TRIAL_FILE);
        let tried = self.disk.create(&path).and_then(|file| {
            let bytes = vec![0xA5; usize::try_from(bytes).expect("it is not more than TRIAL_BYTES_MAX")];
            self.disk.write(&file, &bytes, 0)
        });
        // Where it cannot be removed, the next trial writes over it.
        let _ = std::fs::remove_file(&path);
        tried
    }

    fn add(&self, reason: u8) {
        if self.reasons.fetch_or(reason, Ordering::Relaxed) == 0 {
            let folder = self.folder.display();
            tracing::warn!("the disk of {folder} is full; no more orders are taken until there is room");
        }
    }

    fn clear(&self, reason: u8) {
        if self.reasons.fetch_and(!reason, Ordering::Relaxed) == reason {
            tracing::info!("the disk of {} has room again; orders are taken", self.folder.display());
        }
    }
}

/// The thread that looks for room. Dropping it ends it.
pub(crate) struct Looker {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Looker {
    pub(crate) fn start(room: Arc<Room>) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new().name("pactolus-room".into()).spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                room.look();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Looker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks for room panicked");
        }
    }
}

//! Whether there is room on the disk for more orders, and what is done while there is not.
//!
//! While there is none, new orders and records are refused, and everything else goes on. Orders are refused while less
//! is free than `EmbeddedSettings::disk_reserve_bytes`, so that what was taken before can still be brought into the views; and
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
use crate::settings::EmbeddedSettings;

/// Of a disk that is smaller than its operator thought of, this part is kept at most.
const RESERVE_DIVISOR: u64 = 8;

/// How often room is looked for. At the greatest speed, some 40 MB of orders are written in a second.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// The file with which room is tried for.
const PROBE_FILE: &str = "room";
/// A trial is of at least this much, and of at most [`PROBE_BYTES_MAX`]: more than the largest batch.
const PROBE_BYTES_MIN: u64 = 64 * 1024;
const PROBE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no room, as bits.
const BELOW_RESERVE: u8 = 1;
const ENOSPC: u8 = 2;
const FLUSH_STALLED: u8 = 4;

/// The room of a store.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    reserve_bytes: u64,
    full_reasons: AtomicU8,
    /// How much the last write was of that found no room.
    needed_bytes: AtomicU64,
}

impl DiskSpace {
    /// The room of the store in `folder`, which has to be there.
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path, settings: &EmbeddedSettings) -> Self {
        let space = Self {
            disk,
            folder: folder.to_owned(),
            reserve_bytes: settings.disk_reserve_bytes,
            full_reasons: AtomicU8::new(0),
            needed_bytes: AtomicU64::new(0),
        };
        space.poll();
        space
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whether new orders and records are refused.
    pub(crate) fn is_full(&self) -> bool {
        self.full_reasons.load(Ordering::Relaxed) != 0
    }

    /// Whether a write found no room, and no trial has since.
    pub(crate) fn has_enospc(&self) -> bool {
        self.full_reasons.load(Ordering::Relaxed) & ENOSPC != 0
    }

    /// Whether rows wait in memory for room in the views.
    pub(crate) fn flush_stalled(&self) -> bool {
        self.full_reasons.load(Ordering::Relaxed) & FLUSH_STALLED != 0
    }

    /// A write of about so many bytes found no room.
    pub(crate) fn record_enospc(&self, bytes: usize) {
        self.needed_bytes.store(bytes as u64, Ordering::Relaxed);
        self.set_reason(ENOSPC);
    }

    /// Rows wait for room in the views, or no longer.
    pub(crate) fn set_flush_stalled(&self, wait: bool) {
        if wait { self.set_reason(FLUSH_STALLED) } else { self.clear_reason(FLUSH_STALLED) }
    }

    /// Whether so many bytes can be written and what is kept is still there.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        let space = self.disk.capacity(&self.folder);
        space.is_none_or(|space| space.free >= bytes.saturating_add(self.reserve_of(space.total)))
    }

    fn reserve_of(&self, total: u64) -> u64 {
        self.reserve_bytes.min(total / RESERVE_DIVISOR)
    }

    /// Looks how much is free, and tries for room where a write found none.
    pub(crate) fn poll(&self) {
        let is_low = self.disk.capacity(&self.folder).is_some_and(|space| {
            let reserve = self.reserve_of(space.total);
            let was_low = self.full_reasons.load(Ordering::Relaxed) & BELOW_RESERVE != 0;
            // A little more than what is kept, so that it does not go back and forth.
            space.free < if was_low { reserve.saturating_add(reserve / 8) } else { reserve }
        });
        if is_low {
            self.set_reason(BELOW_RESERVE);
            return;
        }
        if self.has_enospc() && self.probe_write().is_ok() {
            self.clear_reason(ENOSPC);
        }
        self.clear_reason(BELOW_RESERVE);
    }

    /// Writes twice what found no room, and takes it away again. A file system may have room that is not this user's.
    fn probe_write(&self) -> Result<(), WriteError> {
        let bytes = self.needed_bytes.load(Ordering::Relaxed).saturating_mul(2);
        let bytes = bytes.clamp(PROBE_BYTES_MIN, PROBE_BYTES_MAX);
        let path = self.folder.join(PROBE_FILE);
        let tried = self.disk.create(&path).and_then(|file| {
            let bytes = vec![0xA5; usize::try_from(bytes).expect("it is not more than TRIAL_BYTES_MAX")];
            self.disk.write(&file, &bytes, 0)
        });
        // Where it cannot be removed, the next trial writes over it.
        let _ = std::fs::remove_file(&path);
        tried
    }

    fn set_reason(&self, reason: u8) {
        if self.full_reasons.fetch_or(reason, Ordering::Relaxed) == 0 {
            let folder = self.folder.display();
            tracing::warn!("the disk of {folder} is full; no more orders are taken until there is room");
        }
    }

    fn clear_reason(&self, reason: u8) {
        if self.full_reasons.fetch_and(!reason, Ordering::Relaxed) == reason {
            tracing::info!("the disk of {} has room again; orders are taken", self.folder.display());
        }
    }
}

/// The thread that looks for room. Dropping it ends it.
pub(crate) struct SpaceMonitor {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SpaceMonitor {
    pub(crate) fn start(space: Arc<DiskSpace>) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = std::thread::Builder::new().name("pactolus-room".into()).spawn(move || {
            while stopped.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                space.poll();
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for SpaceMonitor {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks for room panicked");
        }
    }
}

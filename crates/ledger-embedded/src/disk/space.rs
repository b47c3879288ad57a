//! Disk space guard: refuses new orders and records while the disk is full; everything else goes on.
//!
//! The disk counts as full while less than `EmbeddedSettings::disk_reserve_bytes` is free, so that accepted orders
//! can still be flushed; after a write failed with ENOSPC (another process filled the disk, or a quota ends), until a
//! probe write succeeds; and while a flush is stalled, because memory is bounded.
//!
//! No order asks the file system: a monitor thread polls it four times a second, and orders load one atomic.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use crate::background::supervisor::SupervisedThread;
use crate::disk::{Disk, WriteError};
use crate::health::Health;
use crate::settings::EmbeddedSettings;

/// The reserve is at most this part of a disk, which may be smaller than its operator thought.
const RESERVE_DIVISOR: u64 = 8;

/// Interval between polls. At the highest throughput, some 40 MB of orders are written in a second.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// File of the probe write.
const PROBE_FILE: &str = "room";
/// A probe writes at least this much, and at most [`PROBE_BYTES_MAX`]: more than the largest batch.
const PROBE_BYTES_MIN: u64 = 64 * 1024;
const PROBE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reasons for a full disk, as bits.
const BELOW_RESERVE: u8 = 1;
const ENOSPC: u8 = 2;
const FLUSH_STALLED: u8 = 4;
/// A flush waits for file descriptors. The disk is not full then.
const FLUSH_WAITS: u8 = 8;

#[derive(Debug)]
pub(crate) struct DiskSpace {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    reserve_bytes: u64,
    full_reasons: AtomicU8,
    /// Bytes of the last write that failed with ENOSPC.
    needed_bytes: AtomicU64,
    /// Free bytes and reserve at the last poll; `u64::MAX` before the first.
    polled_free: AtomicU64,
    polled_reserve: AtomicU64,
}

impl DiskSpace {
    /// The guard of the store in `folder`, which must exist.
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path, settings: &EmbeddedSettings) -> Self {
        let space = Self {
            disk,
            folder: folder.to_owned(),
            reserve_bytes: settings.disk_reserve_bytes,
            full_reasons: AtomicU8::new(0),
            needed_bytes: AtomicU64::new(0),
            polled_free: AtomicU64::new(u64::MAX),
            polled_reserve: AtomicU64::new(0),
        };
        space.poll();
        space
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whether new orders and records are refused.
    pub(crate) fn is_full(&self) -> bool {
        self.full_reasons.load(Ordering::Relaxed) & !FLUSH_WAITS != 0
    }

    /// Whether a write failed with ENOSPC, and no probe has succeeded since.
    pub(crate) fn has_enospc(&self) -> bool {
        self.full_reasons.load(Ordering::Relaxed) & ENOSPC != 0
    }

    /// Whether frozen rows wait in memory, for disk space or for file descriptors.
    pub(crate) fn flush_stalled(&self) -> bool {
        self.full_reasons.load(Ordering::Relaxed) & (FLUSH_STALLED | FLUSH_WAITS) != 0
    }

    /// Records that a write of about so many bytes failed with ENOSPC.
    pub(crate) fn record_enospc(&self, bytes: usize) {
        self.needed_bytes.store(bytes as u64, Ordering::Relaxed);
        self.set_reason(ENOSPC);
    }

    /// Records that a flush waits for disk space.
    pub(crate) fn set_flush_stalled(&self) {
        self.set_reason(FLUSH_STALLED);
    }

    /// Records that a flush waits for file descriptors.
    pub(crate) fn set_flush_waits(&self) {
        self.full_reasons.fetch_or(FLUSH_WAITS, Ordering::Relaxed);
    }

    /// Records that no flush waits.
    pub(crate) fn clear_flush_stalled(&self) {
        self.full_reasons.fetch_and(!FLUSH_WAITS, Ordering::Relaxed);
        self.clear_reason(FLUSH_STALLED);
    }

    /// Free bytes and the reserve at the last poll; `None` on a disk that does not report them.
    pub(crate) fn last_polled(&self) -> Option<(u64, u64)> {
        let free = self.polled_free.load(Ordering::Relaxed);
        (free != u64::MAX).then(|| (free, self.polled_reserve.load(Ordering::Relaxed)))
    }

    /// Whether so many bytes can be written without touching the reserve.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        let space = self.disk.capacity(&self.folder);
        space.is_none_or(|space| space.free >= bytes.saturating_add(self.reserve_of(space.total)))
    }

    fn reserve_of(&self, total: u64) -> u64 {
        self.reserve_bytes.min(total / RESERVE_DIVISOR)
    }

    /// Reads the free space, and probes if a write failed with ENOSPC.
    pub(crate) fn poll(&self) {
        let is_low = self.disk.capacity(&self.folder).is_some_and(|space| {
            let reserve = self.reserve_of(space.total);
            self.polled_reserve.store(reserve, Ordering::Relaxed);
            self.polled_free.store(space.free, Ordering::Relaxed);
            let was_low = self.full_reasons.load(Ordering::Relaxed) & BELOW_RESERVE != 0;
            // Hysteresis: a little more than the reserve ends it, so that it does not flap.
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

    /// Writes twice the bytes that failed, and removes them. Free space may be reserved for other users.
    fn probe_write(&self) -> Result<(), WriteError> {
        let bytes = self.needed_bytes.load(Ordering::Relaxed).saturating_mul(2);
        let bytes = bytes.clamp(PROBE_BYTES_MIN, PROBE_BYTES_MAX);
        let path = self.folder.join(PROBE_FILE);
        let tried = self.disk.create(&path).and_then(|file| {
            let bytes = vec![0xA5; usize::try_from(bytes).expect("at most PROBE_BYTES_MAX")];
            self.disk.write(&file, &bytes, 0)
        });
        // If it cannot be removed, the next probe overwrites it.
        let _ = std::fs::remove_file(&path);
        tried
    }

    fn set_reason(&self, reason: u8) {
        if self.full_reasons.fetch_or(reason, Ordering::Relaxed) == 0 {
            let folder = self.folder.display();
            tracing::warn!("the disk of {folder} is full; new orders are refused until there is space");
        }
    }

    fn clear_reason(&self, reason: u8) {
        if self.full_reasons.fetch_and(!reason, Ordering::Relaxed) == reason {
            tracing::info!("the disk of {} has space again; orders are accepted", self.folder.display());
        }
    }
}

/// The thread that polls the free space. Dropping it ends it.
pub(crate) struct SpaceMonitor {
    stop: Option<SyncSender<()>>,
    thread: SupervisedThread,
}

impl SpaceMonitor {
    pub(crate) fn start(space: Arc<DiskSpace>, health: &Arc<Health>) -> std::io::Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = SupervisedThread::spawn("pactolus-space", health, move || {
            while stopped.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
                space.poll();
            }
        })?;
        Ok(Self { stop: Some(stop), thread })
    }
}

impl Drop for SpaceMonitor {
    fn drop(&mut self) {
        self.thread.expect_end();
        self.stop = None;
        self.thread.join();
    }
}

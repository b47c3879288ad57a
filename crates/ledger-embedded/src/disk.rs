//! What the store asks of the disk that can be full: writes, and how much room is left.
//!
//! It must never take an error of a sync for a full disk: what a sync that failed has left is not known, and a second
//! one that seems to succeed proves nothing. Read next: `room`, what comes of a full disk.

pub(crate) mod space;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// There is no room; some of it may be there.
    #[error("there is no room on the disk")]
    DiskFull(#[source] io::Error),
    /// It may or may not be there, and nobody knows whether what was there before still is.
    #[error("writing failed")]
    Failed(#[source] io::Error),
}

impl WriteError {
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::DiskFull(_))
    }
}

/// What a write, or whatever else takes room, came to.
impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        if is_disk_full(&error) { Self::DiskFull(error) } else { Self::Failed(error) }
    }
}

/// For whoever acts the same on both.
impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::DiskFull(error) | WriteError::Failed(error) => error,
        }
    }
}

/// Whether an error of a write says that there is no room, or none for this user.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What a sync came to. Its errors are failures, whatever they say.
pub(crate) fn sync_result(result: io::Result<()>) -> Result<(), WriteError> {
    result.map_err(WriteError::Failed)
}

/// Makes durable what files and folders a folder holds; without this a power cut may forget a new one, with all in it.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The room of a file system, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// A disk: the machine's, or one that a test fills.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {
    /// How much room there is where `folder` is; nothing where the file system does not say.
    fn capacity(&self, folder: &Path) -> Option<Capacity> {
        let stats = rustix::fs::statvfs(folder).ok().filter(|told| told.f_blocks > 0)?;
        let [free, total] =
            [stats.f_bavail, stats.f_blocks].map(|blocks| blocks.saturating_mul(stats.f_frsize));
        Some(Capacity { free, total })
    }

    /// Opens a new file, or an old one without what was in it.
    fn create(&self, path: &Path) -> Result<File, WriteError> {
        Ok(OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?)
    }

    /// Writes all of `bytes` at `offset`.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> Result<(), WriteError> {
        Ok(file.write_all_at(bytes, offset)?)
    }
}

/// The machine's disk.
#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {}

/// A disk that a test fills and frees.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct TestDisk {
    free: std::sync::atomic::AtomicU64,
    /// Whether it says how much room it has.
    reports_capacity: bool,
}

#[cfg(test)]
impl TestDisk {
    pub(crate) const TOTAL: u64 = 1 << 30;

    pub(crate) fn new(says: bool) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { free: Self::TOTAL.into(), reports_capacity: says })
    }

    /// From now on there is room for so many bytes.
    pub(crate) fn set_free(&self, free: u64) {
        self.free.store(free, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Disk for TestDisk {
    fn capacity(&self, _: &Path) -> Option<Capacity> {
        let free = self.free.load(std::sync::atomic::Ordering::SeqCst);
        self.reports_capacity.then_some(Capacity { free, total: Self::TOTAL })
    }

    /// Like a disk that becomes full in the middle of a write, it leaves the first half of it there.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> Result<(), WriteError> {
        use std::sync::atomic::Ordering::SeqCst;
        let taken = self.free.try_update(SeqCst, SeqCst, |free| free.checked_sub(bytes.len() as u64));
        if taken.is_err() {
            file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        Ok(file.write_all_at(bytes, offset)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system that finds room only when it syncs says with the same word that a sync failed.
    #[test]
    fn enospc_is_full_on_write_but_failure_on_sync() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(WriteError::from(full()).is_full());
        assert!(WriteError::from(io::Error::from(io::ErrorKind::QuotaExceeded)).is_full());
        assert!(!WriteError::from(io::Error::from(io::ErrorKind::FileTooLarge)).is_full());
        assert!(matches!(sync_result(Err(full())), Err(WriteError::Failed(_))));
    }
}

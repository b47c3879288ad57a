//! The disk: writes, which may find it full, and its capacity.
//!
//! A sync error is never taken for a full disk: the state after a failed sync is unknown, and a second sync that
//! seems to succeed proves nothing. Read next: `space`, the handling of a full disk.

pub(crate) mod space;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The disk is full; a part may be written.
    #[error("the disk is full")]
    DiskFull(#[source] io::Error),
    /// It may or may not be written, and the bytes there before may be lost.
    #[error("writing failed")]
    Failed(#[source] io::Error),
}

impl WriteError {
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::DiskFull(_))
    }
}

/// The error of a write, or of another call that takes disk space.
impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        if is_disk_full(&error) { Self::DiskFull(error) } else { Self::Failed(error) }
    }
}

/// For callers that treat both alike.
impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::DiskFull(error) | WriteError::Failed(error) => error,
        }
    }
}

/// Whether a write error says that the disk or the user's quota is full.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The result of a sync. Its errors are failures, whatever their kind.
pub(crate) fn sync_result(result: io::Result<()>) -> Result<(), WriteError> {
    result.map_err(WriteError::Failed)
}

/// Makes the entries of a folder durable; without this a power cut may lose a new file with all its content.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Capacity of a file system, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    pub(crate) free: u64,
    pub(crate) total: u64,
}

/// A disk: the machine's, or a test's.
pub(crate) trait Disk: Send + Sync + std::fmt::Debug {
    /// Capacity of the file system that holds `folder`; `None` if it does not report any.
    fn capacity(&self, folder: &Path) -> Option<Capacity> {
        let stats = rustix::fs::statvfs(folder).ok().filter(|stats| stats.f_blocks > 0)?;
        let [free, total] =
            [stats.f_bavail, stats.f_blocks].map(|blocks| blocks.saturating_mul(stats.f_frsize));
        Some(Capacity { free, total })
    }

    /// Creates a file, or truncates an existing one.
    fn create(&self, path: &Path) -> Result<File, WriteError> {
        Ok(OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?)
    }

    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> Result<(), WriteError> {
        Ok(file.write_all_at(bytes, offset)?)
    }
}

#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {}

/// A disk that a test fills and frees.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct TestDisk {
    free: std::sync::atomic::AtomicU64,
    reports_capacity: bool,
}

#[cfg(test)]
impl TestDisk {
    pub(crate) const TOTAL: u64 = 1 << 30;

    pub(crate) fn new(reports_capacity: bool) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { free: Self::TOTAL.into(), reports_capacity })
    }

    /// Sets the free bytes.
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

    /// Like a disk that becomes full in the middle of a write, it writes the first half.
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

    /// A file system that allocates space only at a sync reports the failed sync with the same error kind.
    #[test]
    fn enospc_is_full_on_write_but_failure_on_sync() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(WriteError::from(full()).is_full());
        assert!(WriteError::from(io::Error::from(io::ErrorKind::QuotaExceeded)).is_full());
        assert!(!WriteError::from(io::Error::from(io::ErrorKind::FileTooLarge)).is_full());
        assert!(matches!(sync_result(Err(full())), Err(WriteError::Failed(_))));
    }
}

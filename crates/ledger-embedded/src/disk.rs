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
    /// The process has no file descriptor left; nothing is written.
    #[error("too many open files")]
    OutOfFiles(#[source] io::Error),
    /// It may or may not be written, and the bytes there before may be lost.
    #[error("writing failed")]
    Failed(#[source] io::Error),
}

impl WriteError {
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::DiskFull(_))
    }

    /// Whether the disk was only full or a file could not be opened, so that a retry is safe.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::DiskFull(_) | Self::OutOfFiles(_) => true,
            Self::Failed(_) => false,
        }
    }
}

/// The error of a write, or of another call that takes disk space.
impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        if is_disk_full(&error) {
            Self::DiskFull(error)
        } else if is_file_limit(&error) {
            Self::OutOfFiles(error)
        } else {
            Self::Failed(error)
        }
    }
}

/// For callers that treat both alike.
impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::DiskFull(error) | WriteError::OutOfFiles(error) | WriteError::Failed(error) => error,
        }
    }
}

/// Whether a write error says that the disk or the user's quota is full.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether an error says that the process, or the system, has too many open files.
fn is_file_limit(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE].iter().any(|limit| error.raw_os_error() == Some(limit.raw_os_error()))
}

/// Whether an error or one of its causes is that there are too many open files.
pub(crate) fn is_out_of_files(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source())
        .any(|error| error.downcast_ref().is_some_and(is_file_limit))
}

/// The result of a sync. Its errors are failures, whatever their kind.
pub(crate) fn sync_result(result: io::Result<()>) -> Result<(), WriteError> {
    result.map_err(WriteError::Failed)
}

/// Makes the entries of a folder durable; without this a power cut may lose a new file with all its content.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Gives a written and synced file its name, durably.
///
/// The folder is opened before the rename, so that a process without file descriptors renames nothing.
pub(crate) fn rename_durably(from: &Path, to: &Path) -> Result<(), WriteError> {
    let folder = File::open(to.parent().unwrap_or(Path::new(".")))?;
    std::fs::rename(from, to)?;
    sync_result(folder.sync_all())
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

    /// Makes the data of a file durable.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

#[derive(Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {}

/// A disk that a test fills and frees, and that fails in the threads that the test names.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct TestDisk {
    free: std::sync::atomic::AtomicU64,
    reports_capacity: bool,
    /// Threads, by name, whose next call to the disk fails.
    faults: std::sync::Mutex<Vec<(&'static str, DiskFault)>>,
    /// Inodes of the files that [`Disk::sync_data`] synced.
    synced: std::sync::Mutex<Vec<u64>>,
}

/// Failure of a call to a [`TestDisk`].
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// The thread panics, as it would because of a bug.
    Panic,
    /// EIO.
    Io,
}

#[cfg(test)]
impl TestDisk {
    pub(crate) const TOTAL: u64 = 1 << 30;

    pub(crate) fn new(reports_capacity: bool) -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self {
            free: Self::TOTAL.into(),
            reports_capacity,
            faults: std::sync::Mutex::default(),
            synced: std::sync::Mutex::default(),
        })
    }

    /// From now on every call of the thread with this name fails.
    pub(crate) fn set_fault(&self, thread: &'static str, fault: DiskFault) {
        self.faults.lock().unwrap().push((thread, fault));
    }

    /// Inodes of the files synced so far.
    pub(crate) fn synced(&self) -> Vec<u64> {
        self.synced.lock().unwrap().clone()
    }

    fn fault(&self) -> io::Result<()> {
        let thread = std::thread::current();
        let faults = self.faults.lock().unwrap().clone();
        match faults.iter().find(|(name, _)| Some(*name) == thread.name()) {
            None => Ok(()),
            Some((_, DiskFault::Io)) => {
                Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()))
            }
            Some((name, DiskFault::Panic)) => panic!("a panic of this test in {name}"),
        }
    }

    /// Sets the free bytes.
    pub(crate) fn set_free(&self, free: u64) {
        self.free.store(free, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Disk for TestDisk {
    fn capacity(&self, _: &Path) -> Option<Capacity> {
        let _ = self.fault();
        let free = self.free.load(std::sync::atomic::Ordering::SeqCst);
        self.reports_capacity.then_some(Capacity { free, total: Self::TOTAL })
    }

    /// Like a disk that becomes full in the middle of a write, it writes the first half.
    fn write(&self, file: &File, bytes: &[u8], offset: u64) -> Result<(), WriteError> {
        use std::sync::atomic::Ordering::SeqCst;
        self.fault()?;
        let taken = self.free.try_update(SeqCst, SeqCst, |free| free.checked_sub(bytes.len() as u64));
        if taken.is_err() {
            file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        Ok(file.write_all_at(bytes, offset)?)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        self.fault()?;
        self.synced.lock().unwrap().push(file.metadata()?.ino());
        file.sync_data()
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

//! The lock of an open store: one process at a time.
//!
//! A file named `lock` is locked, which other programs can test, and the folder itself, because the file can be deleted
//! under a running bank. File systems that lock no folders (NFS) leave the file alone to lock.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::OpenError;
use crate::format;

/// Held as long as the store is open.
#[derive(Debug)]
pub(crate) struct StoreLock {
    _file: File,
    _folder: File,
}

impl StoreLock {
    /// Locks the store in `folder`, after creating it if it is missing.
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        Self::with_folder(format::lock_folder(folder)?, folder)
    }

    /// Locks an empty folder that becomes a store only when [`format::raise`] has named it one.
    pub(crate) fn take_unfinished(folder: &Path) -> Result<Self, OpenError> {
        Self::with_folder(format::lock_file(folder)?, folder)
    }

    fn with_folder(file: File, path: &Path) -> Result<Self, OpenError> {
        let folder = File::open(path)?;
        match folder.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder: path.to_owned() }),
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "{} cannot be locked as a folder; its lock file is", path.display());
            }
        }
        Ok(Self { _file: file, _folder: folder })
    }
}

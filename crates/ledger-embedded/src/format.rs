//! The folder of a store: its layout, the version of its format, and its lock.
//!
//! ```text
//! pactolus-store   the format's version, in words: that of the newest order in the journal, or a newer one
//! lock             held by the process that has the store open
//! journal/         the truth
//! views/           derived from the journal; may be removed while the store is closed
//! records/         tokens, sessions and the like
//! room             probe write, there for a moment after the disk was full
//! ```

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::codec::{FIRST_FORMAT, FORMAT_VERSION};
use crate::disk::{Disk, RealDisk, WriteError, sync_folder, sync_result};
use crate::error::OpenError;

const FORMAT_FILE: &str = "pactolus-store";
const FORMAT_TEMP_FILE: &str = "pactolus-store.new";
const LOCK_FILE: &str = "lock";
const FORMAT_PREFIX: &str = "Pactolus embedded store, format ";

/// Locks the folder, after creating it if it is missing. Refuses a folder in use, and one with foreign files.
///
/// The lock is held as long as the returned file is open.
pub(crate) fn lock_folder(folder: &Path) -> Result<File, OpenError> {
    std::fs::create_dir_all(folder)?;
    sync_parent(folder)?;
    let format = folder.join(FORMAT_FILE);
    let is_new = !format.exists();
    if is_new && has_foreign_files(folder)? {
        return Err(OpenError::NotAStore { folder: folder.to_owned() });
    }
    let lock = lock_file(folder)?;
    if is_new {
        raise(&RealDisk, folder, FIRST_FORMAT).map_err(io::Error::from)?;
    }
    let text = std::fs::read_to_string(&format)?;
    match text.trim_end().strip_prefix(FORMAT_PREFIX).map(str::parse::<u32>) {
        Some(Ok(found)) if found <= FORMAT_VERSION => Ok(lock),
        Some(Ok(found)) => Err(OpenError::NewerFormat { found, file: format }),
        Some(Err(_)) | None => {
            Err(OpenError::Corrupt { file: format, offset: 0, what: "the format's version" })
        }
    }
}

/// Locks the lock file of a folder, after creating it.
pub(crate) fn lock_file(folder: &Path) -> Result<File, OpenError> {
    let lock = File::create(folder.join(LOCK_FILE))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse { folder: folder.to_owned() },
        TryLockError::Error(error) => error.into(),
    })?;
    Ok(lock)
}

/// Makes the entry of a folder in its parent durable. A parent that this user must not list (mode 0711) cannot be
/// opened; then the whole file system is synced.
fn sync_parent(folder: &Path) -> io::Result<()> {
    // A relative folder's own parent may have no name.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    match sync_folder(parent.unwrap_or(Path::new("."))) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => sync_file_system(folder),
        synced => synced,
    }
}

#[cfg(target_os = "linux")]
fn sync_file_system(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

/// Whether a folder holds more than an interrupted [`lock_folder`] leaves.
fn has_foreign_files(folder: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != LOCK_FILE && name != FORMAT_TEMP_FILE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Replaces the format file of the store in `folder`, atomically and durably.
pub(crate) fn raise(disk: &dyn Disk, folder: &Path, format: u32) -> Result<(), WriteError> {
    let unnamed = folder.join(FORMAT_TEMP_FILE);
    let file = disk.create(&unnamed)?;
    disk.write(&file, format!("{FORMAT_PREFIX}{format}\n").as_bytes(), 0)?;
    sync_result(file.sync_all())?;
    std::fs::rename(&unnamed, folder.join(FORMAT_FILE))?;
    sync_result(sync_folder(folder))
}

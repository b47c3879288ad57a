//! The folder of a store: its layout, the version of its format, and its lock.
//!
//! ```text
//! pactolus-store   the format's version, in words
//! lock             held by the process that has the store open
//! journal/         the truth
//! views/           derived from the journal; may be removed while the store is closed
//! records/         tokens, sessions and the like
//! room             probe write, there for a moment after the disk was full
//! ```

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use crate::codec::FORMAT_VERSION;
use crate::disk::sync_folder;
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
    // A relative folder's own parent may have no name.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    sync_folder(parent.unwrap_or(Path::new(".")))?;
    let format = folder.join(FORMAT_FILE);
    let is_new = !format.exists();
    if is_new && has_foreign_files(folder)? {
        return Err(OpenError::NotAStore { folder: folder.to_owned() });
    }
    let lock = File::create(folder.join(LOCK_FILE))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse { folder: folder.to_owned() },
        TryLockError::Error(error) => error.into(),
    })?;
    if is_new {
        write_format(folder, &format)?;
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

/// Writes the format file atomically.
fn write_format(folder: &Path, format: &Path) -> io::Result<()> {
    let unnamed = folder.join(FORMAT_TEMP_FILE);
    let mut file = File::create(&unnamed)?;
    writeln!(file, "{FORMAT_PREFIX}{FORMAT_VERSION}")?;
    file.sync_all()?;
    std::fs::rename(&unnamed, format)?;
    sync_folder(folder)
}

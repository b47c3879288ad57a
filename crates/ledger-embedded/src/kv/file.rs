//! The file of a shelf, as redb reads and writes it.
//!
//! It has no lock of its own: the store's folder has one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;

use crate::disk::{Disk, WriteError};

/// What the file met.
#[derive(Debug, Default)]
pub(super) struct Found {
    no_room: AtomicBool,
    /// Anything but a write that found no room.
    other: AtomicBool,
}

impl Found {
    /// Whether a write found no room, and nothing else went wrong.
    pub(super) fn no_room(&self) -> bool {
        self.no_room.load(Ordering::Relaxed) && !self.other.load(Ordering::Relaxed)
    }

    fn note(&self, error: WriteError) -> io::Error {
        let which = if error.is_full() { &self.no_room } else { &self.other };
        which.store(true, Ordering::Relaxed);
        error.into()
    }
}

/// A file with rows.
#[derive(Debug)]
pub(super) struct RowsFile {
    file: File,
    disk: Arc<dyn Disk>,
    found: Arc<Found>,
}

impl RowsFile {
    /// Opens it, or makes it without anything in it.
    pub(super) fn open(path: &Path, disk: Arc<dyn Disk>, found: Arc<Found>) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Self { file, disk, found })
    }
}

impl StorageBackend for RowsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len).map_err(|error| self.found.note(error.into()))
    }

    fn sync_data(&self) -> io::Result<()> {
        // Whatever it says: a sync that failed is never taken for a full disk.
        self.file.sync_data().map_err(|error| self.found.note(WriteError::Failed(error)))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(&self.file, data, offset).map_err(|error| self.found.note(error))
    }
}

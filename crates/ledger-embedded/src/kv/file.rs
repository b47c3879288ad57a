//! Storage backend of redb: the file of a table.
//!
//! It takes no lock of its own: the store's folder has one.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;

use crate::disk::{Disk, WriteError};

/// Kinds of errors that the file met.
#[derive(Debug, Default)]
pub(super) struct IoErrors {
    disk_full: AtomicBool,
    /// Any error but a full disk.
    other: AtomicBool,
}

impl IoErrors {
    /// Whether the disk was full, and nothing else failed.
    pub(super) fn only_disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed) && !self.other.load(Ordering::Relaxed)
    }

    fn record(&self, error: WriteError) -> io::Error {
        let which = if error.is_full() { &self.disk_full } else { &self.other };
        which.store(true, Ordering::Relaxed);
        error.into()
    }
}

#[derive(Debug)]
pub(super) struct TableFile {
    file: File,
    disk: Arc<dyn Disk>,
    io_errors: Arc<IoErrors>,
}

impl TableFile {
    /// Opens the file, or creates it empty.
    pub(super) fn open(path: &Path, disk: Arc<dyn Disk>, io_errors: Arc<IoErrors>) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(Self { file, disk, io_errors })
    }
}

impl StorageBackend for TableFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len).map_err(|error| self.io_errors.record(error.into()))
    }

    fn sync_data(&self) -> io::Result<()> {
        // Whatever its kind, a sync error is never taken for a full disk.
        self.file.sync_data().map_err(|error| self.io_errors.record(WriteError::Failed(error)))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(&self.file, data, offset).map_err(|error| self.io_errors.record(error))
    }
}

//! Key-value table: rows in redb, in one file, each with a checksum of its own.
//!
//! A write is durable on return, and a power cut at any moment leaves the rows as before a write or as after it. redb
//! takes no more writes after a failed one until it is reopened. If the disk was full, the table reopens it as soon
//! as there is space; after any other error it must not. Read next: `kv/file`, the storage backend of redb.

mod file;

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redb::{Builder, Database, ReadOnlyTable, ReadableDatabase as _, ReadableTable, TableDefinition};

use self::file::{IoErrors, TableFile};
use crate::disk::space::DiskSpace;
use crate::disk::{Disk, sync_folder};

/// Bytes of the probe write after the disk was full.
const REOPEN_SPACE_BYTES: usize = 64 * 1024;

/// Attempts to find no reader before a reopen, and the interval between them.
const REOPEN_ATTEMPTS: usize = 100;
const REOPEN_INTERVAL: Duration = Duration::from_millis(1);

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
const FILE_NAME: &str = "rows.redb";
/// Name of the file until it is whole: redb rejects a file that it has not finished creating.
const TEMP_FILE_NAME: &str = "rows.new";
const CRC_BYTES: usize = 4;

#[derive(Clone, Debug)]
pub(crate) struct TableOptions {
    pub(crate) folder: PathBuf,
    pub(crate) cache_bytes: usize,
    /// Whether opening verifies every byte, which takes as long as reading the file.
    pub(crate) verify: bool,
}

/// Rows by key, with a single writer.
pub(crate) struct RedbTable {
    options: TableOptions,
    path: PathBuf,
    space: Arc<DiskSpace>,
    table: RwLock<Option<OpenTable>>,
    /// Whether it has to be reopened before the next write.
    needs_reopen: AtomicBool,
    /// Whether it refuses all writes.
    has_failed: AtomicBool,
}

struct OpenTable {
    database: Database,
    /// Errors of the file that redb does not report.
    io_errors: Arc<IoErrors>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    /// The disk is full. The write may still take effect once there is space.
    #[error("the disk is full")]
    DiskFull,
    /// Bytes that were once written have changed.
    #[error("{} is damaged: {what}", file.display())]
    Corrupt { file: PathBuf, what: &'static str },
    /// It failed before; only reopening the store helps.
    #[error("the table failed before; reopen the store")]
    AlreadyFailed,
    /// An error of the file; the storage engine does not pass it on as a cause.
    #[error("the storage engine cannot read or write its file")]
    Io(#[source] std::io::Error),
    #[error("the storage engine failed")]
    Failed(#[source] Box<redb::Error>),
}

impl TableError {
    /// Whether bytes that were once written have changed.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Failed(error) => matches!(**error, redb::Error::Corrupted(_)),
            Self::DiskFull | Self::AlreadyFailed | Self::Io(_) => false,
        }
    }
}

impl<E: Into<redb::Error>> From<E> for TableError {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::Io(error) => Self::Io(error),
            error => Self::Failed(Box::new(error)),
        }
    }
}

impl RedbTable {
    /// Opens the table in the folder, or creates it.
    pub(crate) fn open(options: TableOptions, space: Arc<DiskSpace>) -> Result<Self, TableError> {
        std::fs::create_dir_all(&options.folder).map_err(redb::Error::from)?;
        let path = options.folder.join(FILE_NAME);
        // Only if the file is known to be missing: a new table replaces everything in the folder.
        if !path.try_exists().map_err(redb::Error::from)? {
            OpenTable::create(&options, space.disk(), &path)?;
        }
        // Here, because the process that created it may have been killed before: then a power cut would lose all
        // rows.
        sync_folder(&options.folder).map_err(redb::Error::from)?;
        let open = OpenTable::open(&path, &options, space.disk())?;
        let (needs_reopen, has_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { options, path, space, table: RwLock::new(Some(open)), needs_reopen, has_failed })
    }

    /// Reads from a snapshot of the rows.
    pub(crate) fn read<T, E: From<TableError>>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let open = self.table.read().unwrap_or_else(PoisonError::into_inner);
        // It is missing only after a failed reopen.
        let open = open.as_ref().ok_or(TableError::AlreadyFailed)?;
        catch_redb_panic(&self.path, || {
            let table = open.database.begin_read().map_err(TableError::from)?.open_table(ROWS);
            read(&Snapshot { table: table.map_err(TableError::from)?, path: &self.path })
        })
    }

    /// Sets or removes the values of keys; durable on return.
    pub(crate) fn write<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), TableError> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(TableError::AlreadyFailed);
        }
        let written = self.reopen_if_needed().and_then(|()| self.try_write(changes));
        match &written {
            Ok(()) => {}
            Err(TableError::DiskFull) => self.needs_reopen.store(true, Ordering::Relaxed),
            Err(_) => self.has_failed.store(true, Ordering::Relaxed),
        }
        written
    }

    fn try_write<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), TableError> {
        let open = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_ref().ok_or(TableError::AlreadyFailed)?;
        let written = catch_redb_panic(&self.path, || {
            open.write(|table| {
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(table.insert(key, &*with_checksum(key, value))?),
                        None => drop(table.remove(key)?),
                    }
                }
                Ok(())
            })
        });
        // The error that redb reports for a full disk depends on its later calls.
        if written.is_err() && open.io_errors.only_disk_full() {
            self.space.record_enospc(REOPEN_SPACE_BYTES);
            return Err(TableError::DiskFull);
        }
        written
    }

    /// Reopens the table once there is disk space. If that fails, there is nothing to read any more.
    fn reopen_if_needed(&self) -> Result<(), TableError> {
        if !self.needs_reopen.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.space.has_enospc() {
            return Err(TableError::DiskFull);
        }
        // No blocking `write`: while it waits, new readers wait too, and a scan of everything takes seconds.
        let Some(mut open) = (0..REOPEN_ATTEMPTS).find_map(|_| {
            let open = self.table.try_write().ok();
            if open.is_none() {
                std::thread::sleep(REOPEN_INTERVAL);
            }
            open
        }) else {
            return Err(TableError::DiskFull);
        };
        *open = None;
        *open = Some(OpenTable::open(&self.path, &self.options, self.space.disk())?);
        self.needs_reopen.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// Closes the file. After a panic redb panics again when it is closed; that must not end the thread that drops a store.
impl Drop for RedbTable {
    fn drop(&mut self) {
        let open = self.table.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if catch_unwind(AssertUnwindSafe(|| drop(open))).is_err() {
            tracing::error!(file = %self.path.display(), "the storage engine panicked while it was closed");
        }
    }
}

impl OpenTable {
    /// Creates a file without rows, atomically, and removes everything else in the folder: an unfinished file, or
    /// those of another engine.
    fn create(options: &TableOptions, disk: &Arc<dyn Disk>, path: &Path) -> Result<(), TableError> {
        clear_folder(&options.folder).map_err(redb::Error::from)?;
        let temp_path = options.folder.join(TEMP_FILE_NAME);
        Self::open(&temp_path, options, disk)?.write(|_| Ok(()))?;
        Ok(std::fs::rename(&temp_path, path).map_err(redb::Error::from)?)
    }

    /// Opens a file, or creates it.
    fn open(path: &Path, label: &TableOptions, disk: &Arc<dyn Disk>) -> Result<Self, TableError> {
        let io_errors = Arc::new(IoErrors::default());
        let file =
            TableFile::open(path, Arc::clone(disk), Arc::clone(&io_errors)).map_err(redb::Error::from)?;
        let mut builder = Builder::new();
        builder.set_cache_size(label.cache_bytes).set_check_integrity_on_open(label.verify);
        match catch_redb_panic(path, || Ok(builder.create_with_backend(file)?)) {
            Ok(database) => Ok(Self { database, io_errors }),
            Err(_) if io_errors.only_disk_full() => Err(TableError::DiskFull),
            Err(error) => Err(error),
        }
    }

    /// Applies changes atomically.
    fn write(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>) -> Result<(), redb::StorageError>,
    ) -> Result<(), TableError> {
        let mut transaction = self.database.begin_write()?;
        // Otherwise opening after a crash would read the whole file.
        transaction.set_quick_repair(true);
        change(&mut transaction.open_table(ROWS)?)?;
        Ok(transaction.commit()?)
    }
}

/// Runs `work` on the file's pages. redb may panic on pages that have changed since it wrote them, which leaves
/// nothing half done here.
fn catch_redb_panic<T, E: From<TableError>>(
    file: &Path,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let what = "the storage engine panicked on its pages";
    let damaged = || TableError::Corrupt { file: file.to_owned(), what };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged().into()))
}

fn clear_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(folder)?;
    std::fs::create_dir(folder)
}

pub(crate) type KeyValue = (Vec<u8>, Vec<u8>);

/// The rows of a table at one moment.
pub(crate) struct Snapshot<'a> {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    path: &'a Path,
}

impl Snapshot<'_> {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, TableError> {
        match ReadableTable::get(&self.table, key)? {
            Some(stored) => self.verify(key, stored.value()).map(|value| Some(value.to_vec())),
            None => Ok(None),
        }
    }

    /// All rows whose keys begin with `prefix`, in order.
    pub(crate) fn scan_prefix(
        &self,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<KeyValue, TableError>>, TableError> {
        let rows = self.scan((Bound::Included(prefix), Bound::Unbounded))?;
        let prefix = prefix.to_vec();
        Ok(rows.take_while(move |row| row.as_ref().map_or(true, |(name, _)| name.starts_with(&prefix))))
    }

    /// All rows from the key `first` on, in order.
    pub(crate) fn scan_from(
        &self,
        first: &[u8],
    ) -> Result<impl Iterator<Item = Result<KeyValue, TableError>>, TableError> {
        self.scan((Bound::Included(first), Bound::Unbounded))
    }

    /// All rows whose keys are greater than `key`, in order.
    pub(crate) fn scan_after(
        &self,
        key: &[u8],
    ) -> Result<impl Iterator<Item = Result<KeyValue, TableError>>, TableError> {
        self.scan((Bound::Excluded(key), Bound::Unbounded))
    }

    fn scan(
        &self,
        keys: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Result<impl Iterator<Item = Result<KeyValue, TableError>>, TableError> {
        let rows = ReadableTable::range::<&[u8]>(&self.table, keys)?;
        Ok(rows.map(|row| {
            let (key, stored) = row?;
            let name = key.value().to_vec();
            let value = self.verify(&name, stored.value())?.to_vec();
            Ok((name, value))
        }))
    }

    /// The value of a stored row, if its checksum is right.
    fn verify<'b>(&self, key: &[u8], stored: &'b [u8]) -> Result<&'b [u8], TableError> {
        let value =
            stored.split_first_chunk::<CRC_BYTES>().filter(|(crc, value)| **crc == checksum(key, value));
        let what = "the checksum of a row is wrong";
        value.map(|(_, value)| value).ok_or_else(|| TableError::Corrupt { file: self.path.to_owned(), what })
    }
}

fn with_checksum(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&checksum(key, value)[..], value].concat()
}

/// Covers the key too, so that a value does not pass under another.
fn checksum(key: &[u8], value: &[u8]) -> [u8; CRC_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::{RealDisk, TestDisk};
    use crate::settings::EmbeddedSettings;

    fn open_table(folder: &Path, disk: Arc<dyn Disk>, verify: bool) -> Result<RedbTable, TableError> {
        let space = Arc::new(DiskSpace::new(disk, folder, &EmbeddedSettings::default()));
        RedbTable::open(TableOptions { folder: folder.to_owned(), cache_bytes: 1 << 20, verify }, space)
    }

    fn get(table: &RedbTable, name: &str) -> Option<Vec<u8>> {
        table.read(|rows| rows.get(name.as_bytes())).unwrap()
    }

    fn put(table: &RedbTable, key: &str, value: &[u8]) -> Result<(), TableError> {
        table.write([(key.as_bytes(), Some(value))])
    }

    #[test]
    fn rows_survive_reopen() {
        let folder = tempfile::tempdir().unwrap();
        let open = || open_table(folder.path(), Arc::new(RealDisk), false).unwrap();
        let first = open();
        for key in ["b", "a-1", "a-2", "a"] {
            put(&first, key, key.as_bytes()).unwrap();
        }
        first.write([(b"a-1" as &[u8], None)]).unwrap();
        drop(first);
        let again = open();
        assert_eq!((get(&again, "b"), get(&again, "a-1")), (Some(b"b".to_vec()), None));
        let names = again.read(|rows| {
            rows.scan_prefix(b"a")?.map(|row| Ok(row?.0)).collect::<Result<Vec<_>, TableError>>()
        });
        assert_eq!(names.unwrap(), [&b"a"[..], b"a-2"]);
    }

    /// An unfinished file is no table, and is replaced; so are the files of another engine, which may hold secrets in
    /// the clear.
    #[test]
    fn unfinished_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TEMP_FILE_NAME), [0; 5000]).unwrap();
        fs::create_dir(folder.path().join("keyspaces")).unwrap();
        fs::write(folder.path().join("keyspaces/0"), "a session key").unwrap();
        let table = open_table(folder.path(), Arc::new(RealDisk), true).unwrap();
        put(&table, "a", b"1").unwrap();
        assert_eq!(get(&table, "a").unwrap(), b"1");
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), [FILE_NAME]);
    }

    /// The bug: rows that could not be looked for counted as missing, and a new table replaced the whole folder. The
    /// loss: every login, after a disk error. The fix: a table is created only if its file is known to be missing.
    #[test]
    fn unreadable_rows_are_never_recreated() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(FILE_NAME, folder.path().join(FILE_NAME)).unwrap();
        fs::write(folder.path().join("other"), "is kept").unwrap();
        assert!(open_table(folder.path(), Arc::new(RealDisk), false).is_err());
        assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"is kept");
    }

    /// Every byte of a value, one after the other; with `verify` opening detects it.
    #[test]
    fn changed_byte_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let value = [0x5a; 64];
        put(&open_table(folder.path(), Arc::new(RealDisk), false).unwrap(), "name", &value).unwrap();
        let path = folder.path().join(FILE_NAME);
        let whole = fs::read(&path).unwrap();
        let at = whole.windows(value.len()).position(|bytes| bytes == value).unwrap();
        for offset in at..at + value.len() {
            let mut changed = whole.clone();
            changed[offset] ^= 1;
            fs::write(&path, changed).unwrap();
            let open = open_table(folder.path(), Arc::new(RealDisk), false).unwrap();
            let read = open.read(|rows| rows.get(b"name"));
            assert!(matches!(read, Err(TableError::Corrupt { .. })), "{offset}: {read:?}");
            drop(open);
        }
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(open_table(folder.path(), Arc::new(RealDisk), true).is_err());
    }

    #[test]
    fn writes_resume_once_disk_has_space() {
        let folder = tempfile::tempdir().unwrap();
        let disk = TestDisk::new(false);
        let space =
            Arc::new(DiskSpace::new(Arc::clone(&disk) as _, folder.path(), &EmbeddedSettings::default()));
        let options = TableOptions { folder: folder.path().to_owned(), cache_bytes: 1 << 20, verify: false };
        let table = RedbTable::open(options, Arc::clone(&space)).unwrap();
        put(&table, "a", b"1").unwrap();
        for free in [0, 100, 5000, 20_000] {
            disk.set_free(free);
            let full = put(&table, "b", &vec![7; 100_000]);
            assert!(matches!(full, Err(TableError::DiskFull)), "{free}: {full:?}");
            assert!(matches!(put(&table, "c", b"3"), Err(TableError::DiskFull)), "until a probe finds space");
            assert_eq!(get(&table, "a").unwrap(), b"1", "what is there can be read meanwhile");
            disk.set_free(TestDisk::TOTAL);
            space.poll();
            put(&table, "c", b"3").unwrap();
            assert_eq!(get(&table, "c").unwrap(), b"3");
        }
    }
}

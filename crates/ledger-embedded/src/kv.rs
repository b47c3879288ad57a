//! A shelf: rows in redb, in one file, each with a checksum of its own.
//!
//! What is written is durable when the call returns, and a power cut at any moment leaves the rows as they were before
//! a write or after it. redb takes no more writes once one has failed, until it is opened again. Where the reason was
//! that there is no room, that is done here as soon as there is some; after any other it must not be done.
//! Read next: `shelf/file`, how redb reads and writes.

mod file;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redb::{Builder, Database, ReadOnlyTable, ReadableDatabase as _, ReadableTable, TableDefinition};

use self::file::{IoErrors, TableFile};
use crate::disk::space::DiskSpace;
use crate::disk::{Disk, sync_folder};

/// How much room is tried for after there was none.
const REOPEN_SPACE_BYTES: usize = 64 * 1024;

/// How often it is tried to find no reader before it is opened again, and how long it is waited between two tries.
const REOPEN_ATTEMPTS: usize = 100;
const REOPEN_INTERVAL: Duration = Duration::from_millis(1);

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
const FILE_NAME: &str = "rows.redb";
/// What the file is called until it is whole: redb takes a file for none of its own that it has only begun to make.
const TEMP_FILE_NAME: &str = "rows.new";
const CRC_BYTES: usize = 4;

/// What a shelf is.
#[derive(Clone, Debug)]
pub(crate) struct TableOptions {
    pub(crate) folder: PathBuf,
    pub(crate) cache_bytes: usize,
    /// Whether every byte is looked at when it is opened. It takes as long as reading the file.
    pub(crate) verify: bool,
}

/// Rows by name. There is one who writes.
pub(crate) struct RedbTable {
    options: TableOptions,
    /// The file with the rows.
    path: PathBuf,
    space: Arc<DiskSpace>,
    table: RwLock<Option<OpenTable>>,
    /// Whether it has to be opened again before anything is written.
    needs_reopen: AtomicBool,
    /// Whether nothing is written any more.
    has_failed: AtomicBool,
}

struct OpenTable {
    database: Database,
    /// What the file met that redb does not tell.
    io_errors: Arc<IoErrors>,
}

/// Why rows cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    /// There is no room. What was to be written may be there all the same once there is.
    #[error("there is no room on the disk")]
    DiskFull,
    /// Bytes that were once written have changed.
    #[error("{} is damaged: {what}", file.display())]
    Corrupt { file: PathBuf, what: &'static str },
    /// It failed before, and has to be opened again by whoever opens the store.
    #[error("it has failed before")]
    AlreadyFailed,
    #[error("the storage engine failed")]
    Failed(#[source] Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for TableError {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

impl RedbTable {
    /// Opens the rows in the folder, and makes them where there are none.
    pub(crate) fn open(label: TableOptions, space: Arc<DiskSpace>) -> Result<Self, TableError> {
        std::fs::create_dir_all(&label.folder).map_err(redb::Error::from)?;
        let path = label.folder.join(FILE_NAME);
        // Only where it is known not to be there: what is made takes the place of all that is.
        if !path.try_exists().map_err(redb::Error::from)? {
            OpenTable::create(&label, space.disk(), &path)?;
        }
        // Here, because whoever made it may have been killed before: then a power cut would take it, with all rows.
        sync_folder(&label.folder).map_err(redb::Error::from)?;
        let open = OpenTable::open(&path, &label, space.disk())?;
        let (is_stale, has_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self {
            options: label,
            path,
            space,
            table: RwLock::new(Some(open)),
            needs_reopen: is_stale,
            has_failed,
        })
    }

    /// Lets `read` look at the rows as they are now.
    pub(crate) fn read<T, E: From<TableError>>(
        &self,
        read: impl FnOnce(&Snapshot<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let open = self.table.read().unwrap_or_else(PoisonError::into_inner);
        // Only one that could not be opened again is not there.
        let open = open.as_ref().ok_or(TableError::AlreadyFailed)?;
        catch_redb_panic(&self.path, || {
            let table = open.database.begin_read().map_err(TableError::from)?.open_table(ROWS);
            read(&Snapshot { table: table.map_err(TableError::from)?, path: &self.path })
        })
    }

    /// Gives names what they hold from now on, or nothing; when this returns, it is durable.
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
                for (name, value) in changes {
                    match value {
                        Some(value) => drop(table.insert(name, &*with_checksum(name, value))?),
                        None => drop(table.remove(name)?),
                    }
                }
                Ok(())
            })
        });
        // What redb says of a write that found no room depends on what it tried afterwards.
        if written.is_err() && open.io_errors.only_disk_full() {
            self.space.record_enospc(REOPEN_SPACE_BYTES);
            return Err(TableError::DiskFull);
        }
        written
    }

    /// Opens the rows as they are on disk, once there is room. Where that fails, there is nothing to read any more.
    fn reopen_if_needed(&self) -> Result<(), TableError> {
        if !self.needs_reopen.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.space.has_enospc() {
            return Err(TableError::DiskFull);
        }
        // Not waited for with `write`: while one waits, readers that come wait too, and one that looks at everything
        // takes seconds.
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

impl OpenTable {
    /// Makes a file without rows, whole or not at all, in the place of whatever else is in the folder: one that was
    /// begun, or what another engine kept there.
    fn create(label: &TableOptions, disk: &Arc<dyn Disk>, path: &Path) -> Result<(), TableError> {
        clear_folder(&label.folder).map_err(redb::Error::from)?;
        let unnamed = label.folder.join(TEMP_FILE_NAME);
        Self::open(&unnamed, label, disk)?.write(|_| Ok(()))?;
        Ok(std::fs::rename(&unnamed, path).map_err(redb::Error::from)?)
    }

    /// Opens the file that is there, or that is about to be made.
    fn open(path: &Path, label: &TableOptions, disk: &Arc<dyn Disk>) -> Result<Self, TableError> {
        let found = Arc::new(IoErrors::default());
        let file = TableFile::open(path, Arc::clone(disk), Arc::clone(&found)).map_err(redb::Error::from)?;
        let mut builder = Builder::new();
        builder.set_cache_size(label.cache_bytes).set_check_integrity_on_open(label.verify);
        match catch_redb_panic(path, || Ok(builder.create_with_backend(file)?)) {
            Ok(database) => Ok(Self { database, io_errors: found }),
            Err(_) if found.only_disk_full() => Err(TableError::DiskFull),
            Err(error) => Err(error),
        }
    }

    /// Makes changes, all of them or none.
    fn write(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>) -> Result<(), redb::StorageError>,
    ) -> Result<(), TableError> {
        let mut transaction = self.database.begin_write()?;
        // Otherwise opening after a crash would read everything.
        transaction.set_quick_repair(true);
        change(&mut transaction.open_table(ROWS)?)?;
        Ok(transaction.commit()?)
    }
}

/// Does what needs the file's pages. Of pages that have changed since it wrote them redb may panic, which leaves nothing
/// half done here.
fn catch_redb_panic<T, E: From<TableError>>(
    file: &Path,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let what = "the storage engine cannot make sense of it";
    let damaged = || TableError::Corrupt { file: file.to_owned(), what };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged().into()))
}

/// Removes what is in a folder.
fn clear_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(folder)?;
    std::fs::create_dir(folder)
}

/// A name, and what it holds.
pub(crate) type KeyValue = (Vec<u8>, Vec<u8>);

/// The rows of a shelf at one moment.
pub(crate) struct Snapshot<'a> {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    path: &'a Path,
}

impl Snapshot<'_> {
    /// What `name` holds.
    pub(crate) fn get(&self, name: &[u8]) -> Result<Option<Vec<u8>>, TableError> {
        match ReadableTable::get(&self.table, name)? {
            Some(stored) => self.verify(name, stored.value()).map(|value| Some(value.to_vec())),
            None => Ok(None),
        }
    }

    /// Every name that begins with `prefix`, in order, and what it holds.
    pub(crate) fn scan_prefix(
        &self,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<KeyValue, TableError>>, TableError> {
        let rows = ReadableTable::range(&self.table, prefix..)?;
        let rows = rows.map(|row| {
            let (name, stored) = row?;
            let name = name.value().to_vec();
            let value = self.verify(&name, stored.value())?.to_vec();
            Ok((name, value))
        });
        let prefix = prefix.to_vec();
        Ok(rows.take_while(move |row| row.as_ref().map_or(true, |(name, _)| name.starts_with(&prefix))))
    }

    /// The value in what is stored under `name`, if it is what was written there.
    fn verify<'b>(&self, name: &[u8], stored: &'b [u8]) -> Result<&'b [u8], TableError> {
        let value =
            stored.split_first_chunk::<CRC_BYTES>().filter(|(crc, value)| **crc == checksum(name, value));
        let what = "the checksum of a row is wrong";
        value.map(|(_, value)| value).ok_or_else(|| TableError::Corrupt { file: self.path.to_owned(), what })
    }
}

fn with_checksum(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&checksum(name, value)[..], value].concat()
}

/// Of the name too, so that a value does not pass under another.
fn checksum(name: &[u8], value: &[u8]) -> [u8; CRC_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(name);
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
        let room = Arc::new(DiskSpace::new(disk, folder, &EmbeddedSettings::default()));
        RedbTable::open(TableOptions { folder: folder.to_owned(), cache_bytes: 1 << 20, verify }, room)
    }

    fn get(shelf: &RedbTable, name: &str) -> Option<Vec<u8>> {
        shelf.read(|rows| rows.get(name.as_bytes())).unwrap()
    }

    fn put(shelf: &RedbTable, name: &str, value: &[u8]) -> Result<(), TableError> {
        shelf.write([(name.as_bytes(), Some(value))])
    }

    #[test]
    fn rows_survive_reopen() {
        let folder = tempfile::tempdir().unwrap();
        let open = || open_table(folder.path(), Arc::new(RealDisk), false).unwrap();
        let first = open();
        for name in ["b", "a-1", "a-2", "a"] {
            put(&first, name, name.as_bytes()).unwrap();
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

    /// A file that was begun and never named is no shelf, and in nobody's way; nor is what another engine kept there,
    /// which may be secrets in the clear.
    #[test]
    fn unfinished_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TEMP_FILE_NAME), [0; 5000]).unwrap();
        fs::create_dir(folder.path().join("keyspaces")).unwrap();
        fs::write(folder.path().join("keyspaces/0"), "a session key").unwrap();
        let shelf = open_table(folder.path(), Arc::new(RealDisk), true).unwrap();
        put(&shelf, "a", b"1").unwrap();
        assert_eq!(get(&shelf, "a").unwrap(), b"1");
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), [FILE_NAME]);
    }

    /// Rows that cannot be looked for were taken for none, and new ones made in the place of all that was there: after an
    /// error of the disk every login would have been gone. Now they are made only where there are none.
    #[test]
    fn unreadable_rows_are_never_recreated() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(FILE_NAME, folder.path().join(FILE_NAME)).unwrap();
        fs::write(folder.path().join("other"), "is kept").unwrap();
        assert!(open_table(folder.path(), Arc::new(RealDisk), false).is_err());
        assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"is kept");
    }

    /// Every byte of a value, one after the other; and with `verify` opening finds it.
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
        let room =
            Arc::new(DiskSpace::new(Arc::clone(&disk) as _, folder.path(), &EmbeddedSettings::default()));
        let label = TableOptions { folder: folder.path().to_owned(), cache_bytes: 1 << 20, verify: false };
        let shelf = RedbTable::open(label, Arc::clone(&room)).unwrap();
        put(&shelf, "a", b"1").unwrap();
        for free in [0, 100, 5000, 20_000] {
            disk.set_free(free);
            let full = put(&shelf, "b", &vec![7; 100_000]);
            assert!(matches!(full, Err(TableError::DiskFull)), "{free}: {full:?}");
            assert!(matches!(put(&shelf, "c", b"3"), Err(TableError::DiskFull)), "until a trial finds room");
            assert_eq!(get(&shelf, "a").unwrap(), b"1", "what is there can be read meanwhile");
            disk.set_free(TestDisk::TOTAL);
            room.poll();
            put(&shelf, "c", b"3").unwrap();
            assert_eq!(get(&shelf, "c").unwrap(), b"3");
        }
    }
}

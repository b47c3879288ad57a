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

use self::file::{Found, RowsFile};
use crate::disk::space::Room;
use crate::disk::{Disk, sync_folder};

/// How much room is tried for after there was none.
const NEEDED_BYTES: usize = 64 * 1024;

/// How often it is tried to find no reader before it is opened again, and how long it is waited between two tries.
const TRIES: usize = 100;
const TRY_EVERY: Duration = Duration::from_millis(1);

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
const FILE: &str = "rows.redb";
/// What the file is called until it is whole: redb takes a file for none of its own that it has only begun to make.
const FILE_UNNAMED: &str = "rows.new";
const CRC_BYTES: usize = 4;

/// What a shelf is.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) folder: PathBuf,
    pub(crate) cache_bytes: usize,
    /// Whether every byte is looked at when it is opened. It takes as long as reading the file.
    pub(crate) verify: bool,
}

/// Rows by name. There is one who writes.
pub(crate) struct Shelf {
    label: Label,
    /// The file with the rows.
    path: PathBuf,
    room: Arc<Room>,
    open: RwLock<Option<Opened>>,
    /// Whether it has to be opened again before anything is written.
    is_stale: AtomicBool,
    /// Whether nothing is written any more.
    has_failed: AtomicBool,
}

struct Opened {
    database: Database,
    /// What the file met that redb does not tell.
    found: Arc<Found>,
}

/// Why rows cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShelfError {
    /// There is no room. What was to be written may be there all the same once there is.
    #[error("there is no room on the disk")]
    Full,
    /// Bytes that were once written have changed.
    #[error("{} is damaged: {what}", file.display())]
    Damaged { file: PathBuf, what: &'static str },
    /// It failed before, and has to be opened again by whoever opens the store.
    #[error("it has failed before")]
    FailedBefore,
    #[error("the storage engine failed")]
    Failed(#[source] Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for ShelfError {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

impl Shelf {
    /// Opens the rows in the folder, and makes them where there are none.
    pub(crate) fn open(label: Label, room: Arc<Room>) -> Result<Self, ShelfError> {
        std::fs::create_dir_all(&label.folder).map_err(redb::Error::from)?;
        let path = label.folder.join(FILE);
        // Only where it is known not to be there: what is made takes the place of all that is.
        if !path.try_exists().map_err(redb::Error::from)? {
            Opened::make(&label, room.disk(), &path)?;
        }
        // Here, because whoever made it may have been killed before: then a power cut would take it, with all rows.
        sync_folder(&label.folder).map_err(redb::Error::from)?;
        let open = Opened::at(&path, &label, room.disk())?;
        let (is_stale, has_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { label, path, room, open: RwLock::new(Some(open)), is_stale, has_failed })
    }

    /// Lets `read` look at the rows as they are now.
    pub(crate) fn read<T, E: From<ShelfError>>(
        &self,
        read: impl FnOnce(&Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        // Only one that could not be opened again is not there.
        let open = open.as_ref().ok_or(ShelfError::FailedBefore)?;
        making_sense_of(&self.path, || {
            let table = open.database.begin_read().map_err(ShelfError::from)?.open_table(ROWS);
            read(&Rows { table: table.map_err(ShelfError::from)?, path: &self.path })
        })
    }

    /// Gives names what they hold from now on, or nothing; when this returns, it is durable.
    pub(crate) fn write<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), ShelfError> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(ShelfError::FailedBefore);
        }
        let written = self.open_again_if_stale().and_then(|()| self.try_write(changes));
        match &written {
            Ok(()) => {}
            Err(ShelfError::Full) => self.is_stale.store(true, Ordering::Relaxed),
            Err(_) => self.has_failed.store(true, Ordering::Relaxed),
        }
        written
    }

    fn try_write<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), ShelfError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_ref().ok_or(ShelfError::FailedBefore)?;
        let written = making_sense_of(&self.path, || {
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
        if written.is_err() && open.found.no_room() {
            self.room.refuse(NEEDED_BYTES);
            return Err(ShelfError::Full);
        }
        written
    }

    /// Opens the rows as they are on disk, once there is room. Where that fails, there is nothing to read any more.
    fn open_again_if_stale(&self) -> Result<(), ShelfError> {
        if !self.is_stale.load(Ordering::Relaxed) {
            return Ok(());
        }
        if self.room.has_refused() {
            return Err(ShelfError::Full);
        }
        // Not waited for with `write`: while one waits, readers that come wait too, and one that looks at everything
        // takes seconds.
        let Some(mut open) = (0..TRIES).find_map(|_| {
            let open = self.open.try_write().ok();
            if open.is_none() {
                std::thread::sleep(TRY_EVERY);
            }
            open
        }) else {
            return Err(ShelfError::Full);
        };
        *open = None;
        *open = Some(Opened::at(&self.path, &self.label, self.room.disk())?);
        self.is_stale.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Opened {
    /// Makes a file without rows, whole or not at all, in the place of whatever else is in the folder: one that was
    /// begun, or what another engine kept there.
    fn make(label: &Label, disk: &Arc<dyn Disk>, path: &Path) -> Result<(), ShelfError> {
        empty(&label.folder).map_err(redb::Error::from)?;
        let unnamed = label.folder.join(FILE_UNNAMED);
        Self::at(&unnamed, label, disk)?.write(|_| Ok(()))?;
        Ok(std::fs::rename(&unnamed, path).map_err(redb::Error::from)?)
    }

    /// Opens the file that is there, or that is about to be made.
    fn at(path: &Path, label: &Label, disk: &Arc<dyn Disk>) -> Result<Self, ShelfError> {
        let found = Arc::new(Found::default());
        let file = RowsFile::open(path, Arc::clone(disk), Arc::clone(&found)).map_err(redb::Error::from)?;
        let mut builder = Builder::new();
        builder.set_cache_size(label.cache_bytes).set_check_integrity_on_open(label.verify);
        match making_sense_of(path, || Ok(builder.create_with_backend(file)?)) {
            Ok(database) => Ok(Self { database, found }),
            Err(_) if found.no_room() => Err(ShelfError::Full),
            Err(error) => Err(error),
        }
    }

    /// Makes changes, all of them or none.
    fn write(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, &'static [u8], &'static [u8]>) -> Result<(), redb::StorageError>,
    ) -> Result<(), ShelfError> {
        let mut transaction = self.database.begin_write()?;
        // Otherwise opening after a crash would read everything.
        transaction.set_quick_repair(true);
        change(&mut transaction.open_table(ROWS)?)?;
        Ok(transaction.commit()?)
    }
}

/// Does what needs the file's pages. Of pages that have changed since it wrote them redb may panic, which leaves nothing
/// half done here.
fn making_sense_of<T, E: From<ShelfError>>(file: &Path, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let what = "the storage engine cannot make sense of it";
    let damaged = || ShelfError::Damaged { file: file.to_owned(), what };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged().into()))
}

/// Removes what is in a folder.
fn empty(folder: &Path) -> std::io::Result<()> {
    std::fs::remove_dir_all(folder)?;
    std::fs::create_dir(folder)
}

/// A name, and what it holds.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// The rows of a shelf at one moment.
pub(crate) struct Rows<'a> {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    path: &'a Path,
}

impl Rows<'_> {
    /// What `name` holds.
    pub(crate) fn get(&self, name: &[u8]) -> Result<Option<Vec<u8>>, ShelfError> {
        match ReadableTable::get(&self.table, name)? {
            Some(stored) => self.checked(name, stored.value()).map(|value| Some(value.to_vec())),
            None => Ok(None),
        }
    }

    /// Every name that begins with `prefix`, in order, and what it holds.
    pub(crate) fn beginning_with(
        &self,
        prefix: &[u8],
    ) -> Result<impl Iterator<Item = Result<Row, ShelfError>>, ShelfError> {
        let rows = ReadableTable::range(&self.table, prefix..)?;
        let rows = rows.map(|row| {
            let (name, stored) = row?;
            let name = name.value().to_vec();
            let value = self.checked(&name, stored.value())?.to_vec();
            Ok((name, value))
        });
        let prefix = prefix.to_vec();
        Ok(rows.take_while(move |row| row.as_ref().map_or(true, |(name, _)| name.starts_with(&prefix))))
    }

    /// The value in what is stored under `name`, if it is what was written there.
    fn checked<'b>(&self, name: &[u8], stored: &'b [u8]) -> Result<&'b [u8], ShelfError> {
        let value =
            stored.split_first_chunk::<CRC_BYTES>().filter(|(crc, value)| **crc == checksum(name, value));
        let what = "the checksum of a row is wrong";
        value.map(|(_, value)| value).ok_or_else(|| ShelfError::Damaged { file: self.path.to_owned(), what })
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
    use crate::disk::{Real, Small};
    use crate::settings::Settings;

    fn shelf(folder: &Path, disk: Arc<dyn Disk>, verify: bool) -> Result<Shelf, ShelfError> {
        let room = Arc::new(Room::new(disk, folder, &Settings::default()));
        Shelf::open(Label { folder: folder.to_owned(), cache_bytes: 1 << 20, verify }, room)
    }

    fn get(shelf: &Shelf, name: &str) -> Option<Vec<u8>> {
        shelf.read(|rows| rows.get(name.as_bytes())).unwrap()
    }

    fn put(shelf: &Shelf, name: &str, value: &[u8]) -> Result<(), ShelfError> {
        shelf.write([(name.as_bytes(), Some(value))])
    }

    #[test]
    fn rows_are_there_when_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let open = || shelf(folder.path(), Arc::new(Real), false).unwrap();
        let first = open();
        for name in ["b", "a-1", "a-2", "a"] {
            put(&first, name, name.as_bytes()).unwrap();
        }
        first.write([(b"a-1" as &[u8], None)]).unwrap();
        drop(first);
        let again = open();
        assert_eq!((get(&again, "b"), get(&again, "a-1")), (Some(b"b".to_vec()), None));
        let names = again.read(|rows| {
            rows.beginning_with(b"a")?.map(|row| Ok(row?.0)).collect::<Result<Vec<_>, ShelfError>>()
        });
        assert_eq!(names.unwrap(), [&b"a"[..], b"a-2"]);
    }

    /// A file that was begun and never named is no shelf, and in nobody's way; nor is what another engine kept there,
    /// which may be secrets in the clear.
    #[test]
    fn what_was_begun_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_UNNAMED), [0; 5000]).unwrap();
        fs::create_dir(folder.path().join("keyspaces")).unwrap();
        fs::write(folder.path().join("keyspaces/0"), "a session key").unwrap();
        let shelf = shelf(folder.path(), Arc::new(Real), true).unwrap();
        put(&shelf, "a", b"1").unwrap();
        assert_eq!(get(&shelf, "a").unwrap(), b"1");
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.collect::<Vec<_>>(), [FILE]);
    }

    /// Rows that cannot be looked for were taken for none, and new ones made in the place of all that was there: after an
    /// error of the disk every login would have been gone. Now they are made only where there are none.
    #[test]
    fn rows_that_cannot_be_looked_for_are_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(FILE, folder.path().join(FILE)).unwrap();
        fs::write(folder.path().join("other"), "is kept").unwrap();
        assert!(shelf(folder.path(), Arc::new(Real), false).is_err());
        assert_eq!(fs::read(folder.path().join("other")).unwrap(), b"is kept");
    }

    /// Every byte of a value, one after the other; and with `verify` opening finds it.
    #[test]
    fn a_changed_byte_is_never_told() {
        let folder = tempfile::tempdir().unwrap();
        let value = [0x5a; 64];
        put(&shelf(folder.path(), Arc::new(Real), false).unwrap(), "name", &value).unwrap();
        let path = folder.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        let at = whole.windows(value.len()).position(|bytes| bytes == value).unwrap();
        for offset in at..at + value.len() {
            let mut changed = whole.clone();
            changed[offset] ^= 1;
            fs::write(&path, changed).unwrap();
            let open = shelf(folder.path(), Arc::new(Real), false).unwrap();
            let read = open.read(|rows| rows.get(b"name"));
            assert!(matches!(read, Err(ShelfError::Damaged { .. })), "{offset}: {read:?}");
            drop(open);
        }
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, changed).unwrap();
        assert!(shelf(folder.path(), Arc::new(Real), true).is_err());
    }

    #[test]
    fn a_full_disk_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Small::new(false);
        let room = Arc::new(Room::new(Arc::clone(&disk) as _, folder.path(), &Settings::default()));
        let label = Label { folder: folder.path().to_owned(), cache_bytes: 1 << 20, verify: false };
        let shelf = Shelf::open(label, Arc::clone(&room)).unwrap();
        put(&shelf, "a", b"1").unwrap();
        for free in [0, 100, 5000, 20_000] {
            disk.leave(free);
            let full = put(&shelf, "b", &vec![7; 100_000]);
            assert!(matches!(full, Err(ShelfError::Full)), "{free}: {full:?}");
            assert!(matches!(put(&shelf, "c", b"3"), Err(ShelfError::Full)), "until a trial finds room");
            assert_eq!(get(&shelf, "a").unwrap(), b"1", "what is there can be read meanwhile");
            disk.leave(Small::TOTAL);
            room.look();
            put(&shelf, "c", b"3").unwrap();
            assert_eq!(get(&shelf, "c").unwrap(), b"3");
        }
    }
}

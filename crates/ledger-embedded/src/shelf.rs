//! A shelf: rows in fjall, which take up again what they were when the disk was full.
//!
//! fjall takes no more writes once one has failed, whatever the reason, until it is opened again. Where the reason was
//! that there is no room, that is done here as soon as there is some. After any other it must not be done.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use crate::disk::says_full;
use crate::room::Room;

/// How much room is tried for after there was none.
const NEEDED_BYTES: usize = 64 * 1024;

/// How often it is tried to find no reader before it is opened again, and how long it is waited between two tries.
const TRIES: usize = 100;
const TRY_EVERY: Duration = Duration::from_millis(1);

/// What a shelf is.
#[derive(Clone, Debug)]
pub(crate) struct Label {
    pub(crate) folder: PathBuf,
    pub(crate) name: &'static str,
    pub(crate) cache_bytes: u64,
}

/// Rows in fjall. There is one who writes.
pub(crate) struct Shelf {
    label: Label,
    room: Arc<Room>,
    open: RwLock<Option<Opened>>,
    /// Whether it has to be opened again before anything is written.
    is_stale: AtomicBool,
    /// Whether nothing is written any more.
    has_failed: AtomicBool,
}

struct Opened {
    database: Database,
    rows: Keyspace,
    /// How often there had been no room when it was opened.
    times_full: u64,
}

/// Why rows cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShelfError {
    /// There is no room. What was to be written may be there all the same once there is.
    #[error("there is no room on the disk")]
    Full,
    #[error("the storage engine failed")]
    Failed(#[from] fjall::Error),
}

impl Shelf {
    pub(crate) fn open(label: Label, room: Arc<Room>) -> fjall::Result<Self> {
        let open = Opened::at(&label, &room)?;
        let (is_stale, has_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { label, room, open: RwLock::new(Some(open)), is_stale, has_failed })
    }

    /// Lets `read` look at the rows.
    pub(crate) fn read<T, E: From<fjall::Error>>(
        &self,
        read: impl FnOnce(&Keyspace) -> Result<T, E>,
    ) -> Result<T, E> {
        // Only one that could not be opened again is not there.
        match &*self.open.read().unwrap_or_else(PoisonError::into_inner) {
            Some(open) => read(&open.rows),
            None => Err(fjall::Error::Poisoned.into()),
        }
    }

    /// Writes what `fill` puts into a batch; when this returns, it is durable.
    ///
    /// It is written first and then synced, because only of a write an error says that there is no room. Between the
    /// two, readers see what is not durable yet.
    pub(crate) fn write(&self, fill: impl FnOnce(&mut OwnedWriteBatch, &Keyspace)) -> Result<(), ShelfError> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(fjall::Error::Poisoned.into());
        }
        let written = self.open_again_if_stale().and_then(|()| self.try_write(fill));
        match &written {
            Ok(()) => {}
            Err(ShelfError::Full) => self.is_stale.store(true, Ordering::Relaxed),
            Err(ShelfError::Failed(_)) => self.has_failed.store(true, Ordering::Relaxed),
        }
        written
    }

    fn try_write(&self, fill: impl FnOnce(&mut OwnedWriteBatch, &Keyspace)) -> Result<(), ShelfError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_ref().ok_or(fjall::Error::Poisoned)?;
        let mut batch = open.database.batch().durability(Some(PersistMode::Buffer));
        fill(&mut batch, &open.rows);
        batch.commit().map_err(|error| self.of_write(error, open))?;
        open.database.persist(PersistMode::SyncData).map_err(|error| match error {
            fjall::Error::Poisoned => self.of_write(error, open),
            error => error.into(),
        })
    }

    /// What an error of a write means. A thread of fjall's that found no room leaves the same word as one that failed;
    /// it is taken for the former only if the disk was full since. Opening reads anew what either has left.
    fn of_write(&self, error: fjall::Error, open: &Opened) -> ShelfError {
        let is_full = match &error {
            fjall::Error::Io(error) => says_full(error),
            fjall::Error::Poisoned => self.room.is_full() || self.room.times_full() > open.times_full,
            _ => false,
        };
        if !is_full {
            return error.into();
        }
        self.room.refuse(NEEDED_BYTES);
        ShelfError::Full
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
        // fjall holds a lock on the folder until the last of it is gone.
        *open = None;
        *open = Some(Opened::at(&self.label, &self.room)?);
        self.is_stale.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Opened {
    fn at(label: &Label, room: &Room) -> fjall::Result<Self> {
        let times_full = room.times_full();
        let Label { folder, name, cache_bytes } = label;
        let database = Database::builder(folder).cache_size(*cache_bytes).worker_threads(1).open()?;
        let rows = database.keyspace(name, KeyspaceCreateOptions::default)?;
        Ok(Self { database, rows, times_full })
    }
}

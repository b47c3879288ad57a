//! Online backup and restore: copies a store's journal while it is served, and makes a store of the copy.
//!
//! The journal is append-only, and each frame's digest covers all frames before it. So a copy of its whole frames is
//! a state that the store was in, and a backup stops no writer and takes no lock. It verifies every frame, and so
//! does a restore: damage that the header of a later frame follows is refused by file and offset. Damage in the last
//! frame ends the copy as a torn write does; in a backup the manifest reveals it.
//!
//! ```text
//! pactolus-backup   manifest: the format's version, the number of orders, and their digest
//! journal/          as in the store
//! ```
//!
//! Tokens and logins are not in it. Clients request another token, and players log in again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use pactolus_ledger::{HistoryDigest, Receipt};
use pactolus_types::UnixMillis;

use crate::disk::{Disk, RealDisk, sync_folder};
use crate::error::OpenError;
use crate::format;
use crate::journal::frame::FrameBuilder;
use crate::journal::scan::{Scan, ScanStep};
use crate::journal::segment::Segment;
use crate::journal::{Checkpoint, Journal, Position};
use crate::lock::StoreLock;

const MANIFEST_FILE: &str = "pactolus-backup";
const MANIFEST_HEADER: &str = "Pactolus backup, format 1";

/// Reads of a frame that looks damaged. A store may be writing it: a frame read half written looks like damage once
/// the next one follows; a second read finds it whole.
const READ_ATTEMPTS: usize = 8;

/// A finished copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopySummary {
    /// Number of orders.
    pub orders: u64,
    /// Bytes of the journal.
    pub bytes: u64,
    /// Digest of these orders.
    pub history: HistoryDigest,
}

/// A backup or a restore failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder to read holds no journal of a store.
    #[error("there is no store in {}", .0.display())]
    NoStore(PathBuf),
    /// The folder to read is no backup, or an interrupted one.
    #[error("{} is not a complete backup; an interrupted one cannot be restored", .0.display())]
    NotABackup(PathBuf),
    /// The folder to write to is not empty.
    #[error("the folder {} is not empty; name another", .0.display())]
    NotEmpty(PathBuf),
    /// The backup has fewer orders than its manifest says.
    #[error("the backup {} ends after {found} of {expected} orders; take another", folder.display())]
    Truncated {
        /// The backup.
        folder: PathBuf,
        /// Number of orders expected.
        expected: u64,
        /// Number of orders found.
        found: u64,
    },
    /// The backup has fewer orders than requested.
    #[error("the backup has {orders} orders, fewer than the {until} requested")]
    TooFewOrders {
        /// Number of orders in the backup.
        orders: u64,
        /// Number of orders requested.
        until: u64,
    },
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// An I/O error.
    #[error("the files cannot be read or written")]
    Io(#[from] io::Error),
}

/// Copies the store in `store`, which may be open in another process, to the folder `to`, which must be empty or
/// missing. The copy is durable on return.
pub fn back_up(store: &Path, to: &Path) -> Result<CopySummary, BackupError> {
    back_up_with_disk(&RealDisk, store, to)
}

fn back_up_with_disk(disk: &dyn Disk, store: &Path, to: &Path) -> Result<CopySummary, BackupError> {
    let journal = open_journal(store)?.ok_or_else(|| BackupError::NoStore(store.to_owned()))?;
    create_empty_folder(to)?;
    let (end, bytes) = copy(&journal, &to.join("journal"), None)?;
    // The last batch may be written and not synced. A power cut would take it, and the store would go on with another
    // history than the one that the manifest's digest stands for.
    sync_journal_end(disk, &journal, &end)?;
    write_manifest(to, &end)?;
    Ok(CopySummary { orders: end.orders, bytes, history: end.history() })
}

/// Restores a backup, with all its orders or the first `until`, as a store in the folder `to`, which must be empty or
/// missing. The store is durable on return; its first opening builds the views.
///
/// Only an audit proves that the books are right.
pub fn restore(backup: &Path, to: &Path, until: Option<u64>) -> Result<CopySummary, BackupError> {
    let manifest = BackupManifest::read(backup)?;
    let journal = open_journal(backup)?.ok_or_else(|| BackupError::NotABackup(backup.to_owned()))?;
    if let Some(until) = until.filter(|until| *until > manifest.orders) {
        return Err(BackupError::TooFewOrders { orders: manifest.orders, until });
    }
    create_empty_folder(to)?;
    // Without its format file the folder is no store, so neither an interrupted restore nor a cut one opens.
    let lock = StoreLock::take_unfinished(to)?;
    let (end, bytes) = copy(&journal, &to.join("journal"), until)?;
    let is_whole = until.is_some() || (end.orders == manifest.orders && hex(&end.digest) == manifest.digest);
    if !is_whole || until.is_some_and(|until| until != end.orders) {
        let (folder, expected) = (backup.to_owned(), until.unwrap_or(manifest.orders));
        return Err(BackupError::Truncated { folder, expected, found: end.orders });
    }
    // The copied files keep their formats.
    format::raise(&RealDisk, to, journal.format()).map_err(io::Error::from)?;
    drop(lock);
    Ok(CopySummary { orders: end.orders, bytes, history: end.history() })
}

/// Shows every order of the store in `store`, which may be open in another process, in the order of their decisions.
/// Returns their number.
pub fn read_orders(
    store: &Path,
    mut show: impl FnMut(&Receipt) -> io::Result<()>,
) -> Result<u64, BackupError> {
    let journal = open_journal(store)?.ok_or_else(|| BackupError::NoStore(store.to_owned()))?;
    let mut scan = Scan::new(&journal, Checkpoint::START);
    while matches!(step_with_retry(&mut scan)?, ScanStep::Frame) {
        for entry in scan.entries() {
            show(&entry?.1.receipt)?;
        }
    }
    Ok(scan.checkpoint().orders)
}

/// The digest of the orders of the store in `store`, which may be open in another process.
///
/// Reads the last file of the journal, which begins with the digest of the files before it. An audit proves that they
/// lead to it.
pub fn digest(store: &Path) -> Result<HistoryDigest, BackupError> {
    let none = || BackupError::NoStore(store.to_owned());
    let journal = open_journal(store)?.ok_or_else(none)?;
    let last = journal.last_segment().ok_or_else(none)?;
    let mut scan = Scan::new(&journal, last.before);
    while matches!(step_with_retry(&mut scan)?, ScanStep::Frame) {}
    // As for a backup: a digest noted elsewhere must not be lost here.
    sync_journal_end(&RealDisk, &journal, scan.checkpoint())?;
    Ok(scan.checkpoint().history())
}

/// Makes the journal durable up to `end`, in which only the last batch may not be.
fn sync_journal_end(disk: &dyn Disk, journal: &Journal, end: &Checkpoint) -> io::Result<()> {
    let last = journal.segment(end.position);
    journal.open_file(&last)?;
    disk.sync_data(last.file()?)
}

/// The latest time of an order in the last file of the journal in `store`, which may be open in another process.
pub fn latest_order(store: &Path) -> Result<Option<UnixMillis>, BackupError> {
    let none = || BackupError::NoStore(store.to_owned());
    let journal = open_journal(store)?.ok_or_else(none)?;
    let mut scan = Scan::new(&journal, journal.last_segment().ok_or_else(none)?.before);
    let mut latest = None;
    while matches!(step_with_retry(&mut scan)?, ScanStep::Frame) {
        for entry in scan.entries() {
            latest = latest.max(Some(entry?.1.receipt.at));
        }
    }
    Ok(latest)
}

/// The present journal of a store or a backup, read-only; `None` if there is none.
fn open_journal(folder: &Path) -> Result<Option<Journal>, OpenError> {
    let folder = folder.join("journal");
    if folder.is_dir() { Journal::open_read_only(&folder) } else { Ok(None) }
}

/// Copies whole frames, verified, to a journal in `folder`. Returns its end and its bytes.
fn copy(journal: &Journal, folder: &Path, until: Option<u64>) -> Result<(Checkpoint, u64), BackupError> {
    let mut copy = JournalCopy::create(folder, journal.segment(Position::default()).format)?;
    let mut scan = Scan::new(journal, Checkpoint::START);
    while until.is_none_or(|until| copy.end.orders < until) {
        let before = *scan.checkpoint();
        match step_with_retry(&mut scan)? {
            ScanStep::End | ScanStep::Torn => break,
            ScanStep::Frame => {
                let after = *scan.checkpoint();
                // The frame may be the first of a segment, whose header stands between the two checkpoints.
                let at = Position(after.position.0 - scan.frame().len() as u64);
                match until {
                    Some(until) if after.orders > until => {
                        let before = Checkpoint { position: at, ..before };
                        let prefix = FrameBuilder::prefix(before, scan.frame(), until - before.orders);
                        // Its digest covers the number of orders that it claims, not that there are so many.
                        let prefix = prefix.ok_or_else(|| scan.corruption(at, "a batch's orders"))?;
                        copy.write_frame(scan.segment(), at, &prefix.bytes, prefix.after)?;
                    }
                    Some(_) | None => copy.write_frame(scan.segment(), at, scan.frame(), after)?,
                }
            }
        }
    }
    copy.finish()
}

/// The next step. Reads again on damage, which may be a frame being written.
fn step_with_retry(scan: &mut Scan<'_>) -> Result<ScanStep, OpenError> {
    for _ in 1..READ_ATTEMPTS {
        match scan.step() {
            Err(OpenError::Corrupt { .. }) => std::thread::yield_now(),
            stepped => return stepped,
        }
    }
    scan.step()
}

/// A journal written from another journal's frames, with the same segments.
struct JournalCopy {
    folder: PathBuf,
    segment: Segment,
    end: Checkpoint,
}

impl JournalCopy {
    fn create(folder: &Path, format: u32) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let segment = Segment::create(&RealDisk, folder, Checkpoint::START, format)?;
        Ok(Self { folder: folder.to_owned(), end: segment.first_frame(), segment })
    }

    fn write_frame(&mut self, of: &Segment, at: Position, bytes: &[u8], after: Checkpoint) -> io::Result<()> {
        if of.before.position != self.segment.before.position {
            self.segment.file()?.sync_all()?;
            self.segment = Segment::create(&RealDisk, &self.folder, of.before, of.format)?;
        }
        self.segment.file()?.write_all_at(bytes, self.segment.offset(at))?;
        self.end = after;
        Ok(())
    }

    fn finish(self) -> Result<(Checkpoint, u64), BackupError> {
        self.segment.file()?.sync_all()?;
        sync_folder(&self.folder)?;
        sync_folder(self.folder.parent().expect("it is a folder of the copy"))?;
        Ok((self.end, self.end.position.0))
    }
}

/// Creates a folder, or accepts an empty one.
fn create_empty_folder(folder: &Path) -> Result<(), BackupError> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(BackupError::NotEmpty(folder.to_owned()));
    }
    Ok(())
}

/// The manifest of a backup. It is written last, so a backup that has one is complete.
struct BackupManifest {
    orders: u64,
    digest: String,
}

impl BackupManifest {
    fn read(backup: &Path) -> Result<Self, BackupError> {
        let text = fs::read_to_string(backup.join(MANIFEST_FILE)).ok();
        text.as_deref().and_then(Self::parse).ok_or_else(|| BackupError::NotABackup(backup.to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut value = |name| lines.next().and_then(|line| line.strip_prefix(name)).map(str::to_owned);
        let header = value(MANIFEST_HEADER);
        let orders = value("orders ").and_then(|orders| orders.parse().ok());
        let digest = value("digest ");
        match (header.as_deref(), orders, digest) {
            (Some(""), Some(orders), Some(digest)) => Some(Self { orders, digest }),
            _ => None,
        }
    }
}

fn format_manifest(end: &Checkpoint) -> String {
    format!("{MANIFEST_HEADER}\norders {}\ndigest {}\n", end.orders, hex(&end.digest))
}

fn write_manifest(folder: &Path, end: &Checkpoint) -> io::Result<()> {
    let temp_path = folder.join(format!("{MANIFEST_FILE}.new"));
    let mut file = File::create(&temp_path)?;
    file.write_all(format_manifest(end).as_bytes())?;
    file.sync_all()?;
    fs::rename(&temp_path, folder.join(MANIFEST_FILE))?;
    sync_folder(folder)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    //! Fuzzed properties of a backup's manifest.

    use pactolus_fuzz_support::Choices;

    use super::{BackupManifest, Checkpoint, Position, hex};

    /// A written manifest reads back, and no text makes parsing panic.
    pub fn manifest(bytes: &[u8]) {
        if let Some(read) = std::str::from_utf8(bytes).ok().and_then(BackupManifest::parse) {
            assert!(!read.digest.contains('\n'));
        }
        let mut choices = Choices::new(bytes);
        let (orders, position) = (choices.number(), Position(choices.number()));
        let digest = std::array::from_fn(|_| choices.byte());
        let end = Checkpoint { position, orders, digest };
        let read = BackupManifest::parse(&super::format_manifest(&end)).expect("it was written as one");
        assert_eq!((read.orders, read.digest), (orders, hex(&digest)));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use pactolus_ledger::Ledger as _;
    use pactolus_test_support::orders::numbered_present;
    use pactolus_test_support::sample::NOW;
    use pollster::block_on;

    use super::*;
    use crate::disk::{DiskFault, TestDisk};
    use crate::{EmbeddedSettings, EmbeddedStore};

    /// The bug: a backup gave the digest of a batch that the bank had written and not synced. The loss: after a power
    /// cut the bank went on with another history, and `audit --since` took that for tampering. The fix: the backup
    /// syncs the end of the journal before it writes the manifest.
    #[test]
    fn backup_syncs_the_journal_before_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let [live, backup, failed] = ["live", "backup", "failed"].map(|name| folder.path().join(name));
        let settings = EmbeddedSettings { segment_bytes: 500, ..EmbeddedSettings::default() };
        let store = EmbeddedStore::open(&live, &settings).unwrap();
        for bill in 0..20 {
            block_on(store.post(numbered_present(bill, 3, 1), NOW)).unwrap();
        }
        let disk = TestDisk::new(true);
        back_up_with_disk(&*disk, &live, &backup).unwrap();
        let last = Segment::list(&live.join("journal")).unwrap().pop().unwrap();
        assert_eq!(disk.synced(), [fs::metadata(last).unwrap().ino()]);

        // Without the sync there is no manifest.
        disk.set_fault("backup", DiskFault::Io);
        let run = {
            let failed = failed.clone();
            move || back_up_with_disk(&*disk, &live, &failed).map(|_| ())
        };
        let thread = std::thread::Builder::new().name("backup".into()).spawn(run).unwrap();
        assert!(matches!(thread.join().unwrap(), Err(BackupError::Io(_))));
        assert!(failed.join("journal").exists() && !failed.join(MANIFEST_FILE).exists());
    }
}

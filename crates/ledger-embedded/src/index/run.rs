//! Index run: a file of entries sorted by fingerprint, written once and never changed.
//!
//! ```text
//! run    = header [4096] · block* · filter
//! header = magic "PCTINDEX" · format u32 · run u64 · entries u64 · filter's bytes u64 · filter's crc u32 · crc u32
//! block  = entry [170] · crc u32 · 12 bytes of nothing            all are full but the last, which ends in zeros
//! entry  = fingerprint, high u64 and low u64 · position u64
//! ```
//!
//! Integers are little-endian. Checksums start with the run's number and the block's, so that bytes in a wrong place
//! do not pass: an entry that is missed would let a bill number be used twice.
//! Fingerprints are uniform, so interpolation guesses an entry's block and hardly ever misses it by more than one.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::IndexError;
use super::filter::{BITS_PER_ENTRY_MAX, Filter};
use crate::codec::VIEWS_VERSION;
use crate::disk::{Disk, WriteError, sync_result};
use crate::fingerprint::Fingerprint;
use crate::journal::Position;

/// Position of the last order under a key, by the key's fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) position: Position,
}

impl IndexEntry {
    fn decode(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [high, low, position] = [0, 8, 16].map(|at| u64_at(bytes, at));
        Self { fingerprint: Fingerprint { high, low }, position: Position(position) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for part in [self.fingerprint.high, self.fingerprint.low, self.position.0] {
            out.extend_from_slice(&part.to_le_bytes());
        }
    }
}

const BLOCK_BYTES: usize = 4096;
const ENTRY_BYTES: usize = 24;
const ENTRIES_PER_BLOCK: usize = 170;
const BLOCK_CRC_AT: usize = ENTRIES_PER_BLOCK * ENTRY_BYTES;

const MAGIC: [u8; 8] = *b"PCTINDEX";
const HEADER_CRC_AT: usize = 40;

/// Bytes of one write, and bytes between two syncs: one sync of everything at the end would keep the disk from the
/// journal for long.
const WRITE_BYTES: usize = 64 * BLOCK_BYTES;
const SYNC_BYTES: u64 = 4 * 1024 * 1024;
/// Blocks of one read in a scan of the whole run.
const READ_BLOCKS: u64 = 64;

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) number: u64,
    pub(crate) entries: u64,
    pub(crate) path: PathBuf,
    file: File,
    filter: Filter,
    /// Whether a read found damage. Merges pass a damaged run over.
    is_damaged: AtomicBool,
}

impl Run {
    fn path(folder: &Path, number: u64) -> PathBuf {
        folder.join(format!("{number:016}.run"))
    }

    /// Opens a finished run.
    pub(super) fn open(folder: &Path, number: u64) -> Result<Self, IndexError> {
        let path = Self::path(folder, number);
        let file = File::open(&path)?;
        let damaged = |offset| IndexError::Corrupt { file: path.clone(), offset };
        let mut header = [0; BLOCK_BYTES];
        file.read_exact_at(&mut header, 0).map_err(|_| damaged(0))?;
        let is_this =
            header[..8] == MAGIC && u32_at(&header, 8) == VIEWS_VERSION && u64_at(&header, 12) == number;
        if !is_this || crc(number, 0, &header[..HEADER_CRC_AT]) != u32_at(&header, HEADER_CRC_AT) {
            return Err(damaged(0));
        }
        let (entries, filter_bytes) = (u64_at(&header, 20), u64_at(&header, 28));
        let filter_crc = u32_at(&header, 36);
        let filter_at =
            blocks(entries).checked_add(1).and_then(|blocks| blocks.checked_mul(BLOCK_BYTES as u64));
        let filter_at = filter_at.ok_or_else(|| damaged(0))?;
        // Allocates no more than the file can hold.
        let length = file.metadata()?.len();
        if filter_at.checked_add(filter_bytes).is_none_or(|end| end > length) {
            return Err(damaged(0));
        }
        let mut bytes = vec![0; usize::try_from(filter_bytes).map_err(|_| damaged(0))?];
        file.read_exact_at(&mut bytes, filter_at).map_err(|_| damaged(filter_at))?;
        if crc(number, 0, &bytes) != filter_crc {
            return Err(damaged(filter_at));
        }
        let filter = Filter::from_bytes(bytes);
        Ok(Self { number, entries, path, file, filter, is_damaged: AtomicBool::new(false) })
    }

    /// The most bytes of its file.
    pub(super) fn bytes_max(&self) -> u64 {
        BLOCK_BYTES as u64 * (1 + blocks(self.entries)) + self.entries * BITS_PER_ENTRY_MAX / 8
    }

    /// Removes the file of an unlisted run.
    pub(crate) fn discard(&self) {
        discard(&self.path);
    }

    /// Whether a read found damage.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Whether the run may hold this fingerprint; false positives are rare.
    pub(super) fn may_contain(&self, fingerprint: Fingerprint) -> bool {
        self.filter.may_contain(fingerprint)
    }

    /// Searches the file for the position of a fingerprint.
    pub(super) fn find(&self, fingerprint: Fingerprint) -> Result<Option<Position>, IndexError> {
        // The blocks that may hold it, and the high halves that bound them.
        let (mut from, mut to) = (0, blocks(self.entries));
        let (mut after, mut before) = (0, u64::MAX);
        let mut bytes = [0; BLOCK_BYTES];
        while from < to {
            let share = u128::from(fingerprint.high - after) * u128::from(to - from);
            let share = share / (u128::from(before - after) + 1);
            let guess = from + u64::try_from(share).expect("it is less than there are blocks");
            self.read_blocks(guess, &mut bytes)?;
            let entries = &bytes.as_chunks().0[..self.entries_in(guess)];
            let [first, last] = [0, entries.len() - 1].map(|at| IndexEntry::decode(&entries[at]).fingerprint);
            if fingerprint < first {
                (to, before) = (guess, first.high);
            } else if fingerprint > last {
                (from, after) = (guess + 1, last.high);
            } else {
                let found =
                    entries.binary_search_by_key(&fingerprint, |bytes| IndexEntry::decode(bytes).fingerprint);
                return Ok(found.ok().map(|at| IndexEntry::decode(&entries[at]).position));
            }
        }
        Ok(None)
    }

    /// Reads whole blocks from `first` on into `bytes`, and verifies them.
    fn read_blocks(&self, first: u64, bytes: &mut [u8]) -> Result<(), IndexError> {
        self.try_read_blocks(first, bytes).inspect_err(|_| self.is_damaged.store(true, Ordering::Relaxed))
    }

    fn try_read_blocks(&self, first: u64, bytes: &mut [u8]) -> Result<(), IndexError> {
        let offset = BLOCK_BYTES as u64 * (1 + first);
        self.file.read_exact_at(bytes, offset).map_err(|source| {
            let file = self.path.clone();
            IndexError::Read { file, offset, source }
        })?;
        for (block, bytes) in (first..).zip(bytes.chunks_exact(BLOCK_BYTES)) {
            if crc(self.number, 1 + block, &bytes[..BLOCK_CRC_AT]) != u32_at(bytes, BLOCK_CRC_AT) {
                let offset = BLOCK_BYTES as u64 * (1 + block);
                return Err(IndexError::Corrupt { file: self.path.clone(), offset });
            }
        }
        Ok(())
    }

    fn entries_in(&self, block: u64) -> usize {
        let left = self.entries - block * ENTRIES_PER_BLOCK as u64;
        usize::try_from(left).unwrap_or(usize::MAX).min(ENTRIES_PER_BLOCK)
    }
}

/// Number of blocks that so many entries fill.
fn blocks(entries: u64) -> u64 {
    entries.div_ceil(ENTRIES_PER_BLOCK as u64)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn crc(run: u64, block: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&run.to_le_bytes());
    hasher.update(&block.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Removes the file of an unlisted run. If that fails, it takes disk space until the views are reopened.
fn discard(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(file = %path.display(), %error, "cannot remove an unlisted file of the views");
    }
}

/// Reads all entries of a run, in order.
pub(crate) struct RunReader<'a> {
    run: &'a Run,
    /// The blocks read last, and the place of the next entry in them.
    bytes: Vec<u8>,
    block: u64,
    at: usize,
    next_read: u64,
}

impl<'a> RunReader<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        Self { run, bytes: Vec::new(), block: 0, at: 0, next_read: 0 }
    }

    pub(super) fn next(&mut self) -> Result<Option<IndexEntry>, IndexError> {
        let all = blocks(self.run.entries);
        if self.block < self.next_read && self.at == self.run.entries_in(self.block) {
            (self.block, self.at) = (self.block + 1, 0);
        }
        if self.block == all {
            return Ok(None);
        }
        if self.block == self.next_read {
            let count = READ_BLOCKS.min(all - self.block);
            self.bytes.resize(usize::try_from(count).expect("a few") * BLOCK_BYTES, 0);
            self.run.read_blocks(self.block, &mut self.bytes)?;
            self.next_read += count;
        }
        let first = self.next_read - (self.bytes.len() / BLOCK_BYTES) as u64;
        let block =
            &self.bytes.as_chunks::<BLOCK_BYTES>().0[usize::try_from(self.block - first).expect("a few")];
        self.at += 1;
        Ok(Some(IndexEntry::decode(&block.as_chunks().0[self.at - 1])))
    }
}

/// A file that is removed unless it is finished.
struct TempPath(Option<PathBuf>);

impl Drop for TempPath {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            discard(path);
        }
    }
}

fn unfinished_folder(path: &TempPath) -> &Path {
    path.0.as_deref().and_then(Path::parent).unwrap_or(Path::new("."))
}

/// A file that is appended to, and synced every [`SYNC_BYTES`].
struct RunFile {
    disk: Arc<dyn Disk>,
    file: File,
    written: u64,
    synced: u64,
}

impl RunFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), IndexError> {
        self.disk.write(&self.file, bytes, self.written)?;
        self.written += bytes.len() as u64;
        if self.written - self.synced >= SYNC_BYTES {
            sync_result(self.file.sync_data())?;
            self.synced = self.written;
        }
        Ok(())
    }
}

pub(super) struct RunWriter {
    number: u64,
    path: TempPath,
    output: RunFile,
    entries: u64,
    filter: Filter,
    /// Whole blocks to be written, and then the one being filled.
    bytes: Vec<u8>,
}

impl RunWriter {
    /// A run in `folder` for about `records` entries, with a filter of at most `filter_bytes_max`.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        folder: &Path,
        number: u64,
        entries: u64,
        filter_bytes_max: u64,
    ) -> Result<Self, IndexError> {
        let path = Run::path(folder, number);
        let file = disk.create(&path)?;
        let path = TempPath(Some(path));
        let filter = Filter::with_capacity(entries, filter_bytes_max);
        let bytes = Vec::with_capacity(WRITE_BYTES);
        // The header comes last.
        let output = RunFile { disk, file, written: BLOCK_BYTES as u64, synced: 0 };
        Ok(Self { number, path, output, entries: 0, filter, bytes })
    }

    /// Adds an entry, whose fingerprint must be greater than that of the one before.
    pub(super) fn add(&mut self, entry: IndexEntry) -> Result<(), IndexError> {
        self.filter.insert(entry.fingerprint);
        entry.encode(&mut self.bytes);
        self.entries += 1;
        if self.entries.is_multiple_of(ENTRIES_PER_BLOCK as u64) {
            self.end_block()?;
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<(), IndexError> {
        let start = self.bytes.len().next_multiple_of(BLOCK_BYTES) - BLOCK_BYTES;
        self.bytes.resize(start + BLOCK_CRC_AT, 0);
        let block = blocks(self.entries);
        let crc = crc(self.number, block, &self.bytes[start..]);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self.bytes.resize(start + BLOCK_BYTES, 0);
        if self.bytes.len() == WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), IndexError> {
        self.output.append(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }

    /// The finished, durable run.
    pub(super) fn finish(mut self) -> Result<Run, IndexError> {
        if !self.entries.is_multiple_of(ENTRIES_PER_BLOCK as u64) {
            self.end_block()?;
        }
        self.write()?;
        let Self { number, mut path, mut output, entries: records, filter, .. } = self;
        for part in filter.bytes().chunks(WRITE_BYTES) {
            output.append(part)?;
        }
        let mut header = [0; BLOCK_BYTES];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&VIEWS_VERSION.to_le_bytes());
        header[12..20].copy_from_slice(&number.to_le_bytes());
        header[20..28].copy_from_slice(&records.to_le_bytes());
        header[28..36].copy_from_slice(&(filter.bytes().len() as u64).to_le_bytes());
        header[36..HEADER_CRC_AT].copy_from_slice(&crc(number, 0, filter.bytes()).to_le_bytes());
        let header_crc = crc(number, 0, &header[..HEADER_CRC_AT]);
        header[HEADER_CRC_AT..HEADER_CRC_AT + 4].copy_from_slice(&header_crc.to_le_bytes());
        let RunFile { disk, file, .. } = output;
        disk.write(&file, &header, 0)?;
        sync_result(file.sync_all())?;
        let folder = File::open(unfinished_folder(&path)).map_err(WriteError::from)?;
        sync_result(folder.sync_all())?;
        let path = path.0.take().expect("it is finished once");
        Ok(Run { number, entries: records, path, file, filter, is_damaged: AtomicBool::new(false) })
    }
}

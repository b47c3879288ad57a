//! Journal segment: one file, named by the position at which it begins.
//!
//! ```text
//! segment = magic "PCTSGMNT" · format u32 · start u64 · orders before u64 · digest before [32] · crc u32 · frame*
//!           · zero*                         preallocated for frames (`Appender`)
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::frame::crc;
use super::position::{Checkpoint, Position};
use crate::codec::FORMAT_VERSION;
use crate::disk::{Disk, WriteError, rename_durably, sync_result};
use crate::error::OpenError;

/// Bytes of a segment before its first frame.
pub(crate) const HEADER_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"PCTSGMNT";
const CRC_AT: usize = 60;
const SUFFIX: &str = "journal";

/// A file of the journal. The last one is open; the journal opens and closes the others (`journal/files.rs`).
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// The checkpoint at which the file begins.
    pub(crate) before: Checkpoint,
    /// The format of its newest order, at most.
    pub(crate) format: u32,
    file: OnceLock<File>,
    /// Tick of the last use.
    used_at: AtomicU64,
}

impl Segment {
    fn new(path: PathBuf, file: File, before: Checkpoint, format: u32) -> Self {
        Self { path, before, format, file: OnceLock::from(file), used_at: AtomicU64::new(0) }
    }

    /// The same segment, without its open file. Holders of the open one can go on reading.
    pub(crate) fn closed(&self) -> Self {
        let used_at = AtomicU64::new(self.used_at());
        Self {
            path: self.path.clone(),
            before: self.before,
            format: self.format,
            file: OnceLock::new(),
            used_at,
        }
    }

    /// The file, opened read-only if it is closed.
    pub(crate) fn file(&self) -> io::Result<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let file = File::open(&self.path)?;
        Ok(self.file.get_or_init(|| file))
    }

    pub(crate) fn is_open(&self) -> bool {
        self.file.get().is_some()
    }

    pub(crate) fn used_at(&self) -> u64 {
        self.used_at.load(Ordering::Relaxed)
    }

    /// Notes a use. The cache line changes only once a tick.
    pub(crate) fn mark_used(&self, tick: u64) {
        if self.used_at() != tick {
            self.used_at.store(tick, Ordering::Relaxed);
        }
    }

    /// Length of the file, in bytes.
    pub(crate) fn file_bytes(&self) -> io::Result<u64> {
        Ok(self.file()?.metadata()?.len())
    }

    /// The checkpoint before the first frame.
    pub(crate) fn first_frame(&self) -> Checkpoint {
        first_frame(self.before)
    }

    /// Creates the segment of this format that begins at `before`; it is durable on return.
    ///
    /// It gets its name only when it is whole, so a segment always has a header. On a full disk nothing of it is
    /// left.
    pub(crate) fn create(
        disk: &dyn Disk,
        folder: &Path,
        before: Checkpoint,
        format: u32,
    ) -> Result<Self, WriteError> {
        let path = folder.join(format!("{:020}.{SUFFIX}", before.position.0));
        let unnamed = path.with_extension("new");
        let create = || {
            let file = disk.create(&unnamed)?;
            disk.write(&file, &header(&before, format), 0)?;
            sync_result(file.sync_all())?;
            rename_durably(&unnamed, &path)?;
            Ok(file)
        };
        let file = create().inspect_err(|error: &WriteError| {
            if error.is_transient() {
                // A leftover takes a little space until it is written again.
                let _ = std::fs::remove_file(&unnamed);
            }
        })?;
        Ok(Self::new(path, file, before, format))
    }

    /// Opens an existing segment.
    pub(crate) fn open(path: PathBuf) -> Result<Self, OpenError> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        Self::from_file(path, file)
    }

    /// Opens a segment that another process may be writing, or that must not be written.
    pub(crate) fn open_read_only(path: PathBuf) -> Result<Self, OpenError> {
        let file = File::open(&path)?;
        Self::from_file(path, file)
    }

    fn from_file(path: PathBuf, file: File) -> Result<Self, OpenError> {
        let mut bytes = [0; HEADER_BYTES];
        let whole = file.read_exact_at(&mut bytes, 0).is_ok();
        let header = if whole { read_header(&bytes, &path)? } else { None };
        match header {
            Some((before, format)) => Ok(Self::new(path, file, before, format)),
            None => Err(OpenError::Corrupt { file: path, offset: 0, what: "the segment's header" }),
        }
    }

    /// Paths of the segments in `folder`, in order.
    pub(crate) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == SUFFIX) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Offset in this file of a position that is not before it.
    pub(crate) fn offset(&self, position: Position) -> u64 {
        position.0 - self.before.position.0
    }
}

/// The checkpoint before the first frame of a segment that begins at `before`.
pub(crate) fn first_frame(before: Checkpoint) -> Checkpoint {
    Checkpoint { position: before.position.plus(HEADER_BYTES), ..before }
}

fn header(before: &Checkpoint, format: u32) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&format.to_le_bytes());
    bytes[12..20].copy_from_slice(&before.position.0.to_le_bytes());
    bytes[20..28].copy_from_slice(&before.orders.to_le_bytes());
    bytes[28..CRC_AT].copy_from_slice(&before.digest);
    let checksum = crc(before.position, &bytes[..CRC_AT]);
    bytes[CRC_AT..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The checkpoint before a segment, and its format; `None` if the bytes are no header.
fn read_header(bytes: &[u8; HEADER_BYTES], path: &Path) -> Result<Option<(Checkpoint, u32)>, OpenError> {
    let u64_at = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).unwrap_or_default();
    let u32_at = |at: usize| bytes[at..at + 4].try_into().map(u32::from_le_bytes).unwrap_or_default();
    let position = Position(u64_at(12));
    if bytes[..8] != MAGIC || crc(position, &bytes[..CRC_AT]) != u32_at(CRC_AT) {
        return Ok(None);
    }
    let format = u32_at(8);
    if format > FORMAT_VERSION {
        return Err(OpenError::NewerFormat { found: format, file: path.to_owned() });
    }
    let digest = bytes[28..CRC_AT].try_into().unwrap_or_default();
    Ok(Some((Checkpoint { position, orders: u64_at(20), digest }, format)))
}

/// Fills `bytes` from `offset` on as far as the file goes; returns the number of bytes read.
pub(crate) fn read_available(segment: &Segment, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match segment.file()?.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether only preallocated zeros follow at `offset`, or nothing.
pub(crate) fn is_zero_from(segment: &Segment, mut offset: u64) -> io::Result<bool> {
    let mut bytes = [0; 4096];
    loop {
        match read_available(segment, &mut bytes, offset)? {
            0 => return Ok(true),
            read if bytes[..read].iter().any(|byte| *byte != 0) => return Ok(false),
            read => offset += read as u64,
        }
    }
}

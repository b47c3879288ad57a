//! Errors of opening a store, worded for an operator.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{is_disk_full, is_out_of_files};
use crate::kv::TableError;

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process holds its lock.
    #[error("the store {} is in use by another process; stop that process first, or name another folder", folder.display())]
    InUse {
        /// The store.
        folder: PathBuf,
    },
    /// The folder holds foreign files.
    #[error("the folder {} is neither empty nor a Pactolus store; name another folder", folder.display())]
    NotAStore {
        /// The folder.
        folder: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{} has format {found}, and this program reads formats up to {}; use a newer Pactolus", file.display(), crate::codec::FORMAT_VERSION)]
    NewerFormat {
        /// The version found.
        found: u32,
        /// Where it was found.
        file: PathBuf,
    },
    /// Synced bytes have changed.
    #[error("{} is damaged at offset {offset}: {what} cannot be read; restore the store from a backup", file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What was expected there.
        what: &'static str,
    },
    /// A file of the journal is missing, or one is too short.
    #[error("{} does not follow on {}: a file of the journal is missing or cut; restore the store from a backup", next.display(), file.display())]
    SegmentGap {
        /// The file before the gap.
        file: PathBuf,
        /// The file after it.
        next: PathBuf,
    },
    /// The first file of the journal is missing.
    #[error("{} is not the beginning of the journal: a file is missing; restore the store from a backup", file.display())]
    FirstSegmentMissing {
        /// The first file that is there.
        file: PathBuf,
    },
    /// The journal ends before its views do.
    #[error(
        "the journal ends before its views do: its last file is missing or cut; restore the store from a backup"
    )]
    JournalTruncated,
    /// The views cannot be opened. They hold nothing that the journal does not.
    #[error("the views cannot be opened; they can be rebuilt: remove the folder {} and start again", folder.display())]
    Views {
        /// Where they are.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The views cannot be written, so opening cannot bring them up to the journal's end in bounded memory.
    #[error("the views in {} cannot be written; mend the disk or the folder's permissions and start again", folder.display())]
    ViewsNotWritten {
        /// Where they are.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The process has too many open files.
    #[error("too many open files (EMFILE) while opening the store {}; raise the limit of open files, ulimit -n or LimitNOFILE, and start again", folder.display())]
    FileLimit {
        /// The store.
        folder: PathBuf,
    },
    /// The records of tokens and sessions cannot be opened.
    #[error("the records of tokens and sessions in {} cannot be opened", folder.display())]
    Records {
        /// Where they are.
        folder: PathBuf,
        /// The storage engine's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk is full, and opening has to write.
    #[error("the disk of the store {} is full; free some space and start again", folder.display())]
    DiskFull {
        /// The store.
        folder: PathBuf,
    },
    /// An I/O error other than a full disk.
    #[error("the store's files cannot be read or written")]
    Io(#[from] io::Error),
}

impl OpenError {
    /// Turns an error caused by a full disk into [`OpenError::DiskFull`], and one caused by the limit of open files into
    /// [`OpenError::FileLimit`].
    pub(crate) fn or_resource_limit(self, folder: &Path) -> Self {
        let causes =
            std::iter::successors(Some(&self as &(dyn std::error::Error + 'static)), |error| error.source());
        let is_full = |error: &(dyn std::error::Error + 'static)| {
            error.downcast_ref::<io::Error>().is_some_and(is_disk_full)
                || matches!(error.downcast_ref(), Some(TableError::DiskFull))
        };
        if causes.into_iter().any(is_full) {
            Self::DiskFull { folder: folder.to_owned() }
        } else if is_out_of_files(&self) {
            Self::FileLimit { folder: folder.to_owned() }
        } else {
            self
        }
    }
}

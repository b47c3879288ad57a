//! Errors of reading or writing an index.

use std::io;
use std::path::PathBuf;

use crate::disk::WriteError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("reading the views failed")]
    Io(#[from] io::Error),
    #[error("{} cannot be read at offset {offset}", file.display())]
    Read {
        file: PathBuf,
        offset: u64,
        #[source]
        source: io::Error,
    },
    #[error("writing the views failed")]
    Write(#[from] WriteError),
    #[error("{} is damaged at offset {offset}", file.display())]
    Corrupt { file: PathBuf, offset: u64 },
}

impl IndexError {
    /// Whether the disk was only full.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Self::Write(error) if error.is_full())
    }

    /// Whether a write may be retried, because nothing has changed.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Write(error) if error.is_transient())
    }

    /// Whether a run is damaged.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Read { .. } | Self::Corrupt { .. } => true,
            Self::Io(_) | Self::Write(_) => false,
        }
    }
}

//! Errors of reading or writing an index.

use std::io;
use std::path::PathBuf;

use crate::disk::WriteError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("reading the views failed")]
    Io(#[from] io::Error),
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
}

//! The engine of these tests: the embedded one, in a folder.

use std::sync::Arc;

use tempfile::TempDir;

use crate::bank::{Engine, StoreGuard, open_in};

/// An empty store, and its place.
#[expect(clippy::unused_async, reason = "another engine's is")]
pub(crate) async fn open() -> (Arc<dyn Engine>, StoreGuard) {
    let folder = tempfile::tempdir().unwrap();
    (open_in(folder.path()), Box::new(folder))
}

/// A place whose store is closed, looked into, and opened again.
pub(crate) struct ReopenableStore(TempDir);

impl ReopenableStore {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    #[expect(clippy::unused_async, reason = "another engine's is")]
    pub(crate) async fn open(&self) -> Arc<dyn Engine> {
        open_in(self.0.path())
    }

    /// All that lies on the disk.
    pub(crate) fn raw_bytes(&self) -> Vec<u8> {
        let (mut folders, mut raw) = (vec![self.0.path().to_owned()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir().unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    raw.extend(std::fs::read(entry.path()).unwrap());
                }
            }
        }
        raw
    }
}

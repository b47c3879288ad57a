//! Engine of these tests: the embedded store in a folder.

use std::sync::Arc;

use pactolus_test_support::files::files_in;
use tempfile::TempDir;

use crate::bank::{Engine, StoreGuard, open_in};

/// An empty store, and the guard of its folder.
#[expect(clippy::unused_async, reason = "async for PostgreSQL")]
pub(crate) async fn open() -> (Arc<dyn Engine>, StoreGuard) {
    let folder = tempfile::tempdir().unwrap();
    (open_in(folder.path()), Box::new(folder))
}

/// A store that tests close, inspect and reopen.
pub(crate) struct ReopenableStore(TempDir);

impl ReopenableStore {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    #[expect(clippy::unused_async, reason = "async for PostgreSQL")]
    pub(crate) async fn open(&self) -> Arc<dyn Engine> {
        open_in(self.0.path())
    }

    /// All bytes on disk.
    pub(crate) fn raw_bytes(&self) -> Vec<u8> {
        files_in(self.0.path()).iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
    }
}

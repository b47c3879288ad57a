//! The engine of these tests: the embedded one, in a folder.

use std::sync::Arc;

use crate::bank::{Engine, Place, open_in};

/// An empty store, and its place.
#[expect(clippy::unused_async, reason = "another engine's is")]
pub(crate) async fn open() -> (Arc<dyn Engine>, Place) {
    let folder = tempfile::tempdir().unwrap();
    (open_in(folder.path()), Box::new(folder))
}

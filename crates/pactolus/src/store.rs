//! Opening the store that a URL names.

use std::path::Path;
use std::sync::Arc;

use pactolus_ledger_embedded::{EmbeddedStore, Settings};
use pactolus_server::Store;

use crate::config::StoreUrl;
use crate::failure::Failure;

/// Opens the store at `url` with these bounds; where there is none, it is made.
pub(crate) fn open(url: &StoreUrl, settings: &Settings) -> Result<Store, Failure> {
    let StoreUrl::Embedded(folder) = url;
    EmbeddedStore::open(folder, settings)
        .map(|store| Store::of(Arc::new(store)))
        .map_err(|source| Failure::Store { store: url.clone(), source })
}

/// Opens the store at `url`, which has to be there: a slip in its name must not prove the books of an empty bank.
pub(crate) fn open_existing(url: &StoreUrl) -> Result<Store, Failure> {
    let StoreUrl::Embedded(folder) = url;
    if holds_nothing(folder) { Err(Failure::NoStore(url.clone())) } else { open(url, &Settings::default()) }
}

/// Whether there is nothing in the folder. One that cannot be read is left to the engine, which says why.
fn holds_nothing(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

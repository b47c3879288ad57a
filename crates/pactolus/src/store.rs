//! Opening the store that a URL names.

use std::path::Path;
use std::sync::Arc;

use pactolus_ledger_embedded::{EmbeddedStore, Settings};
use pactolus_server::Store;

use crate::cli::ConfigPath;
use crate::config::{Config, StoreUrl, Variables};
use crate::failure::Failure;

/// Which store, for commands that read one without serving it.
#[derive(clap::Args)]
pub(crate) struct StoreArgs {
    #[command(flatten)]
    config: ConfigPath,
    /// The store, such as embedded:./data; without it, the one that the configuration names
    #[arg(long, value_name = "URL")]
    store: Option<StoreUrl>,
}

impl StoreArgs {
    /// Finds out.
    pub(crate) fn choose(&self) -> Result<StoreUrl, Failure> {
        if let Some(url) = &self.store {
            return Ok(url.clone());
        }
        let config = Config::read(&self.config.config, &Variables::of_this_process());
        Ok(config.map_err(Failure::Config)?.store)
    }
}

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

/// The folder of a store that is embedded, for what only such a store can do.
pub(crate) fn embedded(url: &StoreUrl) -> &Path {
    let StoreUrl::Embedded(folder) = url;
    folder
}

/// Whether there is nothing in the folder. One that cannot be read is left to the engine, which says why.
fn holds_nothing(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

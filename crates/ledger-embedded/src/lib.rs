//! The ledger on one machine.
//!
//! A journal is the truth (`journal`); what can be looked up are views of it (`views`), written in bulk in the
//! background, with the newest rows in memory (`books`). One thread decides and appends (`writer`), another writes
//! the views (`flusher`). Opening reads the journal from where the views end (`store`).
//!
//! No reply leaves before its order is synced to disk, and after a failed write or sync no more orders are taken
//! until the store is opened again. A disk that is full is another thing: new orders are refused until there is room
//! (`room`), and everything else goes on.
//!
//! ```
//! use pactolus_ledger::Ledger;
//! use pactolus_ledger_embedded::{EmbeddedStore, EmbeddedSettings};
//!
//! let folder = tempfile::tempdir()?;
//! let store = EmbeddedStore::open(folder.path(), &EmbeddedSettings::default())?;
//! assert_eq!(pollster::block_on(store.ready()), Ok(()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod background;
pub mod backup;
mod codec;
mod disk;
mod error;
mod fingerprint;
mod format;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod index;
mod journal;
mod kv;
mod memtable;
mod portable;
mod records;
mod recovery;
mod rows;
mod settings;
mod state;
mod store;
mod views;
mod write;

pub use crate::error::OpenError;
pub use crate::settings::EmbeddedSettings;
pub use crate::store::EmbeddedStore;

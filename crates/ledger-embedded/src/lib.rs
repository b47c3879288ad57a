//! The embedded ledger: a store on one machine.
//!
//! A write-ahead journal is the truth (`journal`). Look-ups read views of it (`views`), and the rows that the views
//! do not hold yet (`memtable`). The writer decides orders in batches, the committer makes each batch durable with
//! one sync (`write`), and the flusher writes the views (`background`). Opening recovers from the journal
//! (`recovery`).
//!
//! No reply leaves before its order is synced to disk. After a failed write or sync the store refuses orders until it
//! is reopened. A full disk is different: new orders are refused until there is space (`disk::space`), and everything
//! else goes on.
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
mod health;
mod index;
mod journal;
mod kv;
mod lock;
mod memtable;
mod metrics;
mod portable;
mod random;
mod records;
mod recovery;
mod rows;
mod samples;
mod settings;
mod state;
mod store;
mod views;
mod write;

pub use crate::error::OpenError;
pub use crate::random::{FillRandom, os_random};
pub use crate::settings::EmbeddedSettings;
pub use crate::store::EmbeddedStore;

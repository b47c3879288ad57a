//! Sealing anew: what becomes of one record when the first key changes.
//!
//! It decides and does no more: who reads the records and writes them again is the command that reseals a store.

use pactolus_ledger::{Precondition, RecordChange, RecordValue};
use pactolus_types::UnixMillis;

use super::vault::Kind;
use super::{KeyId, Keyring, NotOpened, Sealed};
use crate::random::Randomness;

/// What a record is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// It holds no secret.
    NoSecret,
    /// It is sealed with the first key.
    Current,
    /// It is not sealed.
    Open,
    /// It is sealed with another key of the ring.
    Older(KeyId),
    /// It is sealed with a key that is not in the ring.
    Lost(KeyId),
    /// It does not open with the key that it says.
    Damaged,
}

impl Keyring {
    /// What `record` is.
    pub fn look(&self, record: &RecordChange) -> Found {
        let RecordChange { key, value: RecordValue(stored), .. } = record;
        match Sealed::read(stored) {
            Ok(None) if Kind::is_known(key) => Found::Open,
            Ok(None) => Found::NoSecret,
            Ok(Some(sealed)) => match self.open(key, stored) {
                Ok(_) if self.first().is_some_and(|first| first.id() == sealed.id) => Found::Current,
                Ok(_) => Found::Older(sealed.id),
                Err(NotOpened::UnknownKey(id)) => Found::Lost(id),
                Err(NotOpened::Damaged | NotOpened::LaterVersion) => Found::Damaged,
            },
            Err(_) => Found::Damaged,
        }
    }

    /// The change that seals `record` with the first key, as long as it is still what it was; nothing if it does not
    /// open.
    pub fn sealed_anew(&self, random: &dyn Randomness, record: RecordChange) -> Option<RecordChange> {
        let RecordChange { key, value, expires_at, .. } = record;
        let opened = self.open(&key, &value.0).ok()?;
        let sealed = self.seal(random, &key, &opened);
        Some(RecordChange { key, value: sealed, expires_at, precondition: Precondition::Value(value) })
    }
}

/// The change that lets `record` be forgotten by the next sweep, as long as it is still what it was.
pub fn forgotten(record: RecordChange) -> RecordChange {
    let RecordChange { key, value, .. } = record;
    let nothing = RecordValue(b"null".to_vec());
    RecordChange {
        key,
        value: nothing,
        expires_at: UnixMillis::new(0),
        precondition: Precondition::Value(value),
    }
}

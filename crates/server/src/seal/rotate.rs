//! Sealing anew: what becomes of one record when the first key changes.
//!
//! It decides and does no more: who reads the records and writes them again is the command that reseals a store.

use pactolus_ledger::{Precondition, RecordChange, RecordValue};
use pactolus_types::UnixMillis;

use super::vault::RecordKind;
use super::{KeyId, Keyring, SealedValue, UnsealError};
use crate::random::Randomness;

/// What a record is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealStatus {
    /// It holds no secret.
    NoSecret,
    /// It is sealed with the first key.
    Current,
    /// It is not sealed.
    Plaintext,
    /// It is sealed with another key of the ring.
    OldKey(KeyId),
    /// It is sealed with a key that is not in the ring.
    LostKey(KeyId),
    /// It does not open with the key that it says.
    Damaged,
}

impl Keyring {
    /// What `record` is.
    pub fn inspect(&self, record: &RecordChange) -> SealStatus {
        let RecordChange { key, value: RecordValue(stored), .. } = record;
        match SealedValue::parse(stored) {
            Ok(None) if RecordKind::is_secret(key) => SealStatus::Plaintext,
            Ok(None) => SealStatus::NoSecret,
            Ok(Some(sealed)) => match self.open(key, stored) {
                Ok(_) if self.primary().is_some_and(|first| first.id() == sealed.id) => SealStatus::Current,
                Ok(_) => SealStatus::OldKey(sealed.id),
                Err(UnsealError::UnknownKey(id)) => SealStatus::LostKey(id),
                Err(UnsealError::Damaged | UnsealError::LaterVersion) => SealStatus::Damaged,
            },
            Err(_) => SealStatus::Damaged,
        }
    }

    /// The change that seals `record` with the first key, as long as it is still what it was; nothing if it does not
    /// open.
    pub fn reseal(&self, random: &dyn Randomness, record: RecordChange) -> Option<RecordChange> {
        let RecordChange { key, value, expires_at, .. } = record;
        let opened = self.open(&key, &value.0).ok()?;
        let sealed = self.seal(random, &key, &opened);
        Some(RecordChange { key, value: sealed, expires_at, precondition: Precondition::Value(value) })
    }
}

/// The change that lets `record` be forgotten by the next sweep, as long as it is still what it was.
pub fn expire_record(record: RecordChange) -> RecordChange {
    let RecordChange { key, value, .. } = record;
    let nothing = RecordValue(b"null".to_vec());
    RecordChange {
        key,
        value: nothing,
        expires_at: UnixMillis::new(0),
        precondition: Precondition::Value(value),
    }
}

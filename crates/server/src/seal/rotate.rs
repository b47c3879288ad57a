//! Key rotation of one record.
//!
//! It only decides: `pactolus rotate-keys` reads the records and writes them back.

use pactolus_ledger::{Precondition, RecordChange, RecordValue};
use pactolus_types::UnixMillis;

use super::vault::RecordKind;
use super::{KeyId, Keyring, SealedValue, UnsealError};
use crate::random::Randomness;

/// Seal status of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SealStatus {
    /// Holds no secret.
    NoSecret,
    /// Sealed with the first key.
    Current,
    /// Not sealed.
    Plaintext,
    /// Sealed with another key of the ring.
    OldKey(KeyId),
    /// Sealed with a key that is not in the ring.
    LostKey(KeyId),
    /// Does not open with the key that it names, or is of a later version.
    Damaged,
}

impl Keyring {
    /// Classifies `record`.
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

    /// The compare-and-set that seals `record` with the first key. `None` if it does not open.
    pub fn reseal(&self, random: &dyn Randomness, record: RecordChange) -> Option<RecordChange> {
        let RecordChange { key, value, expires_at, .. } = record;
        let opened = self.open(&key, &value.0).ok()?;
        let sealed = self.seal(random, &key, &opened);
        Some(RecordChange { key, value: sealed, expires_at, precondition: Precondition::Value(value) })
    }
}

/// The compare-and-set that lets the next sweep delete `record`.
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

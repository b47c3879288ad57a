//! Key check: the store keeps a record of the ids of all keys that may have sealed something in it.
//!
//! A bank that lacks one of them would take every session that it sealed for lost, and every back end's token with
//! it. The cause may be a variable that was not set, so the check fails before the first request, not for a million
//! players.

use pactolus_ledger::{Precondition, PutOutcome, RecordChange, RecordKey, RecordValue, Records, Unavailable};
use pactolus_types::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{KeyId, Keyring};

/// Attempts at a compare-and-set.
const ATTEMPTS_MAX: usize = 8;

/// The latest expiry that every engine can store.
const NO_EXPIRY: UnixMillis = UnixMillis::new(i64::MAX.unsigned_abs());

/// Ids are not secret.
#[derive(Serialize, Deserialize)]
struct StoredKeyIds {
    keys: Vec<String>,
}

/// The store cannot be served with these keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyCheckError {
    /// Keys that may have sealed something in the store, but are not in the ring.
    #[error(
        "its sessions and tokens are sealed with a master key that the configuration lacks (id {}); add it to \
         `master_keys`, or if it is lost, drop the records that it sealed with `pactolus rotate-keys --drop-unreadable`",
        join_ids(.0)
    )]
    MissingKeys(Vec<KeyId>),
    /// The store is unavailable.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

fn join_ids(ids: &[KeyId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Keyring {
    /// Checks that the ring holds every key that may have sealed something in this store, and records the key that
    /// will seal. Runs before a bank is served.
    pub async fn check_keys(&self, records: &dyn Records) -> Result<(), KeyCheckError> {
        for _ in 0..ATTEMPTS_MAX {
            let stored = records.get(record_key()).await?;
            let mut sealed_with = decode(stored.as_deref())?;
            let missing = self.keys_not_in_ring(&sealed_with);
            if !missing.is_empty() {
                return Err(KeyCheckError::MissingKeys(missing));
            }
            let Some(first) = self.primary().map(super::MasterKey::id) else { return Ok(()) };
            if sealed_with.contains(&first) {
                return Ok(());
            }
            sealed_with.push(first);
            if write(records, &sealed_with, Precondition::from_read(stored)).await? == PutOutcome::Stored {
                return Ok(());
            }
        }
        Err(Unavailable::Busy.into())
    }

    /// The keys that may have sealed something in this store and are not in the ring. Changes nothing.
    pub async fn missing_keys(&self, records: &dyn Records) -> Result<Vec<KeyId>, Unavailable> {
        let stored = records.get(record_key()).await?;
        Ok(self.keys_not_in_ring(&decode(stored.as_deref())?))
    }

    fn keys_not_in_ring(&self, known: &[KeyId]) -> Vec<KeyId> {
        known.iter().copied().filter(|id| !self.contains(*id)).collect()
    }

    /// Records the first key as the only one. Precondition: nothing in the store is sealed with another.
    pub async fn retire_old_keys(&self, records: &dyn Records) -> Result<(), Unavailable> {
        let first: Vec<_> = self.primary().map(super::MasterKey::id).into_iter().collect();
        match write(records, &first, Precondition::Any).await? {
            PutOutcome::Stored => Ok(()),
            PutOutcome::Conflict => Err(Unavailable::Failed),
        }
    }
}

fn record_key() -> RecordKey {
    RecordKey::new("sealed-with", &[])
}

fn decode(stored: Option<&[u8]>) -> Result<Vec<KeyId>, Unavailable> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    let stored: StoredKeyIds = serde_json::from_slice(stored).map_err(|_| Unavailable::Failed)?;
    stored.keys.iter().map(|id| id.parse().map_err(|_| Unavailable::Failed)).collect()
}

async fn write(
    records: &dyn Records,
    keys: &[KeyId],
    former: Precondition,
) -> Result<PutOutcome, Unavailable> {
    let stored = StoredKeyIds { keys: keys.iter().map(ToString::to_string).collect() };
    let value = serde_json::to_vec(&stored).expect("texts have a form in JSON");
    let change = RecordChange {
        key: record_key(),
        value: RecordValue(value),
        expires_at: NO_EXPIRY,
        precondition: former,
    };
    records.put(vec![change]).await
}

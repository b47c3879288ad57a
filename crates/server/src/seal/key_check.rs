//! The keys that a store knows: the ids of all that may have sealed something in it, in a record of its own.
//!
//! A bank that lacks one of them would take every login that it sealed for lost, and every back end's token with it.
//! That may be a variable that was not set, so it is told before the first request and not by a million players.

use pactolus_ledger::{Precondition, PutOutcome, RecordChange, RecordKey, RecordValue, Records, Unavailable};
use pactolus_types::UnixMillis;
use serde::{Deserialize, Serialize};

use super::{KeyId, Keyring};

/// How often a change is tried that another node came before.
const TRIES: usize = 8;

/// The furthest moment that every engine can keep.
const NEVER: UnixMillis = UnixMillis::new(i64::MAX.unsigned_abs());

/// As it is kept. Ids are no secret.
#[derive(Serialize, Deserialize)]
struct Kept {
    keys: Vec<String>,
}

/// Why a store is not served with these keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Something in it may be sealed with keys that are not here.
    #[error(
        "its logins and tokens are sealed with a master key that the configuration lacks (id {}); put it into \
         `master_keys`, or if it is lost, forget what it sealed with `pactolus reseal --forget-lost`",
        ids(.0)
    )]
    KeysMissing(Vec<KeyId>),
    /// The store cannot say.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

fn ids(ids: &[KeyId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl Keyring {
    /// Makes sure that all keys are here that may have sealed something in this store, and lets it know the one that
    /// will. It is asked before a bank is served.
    pub async fn admit(&self, records: &dyn Records) -> Result<(), NotAdmitted> {
        for _ in 0..TRIES {
            let stored = records.get(key()).await?;
            let mut known = read(stored.as_deref())?;
            let missing = self.lacks(&known);
            if !missing.is_empty() {
                return Err(NotAdmitted::KeysMissing(missing));
            }
            let Some(first) = self.first().map(super::MasterKey::id) else { return Ok(()) };
            if known.contains(&first) {
                return Ok(());
            }
            known.push(first);
            if write(records, &known, Precondition::from_read(stored)).await? == PutOutcome::Stored {
                return Ok(());
            }
        }
        Err(Unavailable::Busy.into())
    }

    /// The keys that may have sealed something in this store and are not here; it changes nothing.
    pub async fn missing(&self, records: &dyn Records) -> Result<Vec<KeyId>, Unavailable> {
        let stored = records.get(key()).await?;
        Ok(self.lacks(&read(stored.as_deref())?))
    }

    fn lacks(&self, known: &[KeyId]) -> Vec<KeyId> {
        known.iter().copied().filter(|id| !self.holds(*id)).collect()
    }

    /// Lets the store know the first key alone, once it was found that nothing in it is sealed with another.
    pub async fn settle(&self, records: &dyn Records) -> Result<(), Unavailable> {
        let first: Vec<_> = self.first().map(super::MasterKey::id).into_iter().collect();
        match write(records, &first, Precondition::Any).await? {
            PutOutcome::Stored => Ok(()),
            PutOutcome::Conflict => Err(Unavailable::Failed),
        }
    }
}

fn key() -> RecordKey {
    RecordKey::new("sealed-with", &[])
}

fn read(stored: Option<&[u8]>) -> Result<Vec<KeyId>, Unavailable> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    let kept: Kept = serde_json::from_slice(stored).map_err(|_| Unavailable::Failed)?;
    kept.keys.iter().map(|id| id.parse().map_err(|_| Unavailable::Failed)).collect()
}

async fn write(
    records: &dyn Records,
    keys: &[KeyId],
    former: Precondition,
) -> Result<PutOutcome, Unavailable> {
    let kept = Kept { keys: keys.iter().map(ToString::to_string).collect() };
    let value = serde_json::to_vec(&kept).expect("texts have a form in JSON");
    let change =
        RecordChange { key: key(), value: RecordValue(value), expires_at: NEVER, precondition: former };
    records.put(vec![change]).await
}

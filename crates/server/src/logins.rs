//! Who is logged in: apps by access tokens, players by sessions. Both are kept in the store and held in memory.

pub(crate) mod sessions;
pub(crate) mod tokens;

use pactolus_ledger::RecordValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value as a record's bytes.
fn to_record(value: &impl Serialize) -> RecordValue {
    RecordValue(serde_json::to_vec(value).expect("texts and numbers have a form in JSON"))
}

/// The value in a record's bytes; bytes of another form hold none.
fn from_record<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

//! Who is logged in: apps by access tokens, players by sessions. Both are kept in the store and held in memory.

pub(crate) mod codes;
mod held;
mod locks;
pub(crate) mod open;
pub(crate) mod sessions;
pub(crate) mod tokens;

use pactolus_ledger::{Former, Put, RecordChange, RecordValue, Records, Unavailable};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// What a secret is looked up and kept by.
type Digest = [u8; 32];

/// How often a change is tried that others came before. Each time one of them got through, and nobody changes a login
/// or a token many times in the moment that a try takes.
const TRIES: usize = 8;

/// Makes changes that depend on nothing.
async fn put(records: &dyn Records, changes: Vec<RecordChange>) -> Result<(), Unavailable> {
    debug_assert!(
        changes.iter().all(|change| matches!(change.former, Former::Any)),
        "they could come too late"
    );
    match records.put(changes).await? {
        Put::Kept => Ok(()),
        Put::TooLate => Err(Unavailable::Failed),
    }
}

/// A value as a record's bytes.
fn to_record(value: &impl Serialize) -> RecordValue {
    RecordValue(serde_json::to_vec(value).expect("texts and numbers have a form in JSON"))
}

/// The value in a record's bytes; bytes of another form hold none.
fn from_record<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn digest(text: &str) -> Digest {
    Sha256::digest(text).into()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

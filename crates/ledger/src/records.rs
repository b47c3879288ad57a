//! Small durable facts beside the ledger: tokens, sessions and the like.
//!
//! An engine keeps them as bytes with an expiry and does not know what they mean.

use std::fmt;

use pactolus_nouns::UnixMillis;

use crate::engine::{BoxFuture, Unavailable};

/// The name of a record: its kind, and which one of that kind.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordKey(String);

impl RecordKey {
    /// The record of `kind` with the name `parts`; no part may hold a `/`, which joins them.
    pub fn new(kind: &'static str, parts: &[&str]) -> Self {
        debug_assert!(parts.iter().all(|part| !part.contains('/')), "a `/` would make two names one");
        let mut key = String::from(kind);
        for part in parts {
            key.push('/');
            key.push_str(part);
        }
        Self(key)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Only the kind: a name may be a secret's digest.
impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({}/..)", self.0.split('/').next().unwrap_or_default())
    }
}

/// Where records are kept.
pub trait Records: Send + Sync {
    /// The record's bytes, if it is there. One past its expiry may still be there.
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>>;

    /// Keeps all of `changes` or none; durable when it resolves. After `expires_at` a record may be forgotten.
    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<(), Unavailable>>;

    /// Forgets records that expired before `now`, and says how many.
    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>>;
}

/// A record to keep, in place of what had its name.
#[derive(Clone, Debug)]
pub struct RecordChange {
    /// Which record.
    pub key: RecordKey,
    /// Its bytes; nothing of them is shown by `Debug`.
    pub value: RecordValue,
    /// From when on nobody misses it.
    pub expires_at: UnixMillis,
}

/// The bytes of a record, which may hold secrets.
#[derive(Clone)]
pub struct RecordValue(pub Vec<u8>);

impl fmt::Debug for RecordValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordValue({} bytes)", self.0.len())
    }
}

//! Records: small durable key-value pairs beside the ledger, such as tokens and sessions.
//!
//! An engine stores them as bytes with an expiry, and does not interpret them.
//!
//! Writers that share records use compare-and-set: a change names the value that was read ([`Precondition`]). Of two
//! concurrent changes one gets [`PutOutcome::Conflict`], and its writer reads again.

use std::fmt;

use pactolus_types::UnixMillis;

use crate::engine::{BoxFuture, Unavailable};

/// Key of a record: a kind, and a name within the kind.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RecordKey(String);

impl RecordKey {
    /// Joins `kind` and `parts` with `/`; no part may contain one.
    pub fn new(kind: &'static str, parts: &[&str]) -> Self {
        debug_assert!(parts.iter().all(|part| !part.contains('/')), "a `/` would make two names one");
        let mut key = String::from(kind);
        for part in parts {
            key.push('/');
            key.push_str(part);
        }
        Self(key)
    }

    /// The key with this full name, as stored by an engine.
    pub fn from_name(name: String) -> Self {
        Self(name)
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the kind only: the name may be the digest of a secret.
impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({}/..)", self.0.split('/').next().unwrap_or_default())
    }
}

/// Store of records.
pub trait Records: Send + Sync {
    /// The bytes of a record, if it exists. An expired record may still exist.
    fn get(&self, key: RecordKey) -> BoxFuture<'_, Result<Option<Vec<u8>>, Unavailable>>;

    /// Compare-and-set: stores all of `changes` durably if every precondition holds, none otherwise. After
    /// `expires_at` a record may be deleted.
    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>>;

    /// Deletes records that expired before `now`, and returns their number.
    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>>;

    /// Whether other processes may change the records.
    fn access(&self) -> RecordAccess;
}

/// Access to the records of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordAccess {
    /// Only this process writes: a cache of them stays valid.
    Exclusive,
    /// Other processes write too: a cache of them may be stale.
    Shared,
}

/// Result of a compare-and-set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a conflict means that nothing was stored"]
pub enum PutOutcome {
    /// All changes are stored.
    Stored,
    /// No change is stored: a precondition did not hold.
    Conflict,
}

/// A record to insert or replace.
#[derive(Clone, Debug)]
pub struct RecordChange {
    /// Key of the record.
    pub key: RecordKey,
    /// The bytes; redacted in `Debug`.
    pub value: RecordValue,
    /// Time after which the record may be deleted.
    pub expires_at: UnixMillis,
    /// Required current value.
    pub precondition: Precondition,
}

/// Required current value of a record for its change to apply.
#[derive(Clone, Debug)]
pub enum Precondition {
    /// Any value, or none.
    Any,
    /// The record does not exist.
    Absent,
    /// Exactly these bytes.
    Value(RecordValue),
}

impl Precondition {
    /// Requires the value that was read: these bytes, or absence.
    pub fn from_read(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or(Self::Absent, |bytes| Self::Value(RecordValue(bytes)))
    }

    /// Whether the precondition holds for the `current` bytes; `None` if the record does not exist.
    pub fn holds(&self, current: Option<&[u8]>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Value(RecordValue(bytes)) => current == Some(bytes),
        }
    }
}

/// The bytes of a record; they may hold secrets.
#[derive(Clone)]
pub struct RecordValue(pub Vec<u8>);

impl fmt::Debug for RecordValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordValue({} bytes)", self.0.len())
    }
}

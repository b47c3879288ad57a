//! Small durable facts beside the ledger: tokens, sessions and the like.
//!
//! An engine keeps them as bytes with an expiry and does not know what they mean.
//!
//! Where several programs share them, whoever changes a record says what it was when it was read ([`Precondition`]): of two
//! who changed it at once, one is told that it came too late, and reads again.

use std::fmt;

use pactolus_types::UnixMillis;

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

    /// The record that an engine keeps under this whole name.
    pub fn from_name(name: String) -> Self {
        Self(name)
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

    /// Keeps all of `changes`, durable when it resolves, or none of them, if a record is not what its change says
    /// that it was. After `expires_at` a record may be forgotten.
    fn put(&self, changes: Vec<RecordChange>) -> BoxFuture<'_, Result<PutOutcome, Unavailable>>;

    /// Forgets records that expired before `now`, and says how many.
    fn sweep(&self, now: UnixMillis) -> BoxFuture<'_, Result<u64, Unavailable>>;

    /// Who else may change them.
    fn access(&self) -> RecordAccess;
}

/// Who may change the records of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordAccess {
    /// This process alone: what it remembers of them stays true.
    Exclusive,
    /// Other processes too: what is remembered of them may have been true a moment ago.
    Shared,
}

/// What became of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "changes that came too late are not kept"]
pub enum PutOutcome {
    /// All of them are kept.
    Stored,
    /// None of them is: a record was not what its change said.
    Conflict,
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
    /// What it has to be for the change to be made.
    pub precondition: Precondition,
}

/// What a record has to be for a change of it to be made.
#[derive(Clone, Debug)]
pub enum Precondition {
    /// Whatever it is.
    Any,
    /// Not there.
    Absent,
    /// These bytes.
    Value(RecordValue),
}

impl Precondition {
    /// What was read: the bytes, or that there were none.
    pub fn from_read(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or(Self::Absent, |bytes| Self::Value(RecordValue(bytes)))
    }

    /// Whether a record is what it has to be; `now` are its bytes, if it is there.
    pub fn holds(&self, current: Option<&[u8]>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Value(RecordValue(bytes)) => current == Some(bytes),
        }
    }
}

/// The bytes of a record, which may hold secrets.
#[derive(Clone)]
pub struct RecordValue(pub Vec<u8>);

impl fmt::Debug for RecordValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordValue({} bytes)", self.0.len())
    }
}

//! The vault: what `auth` keeps its records in. What goes in is sealed, and what comes out is opened.
//!
//! Nothing else of this crate writes a record that holds a secret: a [`SealedChange`] is made here alone, and the vault
//! takes no other. What is compared when a record is changed is what the store holds, not what is in it, because the
//! same value is sealed otherwise each time.

use std::sync::Arc;

use pactolus_ledger::{
    Precondition, PutOutcome, RecordAccess, RecordChange, RecordKey, RecordValue, Records, Unavailable,
};
use pactolus_types::UnixMillis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Keyring;
use crate::random::Randomness;

/// The kinds of records that are kept in the vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Session,
    PreviousSession,
    LoginCode,
    Token,
    LatestToken,
    StableToken,
}

impl RecordKind {
    const ALL: [Self; 6] = [
        Self::Session,
        Self::PreviousSession,
        Self::LoginCode,
        Self::Token,
        Self::LatestToken,
        Self::StableToken,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::PreviousSession => "session-before",
            Self::LoginCode => "login-code",
            Self::Token => "token",
            Self::LatestToken => "latest-token",
            Self::StableToken => "stable-token",
        }
    }

    /// The record of this kind with the name `parts`.
    pub(crate) fn key(self, parts: &[&str]) -> RecordKey {
        RecordKey::new(self.name(), parts)
    }

    /// Whether the record with this name is of one of these kinds.
    pub(super) fn is_secret(key: &RecordKey) -> bool {
        let kind = key.as_str().split('/').next();
        Self::ALL.iter().any(|known| Some(known.name()) == kind)
    }
}

/// Records that nobody can read who has the store alone.
pub(crate) struct Vault {
    records: Arc<dyn Records>,
    keys: Keyring,
    random: Arc<dyn Randomness>,
}

/// A record as it was read.
pub(crate) struct VaultRecord {
    stored: Vec<u8>,
    /// Nothing if it does not open.
    value: Option<Zeroizing<Vec<u8>>>,
}

impl VaultRecord {
    /// The value; bytes of another form, or that do not open, hold none.
    pub(crate) fn value<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.value.as_deref()?).ok()
    }

    /// What a change says that the record was.
    pub(crate) fn expected(self) -> Precondition {
        Precondition::Value(RecordValue(self.stored))
    }
}

/// A change of a record, sealed.
pub(crate) struct SealedChange(RecordChange);

/// What a record may take without growing, which would leave a part of it behind in memory.
const VALUE_BYTES: usize = 1024;

impl Vault {
    pub(crate) fn new(records: Arc<dyn Records>, keys: Keyring, random: Arc<dyn Randomness>) -> Self {
        Self { records, keys, random }
    }

    /// The record, if it is there.
    pub(crate) async fn get(&self, key: RecordKey) -> Result<Option<VaultRecord>, Unavailable> {
        let Some(stored) = self.records.get(key.clone()).await? else { return Ok(None) };
        let opened = self.keys.open(&key, &stored);
        let value = opened.inspect_err(|error| tracing::error!(?key, %error, "a record does not open")).ok();
        Ok(Some(VaultRecord { stored, value }))
    }

    /// A record to keep; `former` is what it has to be for that.
    pub(crate) fn change(
        &self,
        key: RecordKey,
        value: &impl Serialize,
        expires_at: UnixMillis,
        former: Precondition,
    ) -> SealedChange {
        let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_BYTES));
        serde_json::to_writer(&mut *bytes, value).expect("texts and numbers have a form in JSON");
        let value = self.keys.seal(&*self.random, &key, &bytes);
        SealedChange(RecordChange { key, value, expires_at, precondition: former })
    }

    /// Makes all changes or none.
    pub(crate) async fn put(&self, changes: Vec<SealedChange>) -> Result<PutOutcome, Unavailable> {
        self.records.put(changes.into_iter().map(|SealedChange(change)| change).collect()).await
    }

    /// Makes a change that depends on nothing.
    pub(crate) async fn put_unconditionally(&self, change: SealedChange) -> Result<(), Unavailable> {
        debug_assert!(matches!(change.0.precondition, Precondition::Any), "it could come too late");
        match self.put(vec![change]).await? {
            PutOutcome::Stored => Ok(()),
            PutOutcome::Conflict => Err(Unavailable::Failed),
        }
    }

    /// Who else may change them.
    pub(crate) fn sharing(&self) -> RecordAccess {
        self.records.access()
    }
}

//! Vault: the records of `auth`, sealed on write and opened on read.
//!
//! Invariant: nothing else in this crate writes a record that holds a secret. Only this module makes a
//! [`SealedChange`], and the vault takes no other. A compare-and-set compares the sealed bytes, not the plaintext,
//! because each sealing of the same value differs.

use std::sync::Arc;

use pactolus_ledger::{
    Precondition, PutOutcome, RecordAccess, RecordChange, RecordKey, RecordValue, Records, Unavailable,
};
use pactolus_types::UnixMillis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Keyring;
use crate::metrics::record_writes::{KINDS, RecordWrites};
use crate::random::Randomness;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Session,
    PreviousSession,
    LoginCode,
    Token,
    LatestToken,
    StableToken,
    /// Key of the access tokens' MACs.
    TokenMac,
}

impl RecordKind {
    const ALL: [Self; KINDS] = [
        Self::Session,
        Self::PreviousSession,
        Self::LoginCode,
        Self::Token,
        Self::LatestToken,
        Self::StableToken,
        Self::TokenMac,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::PreviousSession => "session-before",
            Self::LoginCode => "login-code",
            Self::Token => "token",
            Self::LatestToken => "latest-token",
            Self::StableToken => "stable-token",
            Self::TokenMac => "token-mac",
        }
    }

    pub(crate) fn key(self, parts: &[&str]) -> RecordKey {
        RecordKey::new(self.name(), parts)
    }

    /// Whether a record is of one of these kinds.
    pub(super) fn is_secret(key: &RecordKey) -> bool {
        Self::place(key).is_some()
    }

    /// Place of a record's kind in [`RecordKind::ALL`].
    fn place(key: &RecordKey) -> Option<usize> {
        let kind = key.as_str().split('/').next();
        Self::ALL.iter().position(|known| Some(known.name()) == kind)
    }
}

/// Records that cannot be read with the store alone.
pub(crate) struct Vault {
    records: Arc<dyn Records>,
    keys: Keyring,
    random: Arc<dyn Randomness>,
    writes: RecordWrites,
}

pub(crate) struct VaultRecord {
    stored: Vec<u8>,
    /// `None` if it does not open.
    value: Option<Zeroizing<Vec<u8>>>,
}

impl VaultRecord {
    /// `None` if the value does not open or is of another form.
    pub(crate) fn value<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.value.as_deref()?).ok()
    }

    /// The precondition that the record is unchanged.
    pub(crate) fn expected(self) -> Precondition {
        Precondition::Value(RecordValue(self.stored))
    }
}

pub(crate) struct SealedChange(RecordChange);

/// Buffer for a record. It must not grow, because growing would leave a part of the plaintext behind in memory.
const VALUE_BYTES: usize = 1024;

impl Vault {
    pub(crate) fn new(records: Arc<dyn Records>, keys: Keyring, random: Arc<dyn Randomness>) -> Self {
        Self { records, keys, random, writes: RecordWrites::default() }
    }

    pub(crate) async fn get(&self, key: RecordKey) -> Result<Option<VaultRecord>, Unavailable> {
        let Some(stored) = self.records.get(key.clone()).await? else { return Ok(None) };
        let opened = self.keys.open(&key, &stored);
        let value = opened.inspect_err(|error| tracing::error!(?key, %error, "a record does not open")).ok();
        Ok(Some(VaultRecord { stored, value }))
    }

    /// Seals a change of a record, with `former` as its precondition.
    pub(crate) fn change(
        &self,
        key: RecordKey,
        value: &impl Serialize,
        expires_at: UnixMillis,
        precondition: Precondition,
    ) -> SealedChange {
        let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_BYTES));
        serde_json::to_writer(&mut *bytes, value).expect("texts and numbers have a form in JSON");
        let value = self.keys.seal(&*self.random, &key, &bytes);
        SealedChange(RecordChange { key, value, expires_at, precondition })
    }

    /// Applies all changes or none.
    pub(crate) async fn put(&self, changes: Vec<SealedChange>) -> Result<PutOutcome, Unavailable> {
        let kinds: Vec<_> = changes.iter().filter_map(|change| RecordKind::place(&change.0.key)).collect();
        let put = self.records.put(changes.into_iter().map(|SealedChange(change)| change).collect()).await;
        self.writes.count(&kinds, put);
        put
    }

    /// Applies a change without a precondition.
    pub(crate) async fn put_unconditionally(&self, change: SealedChange) -> Result<(), Unavailable> {
        debug_assert!(matches!(change.0.precondition, Precondition::Any), "it could conflict");
        match self.put(vec![change]).await? {
            PutOutcome::Stored => Ok(()),
            PutOutcome::Conflict => Err(Unavailable::Failed),
        }
    }

    /// Whether it seals and opens with exactly these keys.
    pub(crate) fn has_keys(&self, keys: &Keyring) -> bool {
        self.keys.ids().eq(keys.ids())
    }

    /// Writes so far: kind, result, count.
    pub(crate) fn writes(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        RecordKind::ALL.into_iter().enumerate().flat_map(|(place, kind)| {
            self.writes.of_kind(place).map(move |(result, count)| (kind.name(), result, count))
        })
    }

    pub(crate) fn access(&self) -> RecordAccess {
        self.records.access()
    }
}

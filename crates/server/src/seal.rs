//! Sealing: encryption of sessions, login codes and tokens at rest, with a master key that the store does not hold.
//!
//! A sealed value is XChaCha20-Poly1305 of the value, bound to the key of its record: moved to another record, it
//! does not open. The first of the master keys seals and all of them open, so that keys can be rotated.
//!
//! ```text
//! 1        the version; an unsealed value is JSON, which begins with `{`
//! 4        the id of the master key
//! 24       the nonce, new with each value
//! …        the value, encrypted
//! 16       the tag, over all of the above and the record's key
//! ```
//!
//! Only the id of a key is ever shown. It is derived from the key and reveals nothing about it.
//! Read next: `seal/vault.rs`, the storage of `auth`; `seal/key_check.rs`, how a missing key is noticed;
//! `docs/decisions/0020-sealing.md`, the reasons.

mod key_check;
mod rotate;
pub(crate) mod vault;

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{AeadInOut as _, KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use pactolus_ledger::{RecordKey, RecordValue};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

pub use key_check::KeyCheckError;
pub use rotate::{SealStatus, expire_record};

use crate::random::Randomness;

const VERSION: u8 = 1;
/// No JSON text begins with one of these bytes, so a value that does is sealed, perhaps by a later version.
const VERSION_RANGE: std::ops::RangeInclusive<u8> = 1..=0x08;

const ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const HEADER_BYTES: usize = 1 + ID_BYTES;

/// A key that seals records and opens them again.
///
/// The 32 bytes themselves are not kept, only the keys derived from them, one per purpose.
#[derive(Clone)]
pub struct MasterKey {
    id: KeyId,
    /// Zeroes its key on drop.
    cipher: XChaCha20Poly1305,
}

/// The text is not a master key. The error never holds the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not 32 bytes in hex (64 digits) or base64 (44 characters, the last =); `openssl rand -hex 32` makes one"
)]
pub struct InvalidMasterKey;

impl MasterKey {
    /// Parses 32 random bytes in hex or in base64.
    pub fn new(text: &str) -> Result<Self, InvalidMasterKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        match text.len() {
            64 => decode_hex(text.as_bytes(), &mut bytes)?,
            44 => decode_base64(text, &mut bytes)?,
            _ => return Err(InvalidMasterKey),
        }
        Ok(Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let id = Zeroizing::new(derive_key(bytes, b"pactolus master key id"));
        let mut key = derive_key(bytes, b"pactolus records xchacha20poly1305").into();
        let cipher = XChaCha20Poly1305::new(&key);
        key.as_mut_slice().zeroize();
        let (id, _) = id.split_first_chunk().expect("32 bytes are more than an id");
        Self { id: KeyId(*id), cipher }
    }

    /// Identifies the key where the key itself must not be shown.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

/// Derives the key of one purpose: the first block of HKDF-Expand (RFC 5869) with SHA-256. HKDF-Extract is not
/// needed, because a master key is 32 uniformly random bytes.
fn derive_key(master: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(master).expect("HMAC takes a key of any length");
    mac.update(purpose);
    mac.update(&[1]);
    mac.finalize().into_bytes().into()
}

fn decode_hex(text: &[u8], bytes: &mut [u8; 32]) -> Result<(), InvalidMasterKey> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = digit(pair[0]).zip(digit(pair[1])).ok_or(InvalidMasterKey)?;
        *byte = high << 4 | low;
    }
    Ok(())
}

fn decode_base64(text: &str, bytes: &mut [u8; 32]) -> Result<(), InvalidMasterKey> {
    // The decoder needs space for whole groups of four digits.
    let mut buffer = Zeroizing::new([0; 33]);
    let length = BASE64.decode_slice(text, &mut *buffer).map_err(|_| InvalidMasterKey)?;
    bytes.copy_from_slice(buffer.get(..length).filter(|_| length == 32).ok_or(InvalidMasterKey)?);
    Ok(())
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The id of a master key, by a one-way derivation. Every value that the key sealed holds it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for KeyId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u32::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes()))
    }
}

/// The master keys of a bank: the first seals, all open. Without keys, records are stored as they are.
#[derive(Clone, Debug, Default)]
pub struct Keyring(Arc<[MasterKey]>);

/// A key is in a ring twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("holds the key with the id {0} twice; each must be another")]
pub struct DuplicateKey(pub KeyId);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnsealError {
    /// It is sealed with a key that is not in the ring.
    #[error("it is sealed with a master key that is not in the configuration; its id is {0}")]
    UnknownKey(KeyId),
    /// It was changed, or was sealed for another record.
    #[error("it was changed after it was sealed, or belongs to another record")]
    Damaged,
    /// A later version of this program sealed it.
    #[error("a later version of this program sealed it")]
    LaterVersion,
}

impl Keyring {
    /// The first of these keys seals.
    pub fn new(keys: Vec<MasterKey>) -> Result<Self, DuplicateKey> {
        for (index, key) in keys.iter().enumerate() {
            if keys[..index].iter().any(|before| before.id == key.id) {
                return Err(DuplicateKey(key.id));
            }
        }
        Ok(Self(keys.into()))
    }

    /// The key that seals, if there is one.
    pub fn primary(&self) -> Option<&MasterKey> {
        self.0.first()
    }

    /// Whether the ring holds the key with this id.
    pub fn contains(&self, id: KeyId) -> bool {
        self.find(id).is_some()
    }

    /// The ids of the keys, the sealing one first.
    fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(MasterKey::id)
    }

    fn find(&self, id: KeyId) -> Option<&MasterKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// Seals a value for the record `name`; without a key the value stays as it is.
    fn seal(&self, random: &dyn Randomness, name: &RecordKey, value: &[u8]) -> RecordValue {
        let Some(key) = self.primary() else { return RecordValue(value.to_vec()) };
        let mut nonce = [0; NONCE_BYTES];
        random.fill(&mut nonce);
        RecordValue(seal_value(key, nonce, name, value))
    }

    /// Opens the value of the record `name`.
    fn open(&self, name: &RecordKey, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let Some(sealed) = SealedValue::parse(stored)? else { return Ok(Zeroizing::new(stored.to_vec())) };
        let key = self.find(sealed.id).ok_or(UnsealError::UnknownKey(sealed.id))?;
        let payload = Payload { msg: sealed.ciphertext, aad: &associated_data(sealed.header, name) };
        let opened = key.cipher.decrypt(&XNonce::from(*sealed.nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| UnsealError::Damaged)
    }
}

fn seal_value(key: &MasterKey, nonce: [u8; NONCE_BYTES], name: &RecordKey, value: &[u8]) -> Vec<u8> {
    // One allocation, so that no copy of the plaintext stays behind.
    let mut bytes = Vec::with_capacity(HEADER_BYTES + NONCE_BYTES + value.len() + TAG_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&key.id.0);
    let associated = associated_data(&bytes, name);
    bytes.extend_from_slice(&nonce);
    let begin = bytes.len();
    bytes.extend_from_slice(value);
    let tag = key
        .cipher
        .encrypt_inout_detached(&XNonce::from(nonce), &associated, (&mut bytes[begin..]).into())
        .expect("a record is shorter than 256 GiB");
    bytes.extend_from_slice(&tag);
    bytes
}

/// Associated data of the AEAD: header and record key.
fn associated_data(head: &[u8], name: &RecordKey) -> Vec<u8> {
    [head, name.as_str().as_bytes()].concat()
}

/// A parsed sealed value.
struct SealedValue<'a> {
    header: &'a [u8],
    id: KeyId,
    nonce: &'a [u8; NONCE_BYTES],
    /// With the tag.
    ciphertext: &'a [u8],
}

impl<'a> SealedValue<'a> {
    /// `None` for a value that is not sealed.
    fn parse(stored: &'a [u8]) -> Result<Option<Self>, UnsealError> {
        match stored.first() {
            Some(&VERSION) => {}
            Some(version) if VERSION_RANGE.contains(version) => return Err(UnsealError::LaterVersion),
            Some(_) | None => return Ok(None),
        }
        let parts = || {
            let (header, rest) = stored.split_at_checked(HEADER_BYTES)?;
            let (nonce, ciphertext) = rest.split_first_chunk()?;
            Some(Self { header, id: KeyId(*header.last_chunk()?), nonce, ciphertext })
        };
        parts().map(Some).ok_or(UnsealError::Damaged)
    }
}

#[cfg(test)]
mod tests;

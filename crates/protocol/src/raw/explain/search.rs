//! Search: makes and compares candidate after candidate, until one reproduces the signature or the work limit is reached.

use std::ops::ControlFlow;

use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::RawFinding;
use super::mistake::RawMistake;
use crate::hash;
use crate::midas::explain::HashFunction;

/// Work limit of one search, in bytes hashed. All work is charged before it is done.
const WORK_BYTES_MAX: usize = 1024 * 1024;

/// Breaks with the finding.
pub(super) type SearchFlow = ControlFlow<RawFinding>;

/// A search for the making of one signature.
pub(super) struct RawSearch {
    signature: Vec<u8>,
    is_hex: bool,
    pub(super) has_capitals: bool,
    work_left: usize,
    text: Zeroizing<Vec<u8>>,
}

impl RawSearch {
    /// A search for signature `sent`; `None` if no hash function has its length.
    pub(super) fn for_signature(sent: &str) -> Option<Self> {
        let (signature, is_hex) = match hash::decode_hex(sent) {
            Some(bytes) => (bytes, true),
            // A `+` that is not percent-encoded is a space in a query.
            None => (hash::decode_base64(&sent.replace(' ', "+"))?, false),
        };
        // MD5, SHA-1, SHA-256.
        [16, 20, 32].contains(&signature.len()).then(|| Self {
            signature,
            is_hex,
            has_capitals: is_hex && super::super::sign::has_capitals(sent),
            work_left: WORK_BYTES_MAX,
            text: Zeroizing::default(),
        })
    }

    /// Breaks with `mistake` if HMAC-SHA256 of `parts` under `key` reproduces the signature.
    pub(super) fn try_parts(&mut self, key: &[u8], parts: &[&[u8]], mistake: RawMistake) -> SearchFlow {
        self.try_hash(HashFunction::HmacSha256, key, parts, || RawFinding::Mistake(mistake))
    }

    /// Breaks with `finding` if `function` of `parts` under `key` reproduces the signature. A signature in base64 is
    /// reported as such.
    pub(super) fn try_hash(
        &mut self,
        function: HashFunction,
        key: &[u8],
        parts: &[&[u8]],
        finding: impl FnOnce() -> RawFinding,
    ) -> SearchFlow {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        self.charge(bytes + key.len() + 192)?;
        self.text.clear();
        for part in parts {
            self.text.extend_from_slice(part);
        }
        let made = digest(function, key, &mut self.text);
        if made.len() != self.signature.len() || !bool::from(made.ct_eq(&self.signature)) {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(if self.is_hex { finding() } else { RawFinding::Mistake(RawMistake::Base64) })
    }

    /// Charges work before it is done. Breaks if too little is left.
    pub(super) fn charge(&mut self, bytes: usize) -> SearchFlow {
        match self.work_left.checked_sub(bytes) {
            Some(work_left) => {
                self.work_left = work_left;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(RawFinding::WorkLimitReached),
        }
    }
}

/// The hash; a plain one has the key at the end of its text.
fn digest(function: HashFunction, key: &[u8], text: &mut Vec<u8>) -> Vec<u8> {
    match function {
        HashFunction::HmacSha256 => hash::hmac::<Hmac<Sha256>>(key, text),
        HashFunction::HmacSha1 => hash::hmac::<Hmac<Sha1>>(key, text),
        HashFunction::HmacMd5 => hash::hmac::<Hmac<Md5>>(key, text),
        HashFunction::KeyAndTextSwapped => hash::hmac::<Hmac<Sha256>>(text, key),
        HashFunction::Sha256 | HashFunction::Sha1 | HashFunction::Md5 => {
            text.extend_from_slice(key);
            match function {
                HashFunction::Sha1 => Sha1::digest(text).to_vec(),
                HashFunction::Md5 => Md5::digest(text).to_vec(),
                HashFunction::Sha256
                | HashFunction::HmacSha256
                | HashFunction::HmacSha1
                | HashFunction::HmacMd5
                | HashFunction::KeyAndTextSwapped => Sha256::digest(text).to_vec(),
            }
        }
    }
}

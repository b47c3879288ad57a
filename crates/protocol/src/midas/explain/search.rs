//! Search: makes and compares scheme after scheme, until one reproduces the signature or the work limit is reached.

use std::borrow::Cow;
use std::ops::ControlFlow;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::mistake::HashFunction;
use super::scheme::{SignedPair, SigningScheme, pair, sort_pairs};
use super::{Mistake, SignatureFinding};
use crate::hash::{decode_base64, decode_hex, encode_hex};
use crate::midas::parameter::Parameter;

/// Work limit of one search, in bytes hashed, pairs made included. A typical search takes a third of it. All work is
/// charged before it is done: building the pairs of a body of 1,700 fields costs more than hashing them.
pub(super) const WORK_BYTES_MAX: usize = 1024 * 1024;

/// Breaks with the finding.
pub(super) type SearchFlow = ControlFlow<SignatureFinding>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureEncoding {
    Hex,
    Base64,
}

/// A search for the scheme of one signature.
pub(super) struct Search {
    signature: Vec<u8>,
    encoding: SignatureEncoding,
    work_left: usize,
    text: Zeroizing<Vec<u8>>,
}

impl Search {
    /// A search for the scheme of signature `text`; `None` if no hash function has its length.
    pub(super) fn for_signature(text: &str) -> Option<Self> {
        let (signature, encoding) = match decode_hex(text) {
            Some(bytes) => (bytes, SignatureEncoding::Hex),
            None => (decode_base64(text)?, SignatureEncoding::Base64),
        };
        // MD5, SHA-1, SHA-256.
        [16, 20, 32].contains(&signature.len()).then(|| Self {
            signature,
            encoding,
            work_left: WORK_BYTES_MAX,
            text: Zeroizing::default(),
        })
    }

    /// Breaks with `mistake` if the scheme reproduces the signature in hex.
    pub(super) fn try_scheme(
        &mut self,
        scheme: &SigningScheme<'_>,
        mistake: impl FnOnce() -> Mistake,
    ) -> SearchFlow {
        self.try_scheme_in(SignatureEncoding::Hex, scheme, || SignatureFinding::Mistake(mistake()))
    }

    /// Breaks with `finding` if the scheme reproduces the signature in the given encoding.
    pub(super) fn try_scheme_in(
        &mut self,
        encoding: SignatureEncoding,
        scheme: &SigningScheme<'_>,
        finding: impl FnOnce() -> SignatureFinding,
    ) -> SearchFlow {
        if encoding != self.encoding || digest_bytes(scheme.function) != self.signature.len() {
            return SearchFlow::Continue(());
        }
        self.charge(scheme.work_bytes())?;
        if scheme.digest(&mut self.text).ct_eq(&self.signature).into() {
            return SearchFlow::Break(finding());
        }
        SearchFlow::Continue(())
    }

    /// Charges work before it is done. Breaks if too little is left.
    pub(super) fn charge(&mut self, bytes: usize) -> SearchFlow {
        match self.work_left.checked_sub(bytes) {
            Some(work_left) => {
                self.work_left = work_left;
                SearchFlow::Continue(())
            }
            None => SearchFlow::Break(SignatureFinding::WorkLimitReached),
        }
    }

    /// Whether signatures of this length can be of HMAC-SHA256 in hex, as most mistakes make them.
    pub(super) fn is_of_right_form(&self) -> bool {
        self.encoding == SignatureEncoding::Hex && self.signature.len() == 32
    }

    /// The pairs of a scheme, to be changed. `growth` bounds how much longer the change makes them.
    pub(super) fn copy_pairs<'a>(
        &mut self,
        scheme: &SigningScheme<'a>,
        growth: usize,
    ) -> ControlFlow<SignatureFinding, Vec<SignedPair<'a>>> {
        self.charge(growth * scheme.pairs_bytes())?;
        ControlFlow::Continue(scheme.pairs.to_vec())
    }

    /// The scheme without these parameters.
    pub(super) fn without<'a>(
        &mut self,
        scheme: &SigningScheme<'a>,
        parameters: &[Parameter],
    ) -> ControlFlow<SignatureFinding, SigningScheme<'a>> {
        let mut pairs = self.copy_pairs(scheme, 1)?;
        pairs.retain(|(key, _)| !parameters.iter().any(|parameter| *key == parameter.name()));
        ControlFlow::Continue(scheme.with_pairs(pairs))
    }

    /// The scheme with a parameter inserted in name order, or replaced.
    pub(super) fn with<'a>(
        &mut self,
        scheme: &SigningScheme<'a>,
        parameter: Parameter,
        value: impl Into<Cow<'a, str>>,
    ) -> ControlFlow<SignatureFinding, SigningScheme<'a>> {
        let value = value.into();
        self.charge(value.len() + 64)?;
        let mut pairs = self.copy_pairs(scheme, 1)?;
        pairs.retain(|(key, _)| *key != parameter.name());
        pairs.push(pair(parameter, value));
        sort_pairs(&mut pairs);
        ControlFlow::Continue(scheme.with_pairs(pairs))
    }

    /// The scheme's signature in hex.
    pub(super) fn sign_hex(&mut self, scheme: &SigningScheme<'_>) -> ControlFlow<SignatureFinding, String> {
        self.charge(scheme.work_bytes())?;
        ControlFlow::Continue(encode_hex(&scheme.digest(&mut self.text)))
    }
}

/// Digest length in bytes.
const fn digest_bytes(function: HashFunction) -> usize {
    match function {
        HashFunction::HmacSha256 | HashFunction::KeyAndTextSwapped | HashFunction::Sha256 => 32,
        HashFunction::HmacSha1 | HashFunction::Sha1 => 20,
        HashFunction::HmacMd5 | HashFunction::Md5 => 16,
    }
}

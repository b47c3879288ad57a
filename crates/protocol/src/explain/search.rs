//! Search: makes and compares scheme after scheme, until one reproduces the signature or the work limit is reached.

use std::ops::ControlFlow;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::mistake::HashFunction;
use super::scheme::{SigningScheme, decode_base64};
use super::{Mistake, SignatureFinding};

/// Work limit of one search, in bytes hashed. A typical search tries some 200 texts of 1.5 KiB each, as
/// [`SigningScheme::work_bytes`] counts: a third of the limit. Measured on one core: typically 0.15 ms, at most 3 ms.
const WORK_BYTES_MAX: usize = 1024 * 1024;

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
        let Some(work_left) = self.work_left.checked_sub(scheme.work_bytes()) else {
            return SearchFlow::Break(SignatureFinding::WorkLimitReached);
        };
        self.work_left = work_left;
        if scheme.digest(&mut self.text).ct_eq(&self.signature).into() {
            return SearchFlow::Break(finding());
        }
        SearchFlow::Continue(())
    }

    /// The scheme's signature in hex.
    pub(super) fn sign_hex(&mut self, scheme: &SigningScheme<'_>) -> String {
        self.work_left = self.work_left.saturating_sub(scheme.work_bytes());
        encode_hex(&scheme.digest(&mut self.text))
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

pub(super) fn encode_hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).expect("half a byte is a digit")).collect()
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect()
}

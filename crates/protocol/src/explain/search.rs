//! The search: recipe after recipe is made and compared, until one makes what was sent or the work is used up.

use std::ops::ControlFlow;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::mistake::HashFunction;
use super::scheme::{SigningScheme, decode_base64};
use super::{Mistake, SignatureFinding};

/// The most work of one search, in bytes hashed: the usual one tries some 200 texts of 1.5 KiB each, as
/// [`SigningScheme::work_bytes`] counts, a third of it. Measured on one core: 0.15 ms usually, 3 ms at most.
const WORK_BYTES_MAX: usize = 1024 * 1024;

/// Breaks off with what was found.
pub(super) type SearchFlow = ControlFlow<SignatureFinding>;

/// How the signature was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureEncoding {
    Hex,
    Base64,
}

/// A search for what makes one signature.
pub(super) struct Search {
    signature: Vec<u8>,
    encoding: SignatureEncoding,
    work_left: usize,
    text: Zeroizing<Vec<u8>>,
}

impl Search {
    /// A search for what makes the signature that `text` writes; nothing if it is of no known length.
    pub(super) fn for_signature(text: &str) -> Option<Self> {
        let (sent, writing) = match decode_hex(text) {
            Some(bytes) => (bytes, SignatureEncoding::Hex),
            None => (decode_base64(text)?, SignatureEncoding::Base64),
        };
        // MD5, SHA-1, SHA-256.
        [16, 20, 32].contains(&sent.len()).then(|| Self {
            signature: sent,
            encoding: writing,
            work_left: WORK_BYTES_MAX,
            text: Zeroizing::default(),
        })
    }

    /// Breaks off with `mistake` if `recipe` makes what was sent, in hex.
    pub(super) fn try_scheme(
        &mut self,
        recipe: &SigningScheme<'_>,
        mistake: impl FnOnce() -> Mistake,
    ) -> SearchFlow {
        self.try_scheme_in(SignatureEncoding::Hex, recipe, || SignatureFinding::Mistake(mistake()))
    }

    /// Breaks off with `finding` if `recipe` makes what was sent, in this writing.
    pub(super) fn try_scheme_in(
        &mut self,
        writing: SignatureEncoding,
        recipe: &SigningScheme<'_>,
        finding: impl FnOnce() -> SignatureFinding,
    ) -> SearchFlow {
        if writing != self.encoding || digest_bytes(recipe.function) != self.signature.len() {
            return SearchFlow::Continue(());
        }
        let Some(work_left) = self.work_left.checked_sub(recipe.work_bytes()) else {
            return SearchFlow::Break(SignatureFinding::WorkLimitReached);
        };
        self.work_left = work_left;
        if recipe.digest(&mut self.text).ct_eq(&self.signature).into() {
            return SearchFlow::Break(finding());
        }
        SearchFlow::Continue(())
    }

    /// The signature of a recipe in hex, as a client would have kept it.
    pub(super) fn sign_hex(&mut self, recipe: &SigningScheme<'_>) -> String {
        self.work_left = self.work_left.saturating_sub(recipe.work_bytes());
        encode_hex(&recipe.digest(&mut self.text))
    }
}

/// In bytes.
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

//! The search: recipe after recipe is made and compared, until one makes what was sent or the work is used up.

use std::ops::ControlFlow;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::mistake::Function;
use super::scheme::{Recipe, from_base64};
use super::{Finding, Mistake};

/// The most work of one search, in bytes hashed: the usual one tries some 200 texts of 1.5 KiB each, as
/// [`Recipe::work`] counts, a third of it. Measured on one core: 0.15 ms usually, 3 ms at most.
const WORK_BYTES_MAX: usize = 1024 * 1024;

/// Breaks off with what was found.
pub(super) type Step = ControlFlow<Finding>;

/// How the signature was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    Hex,
    Base64,
}

/// A search for what makes one signature.
pub(super) struct Search {
    sent: Vec<u8>,
    writing: Writing,
    work_left: usize,
    text: Zeroizing<Vec<u8>>,
}

impl Search {
    /// A search for what makes the signature that `text` writes; nothing if it is of no known length.
    pub(super) fn for_signature(text: &str) -> Option<Self> {
        let (sent, writing) = match from_hex(text) {
            Some(bytes) => (bytes, Writing::Hex),
            None => (from_base64(text)?, Writing::Base64),
        };
        // MD5, SHA-1, SHA-256.
        [16, 20, 32].contains(&sent.len()).then(|| Self {
            sent,
            writing,
            work_left: WORK_BYTES_MAX,
            text: Zeroizing::default(),
        })
    }

    /// Breaks off with `mistake` if `recipe` makes what was sent, in hex.
    pub(super) fn attempt(&mut self, recipe: &Recipe<'_>, mistake: impl FnOnce() -> Mistake) -> Step {
        self.attempt_in(Writing::Hex, recipe, || Finding::Mistake(mistake()))
    }

    /// Breaks off with `finding` if `recipe` makes what was sent, in this writing.
    pub(super) fn attempt_in(
        &mut self,
        writing: Writing,
        recipe: &Recipe<'_>,
        finding: impl FnOnce() -> Finding,
    ) -> Step {
        if writing != self.writing || length(recipe.function) != self.sent.len() {
            return Step::Continue(());
        }
        let Some(work_left) = self.work_left.checked_sub(recipe.work()) else {
            return Step::Break(Finding::NotAllTried);
        };
        self.work_left = work_left;
        if recipe.digest(&mut self.text).ct_eq(&self.sent).into() {
            return Step::Break(finding());
        }
        Step::Continue(())
    }

    /// The signature of a recipe in hex, as a client would have kept it.
    pub(super) fn made_by(&mut self, recipe: &Recipe<'_>) -> String {
        self.work_left = self.work_left.saturating_sub(recipe.work());
        hex(&recipe.digest(&mut self.text))
    }
}

/// In bytes.
const fn length(function: Function) -> usize {
    match function {
        Function::HmacSha256 | Function::KeyAndTextSwapped | Function::Sha256 => 32,
        Function::HmacSha1 | Function::Sha1 => 20,
        Function::HmacMd5 | Function::Md5 => 16,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).expect("half a byte is a digit")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(&pair[0])? << 4 | digit(&pair[1])?)).collect()
}

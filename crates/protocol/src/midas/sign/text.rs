//! Signed texts of `sig` and `mp_sig`, without the key at their end.
//!
//! Invariant: a text is built from the raw body, never from parsed values.

use std::fmt;

use super::dialect::{Dialect, Encoding, Selection};
use crate::midas::body::{Body, Field};
use crate::midas::call::{CallKind, CallPath};
use crate::midas::parameter::Parameter;

/// Stands for a secret in a shown text.
const MASK: &str = "***";

/// A signed text without the key at its end. The buffer can be reused.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedText(String);

/// The text of `sig`.
pub fn sig_text(path: CallPath, body: &Body<'_>, dialect: Dialect) -> SignedText {
    let mut text = SignedText::preallocated();
    text.write_sig(path, body, dialect);
    text
}

/// The text of `mp_sig`, which also covers the query's `access_token` and the body's `sig`.
pub(super) fn mp_sig_text(
    path: CallPath,
    body: &Body<'_>,
    dialect: Dialect,
    sig: &str,
    access_token: &str,
) -> SignedText {
    let mut text = SignedText::preallocated();
    text.write_mp_sig(path, body, dialect, sig, access_token);
    text
}

/// The text of `sig` for a diagnosis: `***` stands for the key.
pub fn masked_sig_text(path: CallPath, body: &Body<'_>, dialect: Dialect) -> String {
    sig_text(path, body, dialect).0 + MASK
}

/// The text of `mp_sig` for a diagnosis: `***` stands for the access token and for the session key.
pub fn masked_mp_sig_text(path: CallPath, body: &Body<'_>, dialect: Dialect, sig: &str) -> String {
    mp_sig_text(path, body, dialect, sig, MASK).0 + MASK
}

impl SignedText {
    /// Capacity for the usual request and its proofs; a longer one costs a second allocation.
    pub(super) fn preallocated() -> Self {
        Self(String::with_capacity(512))
    }

    pub(super) fn write_sig(&mut self, path: CallPath, body: &Body<'_>, dialect: Dialect) {
        self.write(path, body, dialect, |_| None, "&method=POST&secret=");
    }

    pub(super) fn write_mp_sig(
        &mut self,
        path: CallPath,
        body: &Body<'_>,
        dialect: Dialect,
        sig: &str,
        access_token: &str,
    ) {
        let proof = |parameter| match parameter {
            Parameter::AccessToken => Some(access_token),
            Parameter::Sig => Some(sig),
            _ => None,
        };
        self.write(path, body, dialect, proof, "&method=POST&session_key=");
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Writes the sorted pairs, with the proofs that `proof` returns among them, then the path and `ending`.
    fn write<'b>(
        &mut self,
        path: CallPath,
        body: &'b Body<'_>,
        dialect: Dialect,
        proof: impl Fn(Parameter) -> Option<&'b str>,
        suffix: &str,
    ) {
        self.0.clear();
        let signed = |field| signed_value(field, path.kind, dialect.selection);
        let mut others = body.others().filter_map(|field| Some((field.key, signed(field)?))).peekable();
        for parameter in Parameter::ALL {
            let sent = || body.parameter(*parameter).and_then(signed);
            let Some(value) = proof(*parameter).or_else(sent) else {
                continue;
            };
            while let Some((key, other)) = others.next_if(|(key, _)| *key < parameter.name()) {
                self.write_undocumented_pair(key, other, dialect);
            }
            let start = parameter.next_pair();
            self.0.push_str(if self.0.is_empty() { &start[1..] } else { start });
            dialect.encoding.write(value, &mut self.0);
        }
        for (key, value) in others {
            self.write_undocumented_pair(key, value, dialect);
        }
        for part in ["&org_loc=", path.as_str(), suffix] {
            self.0.push_str(part);
        }
    }

    /// Writes the pair of an undocumented field, which only some dialects sign.
    fn write_undocumented_pair(&mut self, key: &str, value: &str, dialect: Dialect) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(key);
        self.0.push('=');
        dialect.encoding.write(value, &mut self.0);
    }
}

/// Redacted to its length: a text may hold the access token.
impl fmt::Debug for SignedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedText({} bytes)", self.0.len())
    }
}

/// Whether a text of `dialect` reads in one way, as this body of a valid call.
///
/// The values of documented parameters are checked when the call is read. An undocumented field may have any key and
/// any value; with `&` and `=` in them, its pair could stand for the pairs of other parameters.
pub(crate) fn reads_in_one_way(body: &Body<'_>, kind: CallKind, dialect: Dialect) -> bool {
    if dialect.selection != Selection::EveryField {
        return true;
    }
    // A form encoder escapes both characters in a value, never in a key.
    let is_ambiguous = |field: Field<'_>| {
        let absorbs = |text| dialect.encoding == Encoding::Raw && Parameter::absorbed_in(text).is_some();
        field.value.scalar().is_some_and(|text| field.key.contains(['&', '=']) || absorbs(text))
    };
    let is_undocumented = |parameter: &Parameter| !kind.documents(*parameter) && !parameter.is_proof();
    let of_other_calls = Parameter::ALL.iter().copied().filter(is_undocumented);
    !body.others().chain(of_other_calls.filter_map(|parameter| body.parameter(parameter))).any(is_ambiguous)
}

/// The value of a field, if the selection covers it.
#[inline]
pub(crate) fn signed_value(field: Field<'_>, kind: CallKind, selection: Selection) -> Option<&str> {
    let documented = field.parameter.filter(|parameter| kind.documents(*parameter));
    let is_signed = match selection {
        Selection::Documented => documented.is_some(),
        Selection::EveryField => !field.parameter.is_some_and(Parameter::is_proof),
        Selection::WithoutEmpty => {
            documented.is_some_and(|parameter| parameter.is_order_field() || !field.value.is_empty_or_zero())
        }
    };
    if is_signed { field.value.scalar() } else { None }
}

//! Redacted view of a body: documented parameters with their values, all others by name only.
//!
//! An undocumented field may hold anything, even a key sent by mistake. Signatures are shortened, because a whole one
//! is half of a valid request.
//! Values are not truncated: the caller masks secrets first, and truncates afterwards.

use crate::midas::body::{Body, Field};
use crate::midas::call::CallKind;
use crate::midas::parameter::Parameter;

/// Maximum number of parameters shown; no call documents half as many.
const PARAMETERS_MAX: usize = 32;

/// The redacted parameters of a body, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedParameters {
    /// The parameters shown.
    pub parameters: Vec<RedactedParameter>,
    /// Number of parameters left out.
    pub omitted: usize,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedParameter {
    /// The name on the wire.
    pub name: String,
    /// Its JSON type: "a string", "a number", `null` …
    pub form: String,
    /// Its text; `None` if it is redacted or nested.
    pub value: Option<String>,
    /// Whether the call documents it, or it is a proof.
    pub is_documented: bool,
}

pub(super) fn redact_body(kind: CallKind, body: &Body<'_>) -> RedactedParameters {
    // Documented fields come first, so that padding cannot push them out.
    let (documented, others): (Vec<_>, Vec<_>) = body.fields().partition(|field| is_documented(kind, field));
    let count = documented.len() + others.len();
    let mut shown: Vec<_> = documented
        .into_iter()
        .chain(others)
        .take(PARAMETERS_MAX)
        .map(|field| redact_field(kind, &field))
        .collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name));
    RedactedParameters { omitted: count - shown.len(), parameters: shown }
}

fn is_documented(kind: CallKind, field: &Field<'_>) -> bool {
    field.parameter.is_some_and(|parameter| kind.documents(parameter) || parameter.is_proof())
}

fn redact_field(kind: CallKind, field: &Field<'_>) -> RedactedParameter {
    let value = match (field.parameter, field.value.scalar()) {
        (Some(Parameter::Sig | Parameter::MpSig), Some(text)) => Some(shorten_signature(text)),
        (Some(Parameter::AccessToken) | None, _) | (_, None) => None,
        (Some(parameter), Some(text)) => kind.documents(parameter).then(|| text.to_owned()),
    };
    RedactedParameter {
        name: field.key.to_owned(),
        form: field.value.describe().to_owned(),
        value,
        is_documented: is_documented(kind, field),
    }
}

/// The first eight digits of a signature; only the length of any other text.
pub(super) fn shorten_signature(text: &str) -> String {
    // Digits are shown of a full-length signature only: a shorter hex text may be a key.
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { format!("{}…", &text[..8]) } else { format!("({} bytes)", text.len()) }
}

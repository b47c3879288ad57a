//! What may be shown of a body: documented parameters with their values, of all others the names alone.
//!
//! An undocumented field may be anything, a key that was sent by mistake too. A signature is cut short, for a whole
//! one is half of a request that somebody could send.
//! Texts are whole: whoever shows them masks what is secret first, and shortens them then.

use crate::body::{Body, Field};
use crate::call::CallKind;
use crate::parameter::Parameter;

/// The most parameters that are shown of one body; no call documents half as many.
const PARAMETERS_MAX: usize = 32;

/// The parameters of a body in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedParameters {
    /// Those that are shown.
    pub parameters: Vec<RedactedParameter>,
    /// How many more there were.
    pub omitted: usize,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedactedParameter {
    /// The name on the wire.
    pub name: String,
    /// What it was sent as: "a string", "a number", `null` …
    pub form: String,
    /// The text that it was sent with; nothing if it is not to be shown.
    pub value: Option<String>,
    /// Whether the call documents it, so that signatures cover it.
    pub is_documented: bool,
}

/// What may be shown of `body`.
pub(super) fn redact_body(kind: CallKind, body: &Body<'_>) -> RedactedParameters {
    // Documented ones go first into the bound, so that no padding hides them.
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

/// The first eight digits of a signature; of what is none, only its length.
pub(super) fn shorten_signature(text: &str) -> String {
    // Only of a whole signature: what is shorter may be a key, which is hex as well.
    let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { format!("{}…", &text[..8]) } else { format!("({} bytes)", text.len()) }
}

//! Explains why a signature does not verify: it makes each known mistake and compares.
//!
//! A mistake is reported only if it reproduces the signature that was sent, so no finding is a guess.
//! The comparison takes constant time, because some candidates would verify elsewhere: a signature made with the live
//! key is valid in the live environment.
//! No finding holds a key, a token or a signature.
//!
//! To add a mistake: its variant and its texts in `explain/mistake.rs`, its change of a signing scheme in
//! `explain/candidates.rs`, and a request with the mistake in the server's `tests/it/explain/sig_mistakes.rs`.
//! Read next: `explain/scheme.rs` for the making of a signature, `explain/candidates.rs` for the mistakes.

use std::borrow::Cow;
use std::fmt;

use crate::error::ErrorReply;
use crate::midas::body::Body;
use crate::midas::call::CallPath;
use crate::midas::parameter::Parameter;
use crate::midas::sign::{Dialect, DialectPolicy, text};
use crate::secret::{AccessToken, AppSecret, MidasKey, SessionKey};

mod candidates;
mod mistake;
mod redacted;
mod scheme;
mod search;
#[cfg(test)]
mod work_limit;

pub use mistake::{HashFunction, KeyName, Mistake, NumberForm, OrderForm, PathForm};
pub use redacted::{RedactedParameter, RedactedParameters};
use scheme::SignatureKind;
use search::Search;

/// A received request.
pub struct Evidence<'a> {
    path: CallPath,
    token: &'a AccessToken,
    host: Option<&'a str>,
    body: Body<'a>,
    /// The keys in the order sent, with their raw JSON values.
    raw_fields: Vec<(Cow<'a, str>, &'a str)>,
}

/// The keys of an app that a client may have used, rightly or wrongly.
#[derive(Clone, Copy, Debug)]
pub struct AppKeys<'a> {
    /// Signs live calls.
    pub live: &'a MidasKey,
    /// Signs sandbox calls.
    pub sandbox: &'a MidasKey,
    /// Authenticates requests for access tokens; signs nothing.
    pub app_secret: &'a AppSecret,
    /// The key of the player's session, if there is one.
    pub session: Option<&'a SessionKey>,
    /// The key of the session before it.
    pub previous_session: Option<&'a SessionKey>,
}

/// Result of the search for a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureFinding {
    /// No mistake: the signature verifies in this dialect, which the app accepts.
    Verified(Dialect),
    /// This mistake reproduces the signature.
    Mistake(Mistake),
    /// No known mistake reproduces the signature.
    Unknown,
    /// No mistake was found within the work limit of one request.
    WorkLimitReached,
}

impl<'a> Evidence<'a> {
    /// Reads a request to `path` with `token` in its query. Errors: those of [`Body::parse`].
    pub fn read(path: CallPath, token: &'a AccessToken, bytes: &'a [u8]) -> Result<Self, ErrorReply> {
        Ok(Self { path, token, host: None, body: Body::parse(bytes)?, raw_fields: Body::raw_fields(bytes)? })
    }

    /// The same request, received at `host`, which a client may have signed with the path.
    #[must_use]
    pub fn with_host(self, host: Option<&'a str>) -> Self {
        Self { host, ..self }
    }

    /// The call's path.
    pub const fn path(&self) -> CallPath {
        self.path
    }

    /// The raw text of a parameter; `None` if it is absent or nested.
    pub fn raw_text(&self, parameter: Parameter) -> Option<&str> {
        self.body.get(parameter)?.scalar()
    }

    /// The parameters, redacted.
    pub fn parameters(&self) -> RedactedParameters {
        redacted::redact_body(self.path.kind, &self.body)
    }

    /// The signed text of the expected `sig`, with `***` for the key.
    pub fn sig_text(&self) -> String {
        text::masked_sig_text(self.path, &self.body, Dialect::DOCUMENTED)
    }

    /// The signed text of the expected `mp_sig`, with `***` for secrets and `sig` shortened.
    pub fn mp_sig_text(&self) -> String {
        let sig = redacted::shorten_signature(self.raw_text(Parameter::Sig).unwrap_or_default());
        text::masked_mp_sig_text(self.path, &self.body, Dialect::DOCUMENTED, &sig)
    }

    /// Explains the `sig` that was sent.
    pub fn explain_sig(&self, keys: &AppKeys<'_>, dialects: DialectPolicy) -> SignatureFinding {
        self.explain(SignatureKind::Sig, keys, dialects)
    }

    /// Explains the `mp_sig` that was sent; `Unknown` for a player without a session.
    pub fn explain_mp_sig(&self, keys: &AppKeys<'_>, dialects: DialectPolicy) -> SignatureFinding {
        self.explain(SignatureKind::MpSig, keys, dialects)
    }

    fn explain(&self, kind: SignatureKind, keys: &AppKeys<'_>, dialects: DialectPolicy) -> SignatureFinding {
        let search = self.raw_text(kind.parameter()).and_then(Search::for_signature);
        let decoded = keys.session.map(scheme::decode_session_key);
        let case =
            scheme::SignatureCase { evidence: self, keys, kind, decoded_session_key: decoded.as_ref() };
        match (search, case.key(kind)) {
            (Some(mut search), Some(_)) => candidates::find(&case, dialects, &mut search),
            (None, _) | (_, None) => SignatureFinding::Unknown,
        }
    }
}

impl fmt::Debug for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence").field("path", &self.path).field("body", &self.body).finish_non_exhaustive()
    }
}

impl SignatureFinding {
    /// Machine-readable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Verified(_) => "right",
            Self::Mistake(mistake) => mistake.name(),
            Self::Unknown => "no-known-mistake",
            Self::WorkLimitReached => "not-all-tried",
        }
    }

    /// The correction: a lowercase fragment.
    pub fn fix(&self) -> String {
        match self {
            Self::Verified(_) => "nothing to fix".to_owned(),
            Self::Mistake(mistake) => mistake.fix(),
            Self::Unknown => {
                "compare the text that you sign with the text that the bank signed, and check that the \
                              key is this app's, complete, and without a space or a line end"
                    .to_owned()
            }
            Self::WorkLimitReached => "send a smaller body, without undocumented fields".to_owned(),
        }
    }
}

/// A lowercase fragment that continues "sig error: ".
impl fmt::Display for SignatureFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified(dialect) => write!(f, "it verifies in the dialect {dialect}"),
            Self::Mistake(mistake) => mistake.fmt(f),
            Self::Unknown => f.write_str("no known mistake makes this signature"),
            Self::WorkLimitReached => f.write_str("the body is too large to try every known mistake"),
        }
    }
}

//! Why a signature does not verify: the known mistakes, each found by making it and comparing.
//!
//! A mistake is told only when the signature that it makes is the one that was sent, so no finding is a guess.
//! Comparing is in constant time, for some of what is tried here would verify elsewhere: a signature made with the
//! live key is one that the live environment takes.
//! No finding holds a key, a token or a signature.
//!
//! To add a mistake: its variant and its words in `explain/mistake.rs`, what it does to a recipe in
//! `explain/trials.rs`, and a request that makes it in the server's `tests/it/explain.rs`.
//! Read next: `explain/recipe.rs`, how a signature is made, and `explain/trials.rs`, how it is made wrongly.

use std::borrow::Cow;
use std::fmt;

use crate::body::Body;
use crate::call::CallPath;
use crate::error::ErrorReply;
use crate::parameter::Parameter;
use crate::secret::{AccessToken, AppSecret, MidasKey, SessionKey};
use crate::sign::{Dialect, DialectPolicy, text};

mod candidates;
mod mistake;
mod redacted;
mod scheme;
mod search;

pub use mistake::{HashFunction, Mistake, NumberForm, OrderForm, PathForm};
pub use redacted::{RedactedParameter, RedactedParameters};
use scheme::SignatureKind;
use search::Search;

/// A request as it was received.
pub struct Evidence<'a> {
    path: CallPath,
    token: &'a AccessToken,
    host: Option<&'a str>,
    body: Body<'a>,
    /// The keys in the order in which they were sent, with their values as written.
    raw_fields: Vec<(Cow<'a, str>, &'a str)>,
}

/// The keys of an app that a client may have used, rightly or wrongly.
#[derive(Clone, Copy, Debug)]
pub struct AppKeys<'a> {
    /// What signs live calls.
    pub live: &'a MidasKey,
    /// What signs sandbox calls.
    pub sandbox: &'a MidasKey,
    /// What asks for access tokens, and signs nothing.
    pub app_secret: &'a AppSecret,
    /// The key of the player's login, if there is one.
    pub session: Option<&'a SessionKey>,
    /// The key of the login before it.
    pub previous_session: Option<&'a SessionKey>,
}

/// What became of the search for a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureFinding {
    /// There is none: the signature verifies in this dialect, which the app accepts.
    Verified(Dialect),
    /// This mistake makes the very signature that was sent.
    Mistake(Mistake),
    /// No known mistake makes the signature.
    Unknown,
    /// No mistake was found in as much work as one request may cost.
    WorkLimitReached,
}

impl<'a> Evidence<'a> {
    /// What `bytes`, called at `path` with `token` in the query, hold; refused as [`Body::parse`] refuses.
    pub fn read(path: CallPath, token: &'a AccessToken, bytes: &'a [u8]) -> Result<Self, ErrorReply> {
        Ok(Self { path, token, host: None, body: Body::parse(bytes)?, raw_fields: Body::raw_fields(bytes)? })
    }

    /// The same, called at this host, which a client may have signed with the path.
    #[must_use]
    pub fn with_host(self, host: Option<&'a str>) -> Self {
        Self { host, ..self }
    }

    /// Where it was called.
    pub const fn path(&self) -> CallPath {
        self.path
    }

    /// The text of a parameter as it was sent, if it was sent with one.
    pub fn raw_text(&self, parameter: Parameter) -> Option<&str> {
        self.body.get(parameter)?.scalar()
    }

    /// The parameters, to show to whoever asks.
    pub fn parameters(&self) -> RedactedParameters {
        redacted::redact_body(self.path.kind, &self.body)
    }

    /// The text whose `sig` the server computed, `***` in the place of the key.
    pub fn sig_text(&self) -> String {
        text::masked_sig_text(self.path, &self.body, Dialect::DOCUMENTED)
    }

    /// The text whose `mp_sig` the server computed, with `***` for what is secret and `sig` cut short.
    pub fn mp_sig_text(&self) -> String {
        let sig = redacted::shorten_signature(self.raw_text(Parameter::Sig).unwrap_or_default());
        text::masked_mp_sig_text(self.path, &self.body, Dialect::DOCUMENTED, &sig)
    }

    /// Which mistake makes the `sig` that was sent.
    pub fn explain_sig(&self, keys: &AppKeys<'_>, dialects: DialectPolicy) -> SignatureFinding {
        self.explain(SignatureKind::Sig, keys, dialects)
    }

    /// Which mistake makes the `mp_sig` that was sent; unknown for a player without a session.
    pub fn explain_mp_sig(&self, keys: &AppKeys<'_>, dialects: DialectPolicy) -> SignatureFinding {
        self.explain(SignatureKind::MpSig, keys, dialects)
    }

    fn explain(&self, proof: SignatureKind, keys: &AppKeys<'_>, dialects: DialectPolicy) -> SignatureFinding {
        let search = self.raw_text(proof.parameter()).and_then(Search::for_signature);
        let decoded = keys.session.map(scheme::decode_session_key);
        let case = scheme::SignatureCase {
            evidence: self,
            keys,
            kind: proof,
            decoded_session_key: decoded.as_ref(),
        };
        match (search, case.key(proof)) {
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
    /// A name for programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Verified(_) => "right",
            Self::Mistake(mistake) => mistake.name(),
            Self::Unknown => "no-known-mistake",
            Self::WorkLimitReached => "not-all-tried",
        }
    }

    /// What would be right.
    pub fn fix(&self) -> String {
        match self {
            Self::Verified(_) => "nothing is to be mended".to_owned(),
            Self::Mistake(mistake) => mistake.fix(),
            Self::Unknown => {
                "compare the text that you sign with the one that the bank signed, and check that the \
                              key is this app's, whole, and without a space or a line end"
                    .to_owned()
            }
            Self::WorkLimitReached => "send a smaller body, without fields that no table names".to_owned(),
        }
    }
}

/// A lowercase fragment that reads on from "sig error: ".
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

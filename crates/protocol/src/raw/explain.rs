//! Explains why a signature over a raw body does not verify: it makes each known mistake and compares.
//!
//! A mistake is reported only if it reproduces the signature that was sent, so no finding is a guess. The comparison
//! takes constant time, because some candidates would verify elsewhere.
//! No finding holds a key, a token, a signature or the body; [`RawEvidence::signed_text`] shows length and digest of it.
//!
//! To add a mistake: its variant and texts in `raw/explain/mistake.rs`, its candidate in `raw/explain/candidates.rs`, and
//! a case in `tests/it/raw_explain.rs`.

use std::fmt;

use pactolus_types::Environment;
use sha2::{Digest as _, Sha256};

use super::member::Member;
use super::object::RawObject;
use super::path::RawPath;
use crate::midas::explain::{AppKeys, RedactedParameter, RedactedParameters};
use crate::midas::sign::DialectPolicy;
use crate::query::Query;
use crate::secret::AccessToken;

mod candidates;
mod mistake;
mod search;
mod spelling;

pub use mistake::{BodyForm, RawKey, RawMistake, UriForm};
use search::RawSearch;

/// A received request.
#[derive(Clone, Copy)]
pub struct RawEvidence<'a> {
    /// The call.
    pub path: RawPath,
    /// The environment that the body names.
    pub environment: Environment,
    /// The token of the query.
    pub token: &'a AccessToken,
    /// The query.
    pub query: Query<'a>,
    /// The host that the request was sent to, which a client may have signed.
    pub host: Option<&'a str>,
    /// The body as received.
    pub body: &'a [u8],
}

/// A signature of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawProof {
    /// `pay_sig`.
    PaySig,
    /// `signature`.
    Signature,
}

impl RawProof {
    const fn name(self) -> &'static str {
        match self {
            Self::PaySig => "pay_sig",
            Self::Signature => "signature",
        }
    }
}

/// Result of the search for a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawFinding {
    /// No mistake: the signature verifies.
    Verified,
    /// This mistake reproduces the signature.
    Mistake(RawMistake),
    /// No known mistake reproduces the signature.
    Unknown,
    /// No mistake was found within the work limit of one request.
    WorkLimitReached,
}

impl RawEvidence<'_> {
    /// Explains a signature of the query; `Unknown` if it was not sent, or its key is not known.
    pub fn explain(&self, proof: RawProof, keys: &AppKeys<'_>, dialects: DialectPolicy) -> RawFinding {
        let sent = self.query.get(proof.name());
        match sent.as_deref().and_then(RawSearch::for_signature) {
            Some(mut search) => candidates::find(self, proof, keys, dialects, &mut search),
            None => RawFinding::Unknown,
        }
    }

    /// What the expected signature covers: the path, and of the body its length and SHA-256.
    pub fn signed_text(&self, proof: RawProof) -> String {
        let uri = match proof {
            RawProof::PaySig => self.path.as_str(),
            RawProof::Signature => "",
        };
        let joint = if uri.is_empty() { "" } else { "&" };
        format!("{uri}{joint}(body of {} bytes, SHA-256 {:x})", self.body.len(), HexDigest(self.body))
    }

    /// The members of the body, redacted: documented ones with their values, all others by name only.
    pub fn parameters(&self) -> Option<RedactedParameters> {
        let object = RawObject::parse(self.path.wire(), self.body).ok()?;
        let documented = Member::ALL.iter().filter_map(|member| {
            let value = object.value(*member)?;
            Some(RedactedParameter {
                name: member.name().to_owned(),
                form: value.describe().to_owned(),
                value: value.scalar().map(str::to_owned),
                is_documented: true,
            })
        });
        let others = object.others().map(|name| RedactedParameter {
            name: name.to_owned(),
            form: "a value".to_owned(),
            value: None,
            is_documented: false,
        });
        let count = object.others().count() + documented.clone().count();
        let mut parameters: Vec<_> = documented.chain(others).take(PARAMETERS_MAX).collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        Some(RedactedParameters { omitted: count - parameters.len(), parameters })
    }
}

/// Maximum number of members shown.
const PARAMETERS_MAX: usize = 32;

struct HexDigest<'a>(&'a [u8]);

impl fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sha256::digest(self.0).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RawEvidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawEvidence").field("path", &self.path).finish_non_exhaustive()
    }
}

impl RawFinding {
    /// Machine-readable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Verified => "right",
            Self::Mistake(mistake) => mistake.name(),
            Self::Unknown => "no-known-mistake",
            Self::WorkLimitReached => "not-all-tried",
        }
    }

    /// The correction: a lowercase fragment.
    pub fn fix(&self) -> String {
        match self {
            Self::Verified => "nothing to fix".to_owned(),
            Self::Mistake(mistake) => mistake.fix().to_owned(),
            Self::Unknown => "sign the very bytes that are sent, compare their length and SHA-256 with those that the \
                              bank received, and check that the key is this app's, complete, and without a line end"
                .to_owned(),
            Self::WorkLimitReached => "send a smaller body".to_owned(),
        }
    }
}

/// A lowercase fragment.
impl fmt::Display for RawFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("it verifies"),
            Self::Mistake(mistake) => mistake.fmt(f),
            Self::Unknown => f.write_str("no known mistake makes this signature"),
            Self::WorkLimitReached => f.write_str("the body is too large to try every known mistake"),
        }
    }
}

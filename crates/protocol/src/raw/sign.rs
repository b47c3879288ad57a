//! Signatures over the raw bytes of a body.
//!
//! ```text
//! pay_sig   = hex( HMAC-SHA256( app's key of the environment, path "&" body ) )
//! signature = hex( HMAC-SHA256( session key as text,          body ) )
//! ```
//!
//! Both travel in the query. Nothing is sorted, decoded or serialised again.

use std::borrow::Cow;

use super::path::{RawCallKind, RawPath, RawWire};
use super::reason::Reason;
use crate::error::ErrorReply;
use crate::midas::sign::DialectPolicy;
use crate::query::Query;
use crate::secret::{MidasKey, SessionKey};
use crate::signature::Signature;

/// The `pay_sig` of a body sent to `uri`, which proves the app.
pub fn pay_sig(uri: &str, body: &[u8], key: &MidasKey) -> Signature {
    Signature::compute(key.mac(), [uri.as_bytes(), b"&", body])
}

/// The `signature` of a body, which proves the player's session.
pub fn signature(body: &[u8], key: &SessionKey) -> Signature {
    Signature::compute(key.mac(), [body])
}

/// An app's setting for the signature of a gift that the vendor's pages contradict each other about: the player's on
/// `/wxa/game/present`, the app's on `/xpay/present_currency`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PresentSignature {
    /// It must be sent and verify.
    #[default]
    Required,
    /// It must verify if sent.
    IfPresent,
    /// It is not looked at. On `/xpay/present_currency` the holder of an access token can then give coins.
    Off,
}

/// The only method of signing.
const SIG_METHOD: &str = "hmac_sha256";

/// The signatures of a request that are to be verified.
pub struct RawProofs<'q> {
    path: RawPath,
    pay_sig: Option<Cow<'q, str>>,
    signature: Option<Cow<'q, str>>,
}

/// Whether a call needs a signature.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignatureRule {
    Always,
    By(PresentSignature),
    Never,
}

impl<'q> RawProofs<'q> {
    /// Reads the signatures of a query. Error: the wire's error of a parameter, for a `sig_method` that is missing or
    /// wrong on `/wxa/game/*`, and for a missing signature.
    pub fn from_query(
        path: RawPath,
        query: Query<'q>,
        present: PresentSignature,
    ) -> Result<Self, ErrorReply> {
        if path.wire() == RawWire::Game && query.get("sig_method").as_deref() != Some(SIG_METHOD) {
            return Err(Reason::Query.refuse(path.wire(), format_args!("sig_method must be {SIG_METHOD}")));
        }
        let (pay_sig, signature) = needs(path, present);
        Ok(Self {
            path,
            pay_sig: read(path, query, "pay_sig", pay_sig)?,
            signature: read(path, query, "signature", signature)?,
        })
    }

    /// Whether there is a player's signature to verify, which needs the session.
    pub const fn needs_session(&self) -> bool {
        self.signature.is_some()
    }

    /// Verifies the app's signature of `body`.
    pub fn verify_pay_sig(
        &self,
        body: &[u8],
        key: &MidasKey,
        dialects: DialectPolicy,
    ) -> Result<(), ErrorReply> {
        let Some(sent) = &self.pay_sig else { return Ok(()) };
        let expected = pay_sig(self.path.as_str(), body, key);
        self.verify(Reason::PaySig, sent, &expected, dialects)
    }

    /// Verifies the player's signature of `body`.
    pub fn verify_signature(
        &self,
        body: &[u8],
        key: &SessionKey,
        dialects: DialectPolicy,
    ) -> Result<(), ErrorReply> {
        let Some(sent) = &self.signature else { return Ok(()) };
        self.verify(Reason::Signature, sent, &signature(body, key), dialects)
    }

    fn verify(
        &self,
        reason: Reason,
        sent: &str,
        expected: &Signature,
        dialects: DialectPolicy,
    ) -> Result<(), ErrorReply> {
        let refuse = |detail: &str| Err(reason.refuse(self.path.wire(), detail));
        let name = if reason == Reason::PaySig { "pay_sig" } else { "signature" };
        match Signature::parse(sent) {
            None => refuse(&format!("{name} must be 64 hex digits")),
            Some(_) if dialects == DialectPolicy::Strict && has_capitals(sent) => {
                refuse(&format!("{name} must be lowercase hex"))
            }
            Some(sent) if sent.matches(expected) => Ok(()),
            Some(_) => refuse(&format!("{name} does not verify")),
        }
    }
}

/// The need of `pay_sig` and of `signature`.
const fn needs(path: RawPath, present: PresentSignature) -> (SignatureRule, SignatureRule) {
    match (path.wire(), path.kind()) {
        (RawWire::Game, RawCallKind::Present) => (SignatureRule::Always, SignatureRule::By(present)),
        (RawWire::Xpay, RawCallKind::Present) => (SignatureRule::By(present), SignatureRule::Never),
        (
            RawWire::Game | RawWire::Xpay,
            RawCallKind::Balance | RawCallKind::Pay | RawCallKind::Refund | RawCallKind::TopUp,
        ) => (SignatureRule::Always, SignatureRule::Always),
    }
}

fn read<'q>(
    path: RawPath,
    query: Query<'q>,
    name: &'static str,
    need: SignatureRule,
) -> Result<Option<Cow<'q, str>>, ErrorReply> {
    let sent = query.get(name);
    match need {
        SignatureRule::Never | SignatureRule::By(PresentSignature::Off) => Ok(None),
        SignatureRule::By(PresentSignature::IfPresent) => Ok(sent),
        SignatureRule::Always | SignatureRule::By(PresentSignature::Required) => match sent {
            Some(sent) => Ok(Some(sent)),
            None => Err(Reason::Query.refuse(path.wire(), format_args!("{name} is missing from the query"))),
        },
    }
}

pub(super) fn has_capitals(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
}

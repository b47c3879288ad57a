//! Signatures: signing, and verification over the raw values that were sent.
//!
//! `sig` proves the app (Midas key), `mp_sig` the player's session (session key).
//! Both sign a text: the parameters sorted by name, the path, the method, and at the end the key itself.
//! The key goes into the HMAC separately and is never part of a [`SignedText`], so a text can be shown.
//! Read next: [`dialect`] and [`text`], which fields a text holds, and why it always covers the order's.
//! Contract: `docs/protocol/midas.md`, "Signatures".

use std::fmt;

use pactolus_types::Environment;

use crate::error::{ErrorCode, ErrorReply};
use crate::midas::body::Body;
use crate::midas::call::reader::ParameterReader;
use crate::midas::call::{Call, CallPath};
use crate::midas::parameter::Parameter;
use crate::secret::{AccessToken, MidasKey, SessionKey};
use crate::signature::Signature;

pub mod dialect;
pub mod text;

pub use dialect::{Dialect, DialectPolicy, Encoding, Selection};
use text::SignedText;

/// The `sig` of a body sent to `path`.
pub fn sig(path: CallPath, body: &Body<'_>, dialect: Dialect, key: &MidasKey) -> Signature {
    let text = text::sig_text(path, body, dialect);
    Signature::compute(key.mac(), [text.as_str().as_bytes(), key.expose().as_bytes()])
}

/// The `mp_sig` of a body sent to `path`, with `token` in the query and `sig` in the body.
pub fn mp_sig(
    path: CallPath,
    body: &Body<'_>,
    dialect: Dialect,
    sig: &str,
    token: &AccessToken,
    key: &SessionKey,
) -> Signature {
    let text = text::mp_sig_text(path, body, dialect, sig, token.expose());
    Signature::compute(key.mac(), [text.as_str().as_bytes(), key.expose().as_bytes()])
}

/// An app's setting for `mp_sig`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MpSig {
    /// It must be present and verify, as the vendor's page for midasPresent says.
    #[default]
    Required,
    /// It must verify if present; the vendor's newest pages drop it.
    IfPresent,
    /// It is ignored.
    Off,
}

/// A received call with valid parameters and unverified signatures.
///
/// Invariant: every required parameter is in the body, so no signed text lacks one.
pub struct UnverifiedCall<'b, C> {
    call: C,
    path: CallPath,
    body: &'b Body<'b>,
    sig: &'b str,
    mp_sig: Option<&'b str>,
}

impl<'b, C: Call> UnverifiedCall<'b, C> {
    /// Reads the call from `body`. Error: 90018, naming the first parameter that is missing or wrong.
    pub fn read(environment: Environment, body: &'b Body<'b>, mp_sig: MpSig) -> Result<Self, ErrorReply> {
        let call = C::from_body(body)?;
        let sent = |parameter| ParameterReader::new(body).raw_text(parameter);
        // An empty signature is wrong, not missing: its own verification reports it.
        let missing = |parameter| ParameterReader::new(body).missing(parameter);
        let sig = sent(Parameter::Sig)?.ok_or_else(|| missing(Parameter::Sig))?;
        let mp_sig = match mp_sig {
            MpSig::Required => Some(sent(Parameter::MpSig)?.ok_or_else(missing_mp_sig)?),
            MpSig::IfPresent => sent(Parameter::MpSig)?,
            MpSig::Off => None,
        };
        Ok(Self { call, path: C::path(environment), body, sig, mp_sig })
    }

    /// Whether there is an `mp_sig` to verify, which needs the player's session.
    pub const fn needs_session(&self) -> bool {
        self.mp_sig.is_some()
    }

    /// The call, verified or not.
    pub fn call(&self) -> &C {
        &self.call
    }

    /// The call. Verify its signatures first.
    pub fn into_call(self) -> C {
        self.call
    }

    /// Verifies `sig`, and returns its dialect. Error: 90011.
    pub fn verify_sig(&self, key: &MidasKey, dialects: DialectPolicy) -> Result<Dialect, ErrorReply> {
        let write = |dialect, text: &mut SignedText| text.write_sig(self.path, self.body, dialect);
        first_matching_dialect(self.sig, self.dialects(dialects), write, |text| {
            Signature::compute(key.mac(), [text.as_bytes(), key.expose().as_bytes()])
        })
        .map_err(|error| error.to_error_reply(ErrorCode::SigError))
    }

    /// Verifies `mp_sig`, and returns its dialect; `None` if it is not to be verified. Error: 90009.
    ///
    /// It covers the access token of the query; one in the body is ignored.
    pub fn verify_mp_sig(
        &self,
        key: &SessionKey,
        token: &AccessToken,
        dialects: DialectPolicy,
    ) -> Result<Option<Dialect>, ErrorReply> {
        let Some(mp_sig) = self.mp_sig else {
            return Ok(None);
        };
        let write = |dialect, text: &mut SignedText| {
            text.write_mp_sig(self.path, self.body, dialect, self.sig, token.expose());
        };
        first_matching_dialect(mp_sig, self.dialects(dialects), write, |text| {
            Signature::compute(key.mac(), [text.as_bytes(), key.expose().as_bytes()])
        })
        .map(Some)
        .map_err(|error| error.to_error_reply(ErrorCode::MpSigError))
    }

    /// The accepted dialects, without those whose text could stand for another body too.
    fn dialects(&self, dialects: DialectPolicy) -> impl Iterator<Item = Dialect> {
        dialects.accepted().filter(|dialect| text::reads_in_one_way(self.body, C::KIND, *dialect))
    }
}

impl<C: fmt::Debug> fmt::Debug for UnverifiedCall<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedCall").field("call", &self.call).finish_non_exhaustive()
    }
}

/// 90018 for a call without the player's signature, where the app requires it.
fn missing_mp_sig() -> ErrorReply {
    ErrorReply::invalid_parameter(
        Parameter::MpSig,
        "is missing; sign the call with the player's session key too, or set mp_sig = \"if-present\" for the app",
    )
}

enum SignatureError {
    NotHex,
    Mismatch,
}

impl SignatureError {
    fn to_error_reply(&self, code: ErrorCode) -> ErrorReply {
        match self {
            Self::NotHex => ErrorReply::with_detail(code, "it must be 64 hex digits"),
            Self::Mismatch => ErrorReply::new(code),
        }
    }
}

/// The first accepted dialect that reproduces the signature `expected`.
///
/// The usual request costs one text and one HMAC. The worst case is bounded. Of the 24 dialects, 16 sign only
/// documented parameters (at most 3 KiB, 9 KiB form-encoded) and 8 the whole body (16 KiB, 48 KiB form-encoded). The
/// total is below 600 KiB hashed. A text that was tried before is not hashed again.
fn first_matching_dialect(
    expected: &str,
    dialects: impl Iterator<Item = Dialect>,
    write: impl Fn(Dialect, &mut SignedText),
    sign: impl Fn(&str) -> Signature,
) -> Result<Dialect, SignatureError> {
    let sent = Signature::parse(expected).ok_or(SignatureError::NotHex)?;
    let mut tried: Vec<SignedText> = Vec::new();
    let mut text = SignedText::preallocated();
    for dialect in dialects {
        write(dialect, &mut text);
        if tried.contains(&text) {
            continue;
        }
        if sign(text.as_str()).matches(&sent) {
            return Ok(dialect);
        }
        tried.push(text.clone());
    }
    Err(SignatureError::Mismatch)
}

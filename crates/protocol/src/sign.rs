//! Signatures: making them, and verifying them over what was sent.
//!
//! `sig` proves the app (its Midas key), `mp_sig` the player's login (the session key).
//! Both sign a text: the parameters sorted by name, the path, the method, and the key itself at the end.
//! The key is fed to the HMAC on its own and is never written into a text, so a text can be shown.
//! Which fields a text holds, and why it can never lack the order's: [`dialect`] and [`text`].
//! The contract in prose: `docs/protocol.md`, "Signatures".

use std::fmt;

use hmac::Mac as _;
use pactolus_types::Environment;
use subtle::ConstantTimeEq;

use crate::body::Body;
use crate::call::reader::ParameterReader;
use crate::call::{Call, CallPath};
use crate::error::{ErrorCode, ErrorReply};
use crate::parameter::Parameter;
use crate::secret::{AccessToken, HmacSha256, MidasKey, SessionKey};

pub mod dialect;
pub mod text;

pub use dialect::{Dialect, DialectPolicy, Encoding, Selection};
use text::SignedText;

/// An HMAC-SHA256, written as 64 lowercase hex digits.
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    pub(crate) fn compute(mut mac: HmacSha256, text: &str, key: &str) -> Self {
        mac.update(text.as_bytes());
        mac.update(key.as_bytes());
        Self(mac.finalize().into_bytes().into())
    }

    /// The signature that 64 hex digits of either case write.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
        // All are read before any is found wrong, without a branch or a table: that many at once are quick.
        let values = digits.map(hex_value);
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(values.as_chunks().0) {
            *byte = high << 4 | low & 0xf;
        }
        let all = values.iter().fold(0, |all, value| all | value);
        (all <= 0xf).then_some(Self(bytes))
    }

    /// In constant time, by halves: a byte at a time takes a tenth of a whole verification.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let (high, low) = self.halves();
        let (other_high, other_low) = other.halves();
        (high.ct_eq(&other_high) & low.ct_eq(&other_low)).into()
    }

    fn halves(&self) -> (u128, u128) {
        let half =
            |start| u128::from_be_bytes(*self.0[start..].first_chunk().expect("16 of 32 bytes are left"));
        (half(0), half(16))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Redacted, because a log with the right signature of a refused request would be a way to forge it.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// What a byte is as a hex digit; more than 15 if it is none.
const fn hex_value(byte: u8) -> u8 {
    let (digit, letter) = (byte.wrapping_sub(b'0'), (byte | 0x20).wrapping_sub(b'a'));
    let value = if letter < 6 { letter + 10 } else { 0xff };
    if digit < 10 { digit } else { value }
}

/// The `sig` of a body called at `path`.
pub fn sig(path: CallPath, body: &Body<'_>, dialect: Dialect, key: &MidasKey) -> Signature {
    let text = text::sig_text(path, body, dialect);
    Signature::compute(key.mac(), text.as_str(), key.expose())
}

/// The `mp_sig` of a body called at `path` with `token` in the query and `sig` in the body.
pub fn mp_sig(
    path: CallPath,
    body: &Body<'_>,
    dialect: Dialect,
    sig: &str,
    token: &AccessToken,
    key: &SessionKey,
) -> Signature {
    let text = text::mp_sig_text(path, body, dialect, sig, token.expose());
    Signature::compute(key.mac(), text.as_str(), key.expose())
}

/// What an app wants of `mp_sig`: its setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MpSig {
    /// It must be there and verify, as the vendor's page for midasPresent says.
    #[default]
    Required,
    /// It must verify if it is there; the vendor's newest pages drop it.
    IfPresent,
    /// It is not looked at.
    Off,
}

/// A call that came in: its parameters are right, its signatures still to be verified.
///
/// That there is one means that every needed parameter was in the body, so no text of it lacks one.
pub struct UnverifiedCall<'b, C> {
    call: C,
    path: CallPath,
    body: &'b Body<'b>,
    sig: &'b str,
    mp_sig: Option<&'b str>,
}

impl<'b, C: Call> UnverifiedCall<'b, C> {
    /// The call that `body` holds: 90018, naming the parameter, if one is missing or wrong.
    pub fn read(environment: Environment, body: &'b Body<'b>, mp_sig: MpSig) -> Result<Self, ErrorReply> {
        let call = C::from_body(body)?;
        let sent = |parameter| ParameterReader::new(body).raw_text(parameter);
        // An empty signature is not a missing one but a wrong one, so it is told at its own check.
        let missing = |parameter| ErrorReply::invalid_parameter(parameter, "is missing");
        let sig = sent(Parameter::Sig)?.ok_or_else(|| missing(Parameter::Sig))?;
        let mp_sig = match mp_sig {
            MpSig::Required => Some(sent(Parameter::MpSig)?.ok_or_else(|| missing(Parameter::MpSig))?),
            MpSig::IfPresent => sent(Parameter::MpSig)?,
            MpSig::Off => None,
        };
        Ok(Self { call, path: C::path(environment), body, sig, mp_sig })
    }

    /// Whether there is an `mp_sig` to verify, which takes the player's session.
    pub const fn needs_session(&self) -> bool {
        self.mp_sig.is_some()
    }

    /// What the call says, signed or not.
    pub fn call(&self) -> &C {
        &self.call
    }

    /// What the call says, for whoever has verified it.
    pub fn into_call(self) -> C {
        self.call
    }

    /// The dialect in which `sig` verifies, or 90011.
    pub fn verify_sig(&self, key: &MidasKey, dialects: DialectPolicy) -> Result<Dialect, ErrorReply> {
        let write = |dialect, text: &mut SignedText| text.write_sig(self.path, self.body, dialect);
        first_matching_dialect(self.sig, dialects, write, |text| {
            Signature::compute(key.mac(), text, key.expose())
        })
        .map_err(|error| error.to_error_reply(ErrorCode::SigError))
    }

    /// The dialect in which `mp_sig` verifies, nothing if it is not to be verified, or 90009.
    ///
    /// It covers the access token of the query; one in the body counts for nothing.
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
        first_matching_dialect(mp_sig, dialects, write, |text| {
            Signature::compute(key.mac(), text, key.expose())
        })
        .map(Some)
        .map_err(|error| error.to_error_reply(ErrorCode::MpSigError))
    }
}

impl<C: fmt::Debug> fmt::Debug for UnverifiedCall<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("call", &self.call).finish_non_exhaustive()
    }
}

/// Why a signature is refused.
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

/// The first accepted dialect whose text carries the signature `sent`.
///
/// The usual request costs one text and one HMAC. The work at worst is bounded: 24 dialects, of which 16 sign
/// only documented parameters (3 KiB at most, 9 KiB form-encoded) and 8 the whole body (16 KiB, 48 KiB
/// form-encoded), in all less than 600 KiB hashed; texts that were tried before are not hashed again.
fn first_matching_dialect(
    expected: &str,
    dialects: DialectPolicy,
    write: impl Fn(Dialect, &mut SignedText),
    sign: impl Fn(&str) -> Signature,
) -> Result<Dialect, SignatureError> {
    let sent = Signature::parse(expected).ok_or(SignatureError::NotHex)?;
    let mut tried: Vec<SignedText> = Vec::new();
    let mut text = SignedText::preallocated();
    for dialect in dialects.accepted() {
        write(dialect, &mut text);
        if tried.contains(&text) {
            continue;
        }
        if sign(text.as_str()).matches(&sent) {
            return Ok(dialect);
        }
        if dialects == DialectPolicy::Lenient {
            tried.push(text.clone());
        }
    }
    Err(SignatureError::Mismatch)
}

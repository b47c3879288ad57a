//! The known mistakes with a signature over a raw body, with a text for each: the mistake and its correction.
//!
//! No text holds a value of the request or a secret.

use std::fmt;

use pactolus_types::Environment;

use crate::midas::explain::HashFunction;
use crate::wire::WirePath;

/// A client's mistake that reproduces the signature it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawMistake {
    /// Keyed with another key.
    Key(RawKey),
    /// The key has a line end or a space after it, as a file often has.
    KeyWithLineEnd,
    /// The path is signed in a wrong form.
    Uri(UriForm),
    /// Another of the bank's paths is signed.
    OtherPath(WirePath),
    /// `signature` covers the path too.
    UriInSignature,
    /// Each signature is sent under the other's name.
    SignaturesSwapped,
    /// The body is signed in another spelling than it is sent in.
    Body(BodyForm),
    /// Signed as on the first wire: sorted fields, path, method and key.
    FirstWire,
    /// A hash function other than HMAC-SHA256.
    Function(HashFunction),
    /// Uppercase hex, which a strict app refuses.
    Uppercase,
    /// The signature is written in base64.
    Base64,
}

/// A key other than the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawKey {
    /// The app's key of this environment.
    Midas(Environment),
    /// The app's secret.
    AppSecret,
    /// The key of the player's session.
    Session,
    /// The key of the session before it.
    PreviousSession,
    /// The session key decoded from base64.
    DecodedSession,
}

/// A wrong form of the signed path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriForm {
    /// It is not signed.
    Missing,
    /// Without the slash at its start.
    NoLeadingSlash,
    /// With a slash at its end.
    TrailingSlash,
    /// With the host before it.
    WithHost,
    /// With the query after it.
    WithQuery,
    /// With the method beside it.
    WithMethod,
    /// Joined to the body without `&`.
    NoAmpersand,
}

/// How the signed body differs from the one sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// In the spaces between its tokens.
    Spaces,
    /// In the order of its members.
    Order,
    /// In the escapes of its strings.
    Escapes,
    /// The line end at its end is not signed.
    LineEndNotSigned,
    /// It is signed with a line end that is not sent.
    LineEndNotSent,
}

impl RawMistake {
    /// Machine-readable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Key(RawKey::Midas(_)) => "wrong-app-key",
            Self::Key(RawKey::AppSecret) => "app-secret-as-key",
            Self::Key(RawKey::Session) => "session-key-as-app-key",
            Self::Key(RawKey::PreviousSession) => "old-session-key",
            Self::Key(RawKey::DecodedSession) => "session-key-decoded",
            Self::KeyWithLineEnd => "line-end-in-key",
            Self::Uri(_) => "uri-form",
            Self::OtherPath(_) => "other-path",
            Self::UriInSignature => "uri-in-signature",
            Self::SignaturesSwapped => "signatures-swapped",
            Self::Body(_) => "body-respelled",
            Self::FirstWire => "signed-as-midas",
            Self::Function(_) => "hash-function",
            Self::Uppercase => "uppercase-hex",
            Self::Base64 => "base64",
        }
    }

    /// The correction: a lowercase fragment.
    pub const fn fix(&self) -> &'static str {
        match self {
            Self::Key(RawKey::Midas(_)) => {
                "sign pay_sig with the app's key of the environment that env names, and signature with the session key"
            }
            Self::Key(RawKey::AppSecret | RawKey::Session) => {
                "sign pay_sig with the app's key, and signature with the player's session key"
            }
            Self::Key(RawKey::PreviousSession) => "use the session key of the newest login",
            Self::Key(RawKey::DecodedSession) => "use the session key as text, as the login returned it",
            Self::KeyWithLineEnd => "remove the line end or the space after the key",
            Self::Uri(UriForm::NoAmpersand) => "join path and body with &",
            Self::Uri(_) | Self::OtherPath(_) => {
                "sign the path of the call alone, from its first slash, without host, query, method and a slash at its end"
            }
            Self::UriInSignature => "sign the body alone; only pay_sig covers the path",
            Self::SignaturesSwapped => "send each signature under its own name",
            Self::Body(_) => "serialise the body once, sign those bytes, and send those bytes",
            Self::FirstWire => {
                "sign path, & and the body as sent, with the app's key; nothing is sorted here"
            }
            Self::Function(_) => "use HMAC-SHA256, keyed with the key",
            Self::Uppercase => "write the signature in lowercase hex",
            Self::Base64 => "write the signature as 64 lowercase hex digits",
        }
    }
}

/// The mistake: a lowercase fragment.
impl fmt::Display for RawMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self {
            Self::Key(key) => return write!(f, "signed with {key}"),
            Self::KeyWithLineEnd => "signed with a line end or a space after the key",
            Self::Uri(form) => return form.fmt(f),
            Self::OtherPath(path) => return write!(f, "signed for another path, {path}"),
            Self::UriInSignature => "signed with the path before the body",
            Self::SignaturesSwapped => "pay_sig and signature stand in each other's place",
            Self::Body(form) => return form.fmt(f),
            Self::FirstWire => "signed as a call of /cgi-bin/midas, over the sorted fields",
            Self::Function(function) => return write!(f, "signed with {function}"),
            Self::Uppercase => "written in uppercase hex, and this app accepts lowercase hex only",
            Self::Base64 => "written in base64",
        };
        f.write_str(message)
    }
}

impl fmt::Display for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Midas(environment) => write!(f, "the app's {environment} key"),
            Self::AppSecret => f.write_str("the app's secret"),
            Self::Session => f.write_str("the player's session key"),
            Self::PreviousSession => f.write_str("the session key of an earlier login"),
            Self::DecodedSession => f.write_str("the session key decoded from base64"),
        }
    }
}

impl fmt::Display for UriForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "signed without the path",
            Self::NoLeadingSlash => "signed without the first slash of the path",
            Self::TrailingSlash => "signed with a slash at the end of the path",
            Self::WithHost => "signed with the host before the path",
            Self::WithQuery => "signed with the query after the path",
            Self::WithMethod => "signed with the method beside the path",
            Self::NoAmpersand => "signed without & between path and body",
        })
    }
}

impl fmt::Display for BodyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spaces => "the signed body has other spaces than the body sent",
            Self::Order => "the signed body has its members in another order than the body sent",
            Self::Escapes => "the signed body has other escapes than the body sent",
            Self::LineEndNotSigned => "the body was sent with a line end that was not signed",
            Self::LineEndNotSent => "the body was signed with a line end that was not sent",
        })
    }
}

//! The known mistakes, with a text for each: the mistake and its correction.
//!
//! No text holds a value of the request or a secret.

use std::fmt;

use pactolus_types::Environment;

use crate::midas::call::CallPath;
use crate::midas::parameter::Parameter;
use crate::midas::sign::Dialect;

/// A client's mistake that reproduces the signature it sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Signed with the key of this environment, and sent to the other.
    OtherEnvironmentsKey(Environment),
    /// Signed for this environment, key and path, and sent to the other.
    OtherEnvironment(Environment),
    /// Another of the bank's paths is signed.
    OtherPath(CallPath),
    /// The path is signed in a wrong form.
    Path(PathForm),
    /// A method other than POST is signed, or none.
    Method,
    /// `sig` is signed with the app's secret.
    AppSecretAsKey,
    /// `sig` is signed with the player's session key.
    SessionKeySignsSig,
    /// `mp_sig` is signed with the Midas key.
    MidasKeySignsMpSig,
    /// Each signature is sent under the other's name.
    SignaturesSwapped,
    /// `mp_sig` is signed with the key of the player's previous session.
    OldSessionKey,
    /// The session key was decoded from base64.
    SessionKeyDecoded,
    /// The HMAC is keyed with one of the app's keys, and the text ends with another.
    KeysMixed {
        /// The key of the HMAC.
        hmac: KeyName,
        /// The key at the end of the text.
        text: KeyName,
    },
    /// The key has a line end or a space after it, as a file often has.
    KeyWithLineEnd,
    /// The signed text does not end with the key.
    KeyNotInText,
    /// The signed text ends with the key under a wrong name.
    KeyName,
    /// The signature covers a token or signature that it must not cover.
    ProofSigned(Parameter),
    /// The signature covers this signature of an earlier request.
    EarlierProofSigned(Parameter),
    /// `mp_sig` covers the `access_token` of the body, not of the query.
    BodysAccessToken,
    /// `mp_sig` covers `sig` in the other case of hex digits.
    SigInOtherCase,
    /// The parameters are not sorted by name.
    Order(OrderForm),
    /// These were sent but not signed.
    NotSigned(Vec<Parameter>),
    /// These were signed as empty but not sent.
    NotSent(Vec<Parameter>),
    /// These integers are signed in another form than sent.
    Number {
        /// The integers.
        parameters: Vec<Parameter>,
        /// The form that is signed.
        form: NumberForm,
    },
    /// The signed `ts` is some seconds from the one sent, or in another unit.
    TsDiffers,
    /// These parameters are signed under names in another letter case.
    NameCase(Vec<Parameter>),
    /// Texts are signed with their JSON quotes.
    Quoted,
    /// Texts are signed with their JSON escapes.
    EscapesSigned,
    /// The app is strict, and the signature uses another dialect than the documented one.
    Dialect(Dialect),
    /// The dialect signs undocumented fields, and the pair of one could stand for other parameters.
    AmbiguousField,
    /// Values are signed percent-encoded, a space as `%20`.
    PercentEncoded,
    /// A hash function other than HMAC-SHA256.
    Function(HashFunction),
    /// The signed text ends with a line end.
    LineEnd,
    /// The signature is written in base64.
    Base64,
}

/// A key of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyName {
    /// The Midas key of an environment.
    Midas(Environment),
    /// The app's secret.
    AppSecret,
    /// The key of the player's session.
    Session,
    /// The key of the session before it.
    PreviousSession,
}

/// A wrong form of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathForm {
    /// It is not signed.
    Missing,
    /// With the host before it.
    WithHost,
    /// With the query after it.
    WithQuery,
    /// With the host before it and the query after it.
    WithHostAndQuery,
    /// Without the leading slash, or with a trailing one.
    Slash,
    /// With percent-encoded slashes.
    Encoded,
}

/// A wrong order of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderForm {
    /// The order of the body.
    AsSent,
    /// The order of the documentation.
    AsDocumented,
    /// Sorted in descending order.
    Descending,
    /// Sorted with `_` after the letters.
    UnderscoreLast,
    /// Sorted, but with `sig` and `access_token` before or after the others.
    ProofsApart,
    /// Path, method and key are sorted in.
    SuffixSorted,
    /// Path and method are sorted in, and the key follows.
    PathSorted,
}

/// A wrong form of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberForm {
    /// With a fraction of this many zeros.
    Fraction(usize),
    /// With an exponent.
    Exponent,
    /// As a double: large numbers with an exponent, others with a fraction.
    FractionOrExponent,
    /// In quotes.
    Quoted,
}

/// The function that makes a signature of a text and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashFunction {
    /// HMAC-SHA256, the right one.
    HmacSha256,
    /// HMAC-SHA1.
    HmacSha1,
    /// HMAC-MD5.
    HmacMd5,
    /// HMAC-SHA256 with text and key swapped.
    KeyAndTextSwapped,
    /// SHA-256 of the text, without a key.
    Sha256,
    /// SHA-1 of the text, without a key.
    Sha1,
    /// MD5 of the text, without a key.
    Md5,
}

impl Mistake {
    /// Machine-readable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::OtherEnvironmentsKey(_) => "other-environments-key",
            Self::OtherEnvironment(_) => "other-environment",
            Self::OtherPath(_) => "other-path",
            Self::Path(_) => "path-form",
            Self::Method => "method",
            Self::AppSecretAsKey => "app-secret-as-key",
            Self::SessionKeySignsSig => "session-key-signs-sig",
            Self::MidasKeySignsMpSig => "midas-key-signs-mp-sig",
            Self::SignaturesSwapped => "signatures-swapped",
            Self::OldSessionKey => "old-session-key",
            Self::SessionKeyDecoded => "session-key-decoded",
            Self::KeysMixed { .. } => "keys-mixed",
            Self::KeyWithLineEnd => "key-with-line-end",
            Self::KeyNotInText => "key-not-in-text",
            Self::KeyName => "key-name",
            Self::ProofSigned(_) => "proof-signed",
            Self::EarlierProofSigned(_) => "earlier-proof-signed",
            Self::BodysAccessToken => "bodys-access-token",
            Self::SigInOtherCase => "sig-in-other-case",
            Self::Order(_) => "order",
            Self::NotSigned(_) => "not-signed",
            Self::NotSent(_) => "not-sent",
            Self::Number { .. } => "number-form",
            Self::TsDiffers => "ts-differs",
            Self::NameCase(_) => "name-case",
            Self::Quoted => "quoted",
            Self::EscapesSigned => "escapes-signed",
            Self::Dialect(_) => "dialect",
            Self::AmbiguousField => "ambiguous-field",
            Self::PercentEncoded => "percent-encoded",
            Self::Function(_) => "function",
            Self::LineEnd => "line-end",
            Self::Base64 => "base64",
        }
    }

    /// The correction: a lowercase fragment.
    pub fn fix(&self) -> String {
        let fix = match self {
            Self::OtherEnvironmentsKey(Environment::Live) => {
                "sign sandbox calls with the sandbox's Midas key"
            }
            Self::OtherEnvironmentsKey(Environment::Sandbox) => "sign live calls with the live Midas key",
            Self::OtherEnvironment(environment) => {
                return format!(
                    "call the path of the {environment} environment, or sign for the one you call"
                );
            }
            Self::OtherPath(_) => "sign the very path that you call, `/sandbox` included where it has one",
            Self::Path(_) => "sign the path alone: from its first slash to before the `?`",
            Self::Method => "sign `&method=POST`, as you call",
            Self::AppSecretAsKey => "sign with the Midas key; the app's secret only asks for access tokens",
            Self::SessionKeySignsSig => "sign `sig` with the Midas key; the session key signs `mp_sig`",
            Self::MidasKeySignsMpSig => {
                "sign `mp_sig` with the player's session key; the Midas key signs `sig`"
            }
            Self::SignaturesSwapped => "send each signature under its own name",
            Self::OldSessionKey => {
                "use the session key of the player's latest login; a new login ends the previous session"
            }
            Self::SessionKeyDecoded => {
                "use the session key as the text it is, 24 characters, without decoding it"
            }
            Self::KeysMixed { .. } => {
                "use one key for both: the environment's Midas key for `sig`, the session key for `mp_sig`"
            }
            Self::KeyWithLineEnd => "strip the line end and spaces from the key after it is read",
            Self::KeyNotInText => "end the text with the key, besides keying the HMAC with it",
            Self::KeyName => {
                "end the text of `sig` with `&secret=` and the key, that of `mp_sig` with `&session_key=`"
            }
            Self::ProofSigned(Parameter::AccessToken) => {
                "leave access_token out of `sig`; only `mp_sig` covers it"
            }
            Self::ProofSigned(_) => "sign the parameters alone, before any signature is among them",
            Self::EarlierProofSigned(_) => {
                "build new parameters for each request, or remove both signatures first"
            }
            Self::BodysAccessToken => "sign the access_token of the query; one in the body is ignored",
            Self::SigInOtherCase => "sign `sig` in the very digits that you send",
            Self::Order(OrderForm::UnderscoreLast) => {
                "sort by bytes: `_` comes before the letters, so app_remark before appid"
            }
            Self::Order(OrderForm::SuffixSorted | OrderForm::PathSorted) => {
                "sort the parameters alone; path, method and key always follow them, in this order"
            }
            Self::Order(OrderForm::ProofsApart) => "sort access_token and sig in with the other parameters",
            Self::Order(OrderForm::AsSent | OrderForm::AsDocumented | OrderForm::Descending) => {
                "sort the parameters by name, in byte order"
            }
            Self::NotSigned(_) => "sign every documented parameter that you send",
            Self::NotSent(_) => "send what you sign, or leave it out of both",
            Self::Number { .. } => "sign the digits as you send them; keep integers out of floating point",
            Self::TsDiffers => "read the clock once for each request, and sign the very ts that you send",
            Self::NameCase(_) => "sign the names as you send them, in lower case with `_`",
            Self::Quoted => "sign the text without the quotes",
            Self::EscapesSigned => "sign the text itself, not how JSON escapes it",
            Self::Dialect(_) => "sign as documented, or set dialects = \"lenient\" for the app",
            Self::AmbiguousField => "sign the documented parameters alone, without undocumented fields",
            Self::PercentEncoded => "sign values as they are, without encoding them",
            Self::Function(HashFunction::KeyAndTextSwapped) => "swap them: HMAC-SHA256(key, text)",
            Self::Function(_) => "use HMAC-SHA256, keyed with the key",
            Self::LineEnd => "sign the text without a line end",
            Self::Base64 => "write the signature as 64 hex digits",
        };
        fix.to_owned()
    }
}

/// The mistake: a lowercase fragment.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match self {
            Self::OtherEnvironmentsKey(environment) => {
                return write!(f, "signed with the {environment} environment's key");
            }
            Self::OtherEnvironment(environment) => {
                return write!(f, "signed for the {environment} environment, with its key and its path");
            }
            Self::OtherPath(path) => return write!(f, "signed for another path, {path}"),
            Self::Path(form) => return form.fmt(f),
            Self::Method => "signed with another method than POST",
            Self::AppSecretAsKey => "signed with the app's secret in place of the Midas key",
            Self::SessionKeySignsSig => "signed with the player's session key in place of the Midas key",
            Self::MidasKeySignsMpSig => "signed with the Midas key in place of the player's session key",
            Self::SignaturesSwapped => "sig and mp_sig stand in each other's place",
            Self::OldSessionKey => "signed with the session key of an earlier login",
            Self::SessionKeyDecoded => "signed with the session key decoded from base64",
            Self::KeysMixed { hmac, text } => {
                return write!(f, "signed with {hmac} while the text ends with {text}");
            }
            Self::KeyWithLineEnd => "signed with a line end or a space after the key",
            Self::KeyNotInText => "signed without the key at the end of the text",
            Self::KeyName => "signed with the key at the end of the text under another name",
            Self::ProofSigned(parameter) => return write!(f, "signed with {parameter} among the parameters"),
            Self::EarlierProofSigned(parameter) => {
                return write!(f, "signed with an earlier {parameter} still among the parameters");
            }
            Self::BodysAccessToken => "signed with the access_token of the body, not the query's",
            Self::SigInOtherCase => "signed with sig in the other case than it is sent in",
            Self::Order(form) => return form.fmt(f),
            Self::NotSigned(parameters) => {
                return write!(f, "{} sent but not signed", ParameterList(parameters));
            }
            Self::NotSent(parameters) => {
                return write!(f, "{} signed as empty but not sent", ParameterList(parameters));
            }
            Self::Number { parameters, form } => {
                return write!(f, "{} signed {form}", ParameterList(parameters));
            }
            Self::TsDiffers => "ts signed with another value than sent",
            Self::NameCase(parameters) => {
                return write!(f, "{} signed under a name in other letter case", ParameterList(parameters));
            }
            Self::Quoted => "texts signed with quotes around them",
            Self::EscapesSigned => "texts signed with JSON's escapes in them",
            Self::Dialect(dialect) => {
                return write!(
                    f,
                    "signed in the dialect {dialect}, but this app accepts only the documented one"
                );
            }
            Self::AmbiguousField => {
                "signed with an undocumented field whose `&` and `=` could stand for another parameter"
            }
            Self::PercentEncoded => "values signed percent-encoded",
            Self::Function(function) => return write!(f, "signed with {function}"),
            Self::LineEnd => "signed with a line end after the key",
            Self::Base64 => "written in base64",
        };
        f.write_str(message)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Midas(environment) => write!(f, "the {environment} Midas key"),
            Self::AppSecret => f.write_str("the app's secret"),
            Self::Session => f.write_str("the session key"),
            Self::PreviousSession => f.write_str("the session key of an earlier login"),
        }
    }
}

impl fmt::Display for PathForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "signed without the path",
            Self::WithHost => "signed with the host before the path",
            Self::WithQuery => "signed with the query after the path",
            Self::WithHostAndQuery => "signed with the whole URL in place of the path",
            Self::Slash => "signed with a slash too few or too many in the path",
            Self::Encoded => "signed with the path percent-encoded",
        })
    }
}

impl fmt::Display for OrderForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsSent => "parameters signed in the order in which they were sent",
            Self::AsDocumented => "parameters signed in the order of the documents",
            Self::Descending => "parameters signed in descending order",
            Self::UnderscoreLast => "parameters sorted with `_` after the letters",
            Self::ProofsApart => "sig and access_token signed apart from the sorted parameters",
            Self::PathSorted => "path and method sorted in with the parameters",
            Self::SuffixSorted => "path, method and key sorted in with the parameters",
        })
    }
}

impl fmt::Display for NumberForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fraction(zeros) => write!(f, "with a fraction, as 233.{}", "0".repeat(*zeros)),
            Self::Exponent => f.write_str("with an exponent, as 2.33e2"),
            Self::FractionOrExponent => f.write_str("as floating point, as 233.0 and 1.5E9"),
            Self::Quoted => f.write_str("in quotes"),
        }
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::HmacSha1 => "HMAC-SHA1 in place of HMAC-SHA256",
            Self::HmacMd5 => "HMAC-MD5 in place of HMAC-SHA256",
            Self::KeyAndTextSwapped => "key and text in each other's place in the HMAC",
            Self::Sha256 => "plain SHA-256 in place of HMAC-SHA256",
            Self::Sha1 => "plain SHA-1 in place of HMAC-SHA256",
            Self::Md5 => "plain MD5 in place of HMAC-SHA256",
        })
    }
}

/// Writes `a`, `a and b`, or `a, b and c`.
struct ParameterList<'a>(&'a [Parameter]);

impl fmt::Display for ParameterList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, parameter) in self.0.iter().enumerate() {
            let joint = match (index, index + 1 == self.0.len()) {
                (0, _) => "",
                (_, true) => " and ",
                (_, false) => ", ",
            };
            write!(f, "{joint}{parameter}")?;
        }
        Ok(())
    }
}

//! Signing scheme: the making of a signature, in parts that a mistake can change.
//!
//! Invariant: an unchanged scheme makes the signature of `sign.rs`; a test here compares the two.
//! A scheme holds keys, so it has no `Debug`, and its text is zeroed on drop.

use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;

use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::mistake::HashFunction;
use super::{AppKeys, Evidence};
use crate::hash::{decode_base64, hmac};
use crate::midas::parameter::Parameter;
use crate::midas::sign::text::signed_value;
use crate::midas::sign::{Dialect, Encoding};
use crate::secret::SessionKey;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureKind {
    Sig,
    MpSig,
}

impl SignatureKind {
    pub(super) const fn parameter(self) -> Parameter {
        match self {
            Self::Sig => Parameter::Sig,
            Self::MpSig => Parameter::MpSig,
        }
    }

    /// The name before the key at the end of the signed text.
    pub(super) const fn key_label(self) -> &'static str {
        match self {
            Self::Sig => "&secret=",
            Self::MpSig => "&session_key=",
        }
    }
}

/// A signature to explain, with the request and the keys.
pub(super) struct SignatureCase<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) keys: &'a AppKeys<'a>,
    pub(super) kind: SignatureKind,
    /// The session key decoded from base64.
    pub(super) decoded_session_key: Option<&'a Zeroizing<Vec<u8>>>,
}

/// A key and its value in a signed text.
pub(super) type SignedPair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The pairs of a signed text, shared by the schemes that differ in other parts.
#[derive(Clone)]
pub(super) struct SharedPairs<'a>(Rc<Vec<SignedPair<'a>>>);

impl<'a> SharedPairs<'a> {
    pub(super) fn new(pairs: Vec<SignedPair<'a>>) -> Self {
        #[cfg(test)]
        work_done::add(pairs_bytes(&pairs));
        Self(Rc::new(pairs))
    }
}

impl<'a> Deref for SharedPairs<'a> {
    type Target = [SignedPair<'a>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// Size of pairs in bytes of work: handling a pair costs about as much as hashing 64 bytes.
fn pairs_bytes(pairs: &[SignedPair<'_>]) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len() + 64).sum()
}

/// All inputs of a signature. A clone costs no more than its path: the pairs are shared.
#[derive(Clone)]
pub(super) struct SigningScheme<'a> {
    /// In the order of the signed text.
    pub(super) pairs: SharedPairs<'a>,
    /// From `&org_loc=` to the key's label.
    pub(super) path_and_method: Cow<'a, str>,
    /// The name before the key at the end of the text.
    pub(super) key_label: &'static str,
    /// The key at the end of the text.
    pub(super) appended_key: &'a [u8],
    /// Follows the key; empty in a valid scheme.
    pub(super) suffix: &'static str,
    pub(super) hmac_key: &'a [u8],
    pub(super) function: HashFunction,
}

impl<'a> SignatureCase<'a> {
    /// The right key of a signature.
    pub(super) fn key(&self, proof: SignatureKind) -> Option<&'a [u8]> {
        match proof {
            SignatureKind::Sig => Some(self.midas_key(self.evidence.path.environment)),
            SignatureKind::MpSig => self.keys.session.map(|key| key.expose().as_bytes()),
        }
    }

    pub(super) fn midas_key(&self, environment: pactolus_types::Environment) -> &'a [u8] {
        match environment {
            pactolus_types::Environment::Live => self.keys.live.expose().as_bytes(),
            pactolus_types::Environment::Sandbox => self.keys.sandbox.expose().as_bytes(),
        }
    }

    /// The valid scheme of the signature to explain, in `dialect`.
    pub(super) fn valid_scheme(&self, dialect: Dialect) -> Option<SigningScheme<'a>> {
        self.valid_scheme_for(self.kind, dialect)
    }

    /// Upper bound of the cost of a valid scheme in `dialect`, in bytes hashed.
    pub(super) fn scheme_bytes(&self, dialect: Dialect) -> usize {
        // An escape takes three bytes for one. The token and `sig` are the pairs that a body lacks.
        let growth = if dialect.encoding == Encoding::Raw { 1 } else { 3 };
        let fields = self.evidence.body.fields();
        let sizes = fields.map(|field| field.key.len() + field.value.scalar().map_or(0, str::len) + 64);
        growth * (sizes.sum::<usize>() + self.evidence.token.expose().len() + 256)
    }

    /// The valid scheme of `proof` in `dialect`; `None` if its key is not known.
    pub(super) fn valid_scheme_for(
        &self,
        proof: SignatureKind,
        dialect: Dialect,
    ) -> Option<SigningScheme<'a>> {
        let key = self.key(proof)?;
        let encoded = |value: &'a str| {
            let mut text = String::new();
            dialect.encoding.write(value, &mut text);
            if text == value { Cow::Borrowed(value) } else { Cow::Owned(text) }
        };
        let kind = self.evidence.path.kind;
        let mut pairs: Vec<SignedPair<'a>> = self
            .evidence
            .body
            .fields()
            .filter_map(|field| Some((field.key, signed_value(field, kind, dialect.selection)?)))
            .map(|(key, value)| (Cow::Borrowed(key), encoded(value)))
            .collect();
        if proof == SignatureKind::MpSig {
            pairs.push(pair(Parameter::AccessToken, encoded(self.evidence.token.expose())));
            pairs.push(pair(
                Parameter::Sig,
                encoded(self.evidence.raw_text(Parameter::Sig).unwrap_or_default()),
            ));
            sort_pairs(&mut pairs);
        }
        Some(SigningScheme {
            pairs: SharedPairs::new(pairs),
            path_and_method: Cow::Owned(path_and_method(self.evidence.path.as_str())),
            key_label: proof.key_label(),
            appended_key: key,
            suffix: "",
            hmac_key: key,
            function: HashFunction::HmacSha256,
        })
    }
}

pub(super) fn pair<'a>(parameter: Parameter, value: impl Into<Cow<'a, str>>) -> SignedPair<'a> {
    (Cow::Borrowed(parameter.name()), value.into())
}

/// Sorts by key, in byte order.
pub(super) fn sort_pairs(pairs: &mut [SignedPair<'_>]) {
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
}

/// The part of a signed text between the parameters and the key.
pub(super) fn path_and_method(path: &str) -> String {
    format!("&org_loc={path}&method=POST")
}

impl<'a> SigningScheme<'a> {
    /// The scheme with other pairs.
    pub(super) fn with_pairs(&self, pairs: Vec<SignedPair<'a>>) -> Self {
        Self { pairs: SharedPairs::new(pairs), ..self.clone() }
    }

    pub(super) fn contains(&self, parameter: Parameter) -> bool {
        self.pairs.iter().any(|(key, _)| *key == parameter.name())
    }

    /// The scheme with another key, both in the HMAC and in the text.
    pub(super) fn with_key(&self, key: &'a [u8]) -> Self {
        Self { hmac_key: key, appended_key: key, ..self.clone() }
    }

    pub(super) fn with_path(&self, path: &str) -> Self {
        Self { path_and_method: Cow::Owned(path_and_method(path)), ..self.clone() }
    }

    /// Cost of the digest in bytes hashed.
    pub(super) fn work_bytes(&self) -> usize {
        // An HMAC hashes two blocks for its key, and one block for the inner digest.
        self.pairs_bytes()
            + self.path_and_method.len()
            + self.key_label.len()
            + self.appended_key.len()
            + 3 * 64
    }

    /// Cost of copying or changing the pairs, in bytes hashed.
    pub(super) fn pairs_bytes(&self) -> usize {
        pairs_bytes(&self.pairs)
    }

    /// Makes the signature. `text` is a reused buffer.
    pub(super) fn digest(&self, text: &mut Zeroizing<Vec<u8>>) -> Vec<u8> {
        #[cfg(test)]
        work_done::add(self.work_bytes());
        text.clear();
        for (number, (key, value)) in self.pairs.iter().enumerate() {
            if number > 0 {
                text.push(b'&');
            }
            text.extend_from_slice(key.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
        }
        for part in [
            self.path_and_method.as_bytes(),
            self.key_label.as_bytes(),
            self.appended_key,
            self.suffix.as_bytes(),
        ] {
            text.extend_from_slice(part);
        }
        match self.function {
            HashFunction::HmacSha256 => hmac::<Hmac<Sha256>>(self.hmac_key, text),
            HashFunction::HmacSha1 => hmac::<Hmac<Sha1>>(self.hmac_key, text),
            HashFunction::HmacMd5 => hmac::<Hmac<Md5>>(self.hmac_key, text),
            HashFunction::KeyAndTextSwapped => hmac::<Hmac<Sha256>>(text, self.hmac_key),
            HashFunction::Sha256 => Sha256::digest(text).to_vec(),
            HashFunction::Sha1 => Sha1::digest(text).to_vec(),
            HashFunction::Md5 => Md5::digest(text).to_vec(),
        }
    }
}

pub(super) fn decode_session_key(key: &SessionKey) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(decode_base64(key.expose()).expect("a session key is base64"))
}

/// Work done in a test, as opposed to work charged: bytes of pairs made, and bytes hashed.
#[cfg(test)]
pub(super) mod work_done {
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(in crate::midas::explain) fn add(bytes: usize) {
        BYTES.set(BYTES.get() + bytes);
    }

    /// The work since the last call.
    pub(in crate::midas::explain) fn take() -> usize {
        BYTES.replace(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::midas::call::{CallKind, CallPath};
    use crate::midas::sign::{self, DialectPolicy};
    use crate::secret::{AccessToken, AppSecret, MidasKey};

    #[test]
    fn valid_scheme_matches_the_signer() {
        let (live, sandbox) = (MidasKey::new("live-key").unwrap(), MidasKey::new("sandbox-key").unwrap());
        let session = SessionKey::new("V7Q38/i2KXaqrQyl2Yx9Hg==").unwrap();
        let (secret, token) = (AppSecret::new("secret").unwrap(), AccessToken::new("TO+KEN").unwrap());
        let keys = AppKeys {
            live: &live,
            sandbox: &sandbox,
            app_secret: &secret,
            session: Some(&session),
            previous_session: None,
        };
        let json =
            r#"{"ts":7,"Upper":1.50,"user_ip":"","zone_id":1,"pay_item":"宝 *~","sig":"S+g","deep":[]}"#;
        for environment in pactolus_types::Environment::ALL {
            let path = CallPath { kind: CallKind::Pay, environment };
            let evidence = Evidence::read(path, &token, json.as_bytes()).unwrap();
            let body = crate::midas::body::Body::parse(json.as_bytes()).unwrap();
            for dialect in DialectPolicy::Lenient.accepted() {
                let midas = if environment == pactolus_types::Environment::Live { &live } else { &sandbox };
                let known = [
                    (SignatureKind::Sig, sign::sig(path, &body, dialect, midas)),
                    (SignatureKind::MpSig, sign::mp_sig(path, &body, dialect, "S+g", &token, &session)),
                ];
                for (proof, signature) in known {
                    let case = SignatureCase {
                        evidence: &evidence,
                        keys: &keys,
                        kind: proof,
                        decoded_session_key: None,
                    };
                    let made = case.valid_scheme(dialect).unwrap().digest(&mut Zeroizing::default());
                    assert_eq!(
                        crate::signature::Signature::to_string(&signature),
                        crate::hash::encode_hex(&made)
                    );
                }
            }
        }
    }
}

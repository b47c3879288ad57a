//! How a signature is made, in parts that a mistake can change.
//!
//! A recipe that nothing has changed makes what `sign.rs` makes; a test here holds the two together.
//! It holds keys, so it has no `Debug` and its text is wiped.

use std::borrow::Cow;

use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::mistake::Function;
use super::{Evidence, Keys};
use crate::parameter::Parameter;
use crate::secret::SessionKey;
use crate::sign::Dialect;
use crate::sign::text::signed_value;

/// Which of the two signatures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Sig,
    MpSig,
}

impl Proof {
    pub(super) const fn parameter(self) -> Parameter {
        match self {
            Self::Sig => Parameter::Sig,
            Self::MpSig => Parameter::MpSig,
        }
    }

    /// What stands before the key at the end of a text.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Sig => "&secret=",
            Self::MpSig => "&session_key=",
        }
    }
}

/// One signature to explain, and everything that may have made it.
pub(super) struct Case<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) keys: &'a Keys<'a>,
    pub(super) proof: Proof,
    /// The session key's bytes, as base64 decodes it.
    pub(super) decoded: Option<&'a Zeroizing<Vec<u8>>>,
}

/// A parameter as a text holds it.
pub(super) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A way to make a signature.
#[derive(Clone)]
pub(super) struct Recipe<'a> {
    /// In the order in which the text holds them.
    pub(super) pairs: Vec<Pair<'a>>,
    /// From `&org_loc=` to before the key's label.
    pub(super) middle: Cow<'a, str>,
    /// What stands before the key that ends the text.
    pub(super) label: &'static str,
    /// The key that ends the text.
    pub(super) written_key: &'a [u8],
    /// What follows it, which is nothing.
    pub(super) tail: &'static str,
    /// The key of the HMAC.
    pub(super) key: &'a [u8],
    pub(super) function: Function,
}

impl<'a> Case<'a> {
    /// The key that should have made a proof.
    pub(super) fn key(&self, proof: Proof) -> Option<&'a [u8]> {
        match proof {
            Proof::Sig => Some(self.midas_key(self.evidence.path.environment)),
            Proof::MpSig => self.keys.session.map(|key| key.expose().as_bytes()),
        }
    }

    pub(super) fn midas_key(&self, environment: pactolus_types::Environment) -> &'a [u8] {
        match environment {
            pactolus_types::Environment::Live => self.keys.live.expose().as_bytes(),
            pactolus_types::Environment::Sandbox => self.keys.sandbox.expose().as_bytes(),
        }
    }

    /// How the signature in question is made in `dialect`.
    pub(super) fn right(&self, dialect: Dialect) -> Option<Recipe<'a>> {
        self.right_of(self.proof, dialect)
    }

    /// How `proof` is made in `dialect`; nothing if its key is not known.
    pub(super) fn right_of(&self, proof: Proof, dialect: Dialect) -> Option<Recipe<'a>> {
        let key = self.key(proof)?;
        let encoded = |value: &'a str| {
            let mut text = String::new();
            dialect.encoding.write(value, &mut text);
            if text == value { Cow::Borrowed(value) } else { Cow::Owned(text) }
        };
        let kind = self.evidence.path.kind;
        let mut pairs: Vec<Pair<'a>> = self
            .evidence
            .body
            .fields()
            .filter_map(|field| Some((field.key, signed_value(field, kind, dialect.selection)?)))
            .map(|(key, value)| (Cow::Borrowed(key), encoded(value)))
            .collect();
        if proof == Proof::MpSig {
            pairs.push(pair(Parameter::AccessToken, encoded(self.evidence.token.expose())));
            pairs.push(pair(Parameter::Sig, encoded(self.evidence.sent(Parameter::Sig).unwrap_or_default())));
            sort(&mut pairs);
        }
        Some(Recipe {
            pairs,
            middle: Cow::Owned(middle(self.evidence.path.as_str())),
            label: proof.label(),
            written_key: key,
            tail: "",
            key,
            function: Function::HmacSha256,
        })
    }
}

pub(super) fn pair<'a>(parameter: Parameter, value: impl Into<Cow<'a, str>>) -> Pair<'a> {
    (Cow::Borrowed(parameter.name()), value.into())
}

/// By key, in byte order.
pub(super) fn sort(pairs: &mut [Pair<'_>]) {
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
}

/// What a text holds between the parameters and the key, called at `path`.
pub(super) fn middle(path: &str) -> String {
    format!("&org_loc={path}&method=POST")
}

impl<'a> Recipe<'a> {
    /// The same without a parameter.
    pub(super) fn without(&self, parameter: Parameter) -> Self {
        let mut other = self.clone();
        other.pairs.retain(|(key, _)| *key != parameter.name());
        other
    }

    /// The same with a parameter, in its place and instead of any of its name.
    pub(super) fn with(&self, parameter: Parameter, value: impl Into<Cow<'a, str>>) -> Self {
        let mut other = self.without(parameter);
        other.pairs.push(pair(parameter, value));
        sort(&mut other.pairs);
        other
    }

    pub(super) fn holds(&self, parameter: Parameter) -> bool {
        self.pairs.iter().any(|(key, _)| *key == parameter.name())
    }

    /// The same, with another key both in the text and under it.
    pub(super) fn keyed(&self, key: &'a [u8]) -> Self {
        Self { key, written_key: key, ..self.clone() }
    }

    pub(super) fn at(&self, path: &str) -> Self {
        Self { middle: Cow::Owned(middle(path)), ..self.clone() }
    }

    /// What it costs to make, in bytes hashed; building a pair costs about as much as hashing 64.
    pub(super) fn work(&self) -> usize {
        let pairs: usize = self.pairs.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
        // An HMAC hashes two blocks for its key, and a block more for the digest within.
        pairs + self.middle.len() + self.label.len() + self.written_key.len() + 3 * 64
    }

    /// The signature that it makes; `text` is memory to use again.
    pub(super) fn digest(&self, text: &mut Zeroizing<Vec<u8>>) -> Vec<u8> {
        text.clear();
        for (number, (key, value)) in self.pairs.iter().enumerate() {
            if number > 0 {
                text.push(b'&');
            }
            text.extend_from_slice(key.as_bytes());
            text.push(b'=');
            text.extend_from_slice(value.as_bytes());
        }
        for part in [self.middle.as_bytes(), self.label.as_bytes(), self.written_key, self.tail.as_bytes()] {
            text.extend_from_slice(part);
        }
        match self.function {
            Function::HmacSha256 => hmac::<Hmac<Sha256>>(self.key, text),
            Function::HmacSha1 => hmac::<Hmac<Sha1>>(self.key, text),
            Function::HmacMd5 => hmac::<Hmac<Md5>>(self.key, text),
            Function::KeyAndTextSwapped => hmac::<Hmac<Sha256>>(text, self.key),
            Function::Sha256 => Sha256::digest(text).to_vec(),
            Function::Sha1 => Sha1::digest(text).to_vec(),
            Function::Md5 => Md5::digest(text).to_vec(),
        }
    }
}

fn hmac<M: hmac::Mac + hmac::KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The bytes that a session key's base64 stands for.
pub(super) fn decoded(key: &SessionKey) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(from_base64(key.expose()).expect("a session key is base64"))
}

/// The bytes that base64 with its padding stands for.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut gathered, mut bits) = (0_u32, 0_u32);
    for digit in digits {
        gathered = (gathered << 6 | base64_digit(*digit)?) & 0xff_ffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(gathered >> bits & 0xff).expect("masked to a byte"));
        }
    }
    Some(bytes)
}

fn base64_digit(digit: u8) -> Option<u32> {
    let (first, value) = match digit {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => (b'+', 62),
        b'/' => (b'/', 63),
        _ => return None,
    };
    Some(u32::from(digit - first) + value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{CallKind, CallPath};
    use crate::secret::{AccessToken, AppSecret, MidasKey};
    use crate::sign::{self, Dialects};

    #[test]
    fn an_unchanged_recipe_makes_what_is_verified() {
        let (live, sandbox) = (MidasKey::new("live-key").unwrap(), MidasKey::new("sandbox-key").unwrap());
        let session = SessionKey::new("V7Q38/i2KXaqrQyl2Yx9Hg==").unwrap();
        let (secret, token) = (AppSecret::new("secret").unwrap(), AccessToken::new("TO+KEN").unwrap());
        let keys = Keys {
            live: &live,
            sandbox: &sandbox,
            app_secret: &secret,
            session: Some(&session),
            session_before: None,
        };
        let json =
            r#"{"ts":7,"Upper":1.50,"user_ip":"","zone_id":1,"pay_item":"宝 *~","sig":"S+g","deep":[]}"#;
        for environment in pactolus_types::Environment::ALL {
            let path = CallPath { kind: CallKind::Pay, environment };
            let evidence = Evidence::read(path, &token, json.as_bytes()).unwrap();
            let body = crate::body::Body::parse(json.as_bytes()).unwrap();
            for dialect in Dialects::Lenient.in_order() {
                let midas = if environment == pactolus_types::Environment::Live { &live } else { &sandbox };
                let known = [
                    (Proof::Sig, sign::sig(path, &body, dialect, midas)),
                    (Proof::MpSig, sign::mp_sig(path, &body, dialect, "S+g", &token, &session)),
                ];
                for (proof, signature) in known {
                    let case = Case { evidence: &evidence, keys: &keys, proof, decoded: None };
                    let made = case.right(dialect).unwrap().digest(&mut Zeroizing::default());
                    assert_eq!(
                        crate::sign::Signature::to_string(&signature),
                        super::super::search::hex(&made)
                    );
                }
            }
        }
    }

    #[test]
    fn base64_is_read() {
        assert_eq!(from_base64("").unwrap(), b"");
        assert_eq!(from_base64("Zm8=").unwrap(), b"fo");
        assert_eq!(from_base64("Zm9v").unwrap(), b"foo");
        assert_eq!(from_base64("Zg==").unwrap(), b"f");
        assert_eq!(from_base64("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
        for bad in ["Z", "Zg=", "Z===", "Zm9-", "Zm 9"] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }
}

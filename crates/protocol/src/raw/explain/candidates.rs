//! The candidates of a search, the usual mistakes first.

use std::ops::ControlFlow;

use pactolus_types::Environment;
use zeroize::Zeroizing;

use super::mistake::{BodyForm, RawKey, RawMistake, UriForm};
use super::search::{RawSearch, SearchFlow};
use super::{RawEvidence, RawFinding, RawProof, spelling};
use crate::hash;
use crate::midas::explain::{AppKeys, HashFunction};
use crate::midas::sign::DialectPolicy;
use crate::object;
use crate::wire::WirePath;

/// The vendor's host, which clients sign though they call another.
const VENDORS_HOST: &str = "api.weixin.qq.com";

pub(super) fn find(
    evidence: &RawEvidence<'_>,
    proof: RawProof,
    keys: &AppKeys<'_>,
    dialects: DialectPolicy,
    search: &mut RawSearch,
) -> RawFinding {
    let Some(key) = right_key(evidence, proof, keys) else { return RawFinding::Unknown };
    let candidates = Candidates { evidence, proof, keys, key, dialects };
    match candidates.run(search) {
        ControlFlow::Break(finding) => finding,
        ControlFlow::Continue(()) => RawFinding::Unknown,
    }
}

fn right_key<'a>(evidence: &RawEvidence<'_>, proof: RawProof, keys: &AppKeys<'a>) -> Option<&'a [u8]> {
    match (proof, evidence.environment) {
        (RawProof::PaySig, Environment::Live) => Some(keys.live.expose().as_bytes()),
        (RawProof::PaySig, Environment::Sandbox) => Some(keys.sandbox.expose().as_bytes()),
        (RawProof::Signature, _) => keys.session.map(|session| session.expose().as_bytes()),
    }
}

struct Candidates<'c, 'a> {
    evidence: &'c RawEvidence<'a>,
    proof: RawProof,
    keys: &'c AppKeys<'a>,
    /// The right key.
    key: &'a [u8],
    dialects: DialectPolicy,
}

impl Candidates<'_, '_> {
    fn run(&self, search: &mut RawSearch) -> SearchFlow {
        self.right(search)?;
        self.other_keys(search)?;
        self.other_texts(search)?;
        self.other_functions(search)?;
        self.respelled_bodies(search)?;
        self.first_wire(search)
    }

    /// The signed parts with this body.
    fn parts<'p>(&'p self, body: &'p [u8]) -> Vec<&'p [u8]> {
        match self.proof {
            RawProof::PaySig => vec![self.evidence.path.as_str().as_bytes(), b"&", body],
            RawProof::Signature => vec![body],
        }
    }

    fn right(&self, search: &mut RawSearch) -> SearchFlow {
        let is_refused = search.has_capitals && self.dialects == DialectPolicy::Strict;
        let finding = || {
            if is_refused { RawFinding::Mistake(RawMistake::Uppercase) } else { RawFinding::Verified }
        };
        search.try_hash(HashFunction::HmacSha256, self.key, &self.parts(self.evidence.body), finding)
    }

    fn other_keys(&self, search: &mut RawSearch) -> SearchFlow {
        let parts = self.parts(self.evidence.body);
        let decoded = self
            .keys
            .session
            .map(|session| Zeroizing::new(hash::decode_base64(session.expose()).unwrap_or_default()));
        let others = [
            (Some(self.keys.live.expose().as_bytes()), RawKey::Midas(Environment::Live)),
            (Some(self.keys.sandbox.expose().as_bytes()), RawKey::Midas(Environment::Sandbox)),
            (self.keys.session.map(|key| key.expose().as_bytes()), RawKey::Session),
            (decoded.as_ref().map(|key| key.as_slice()), RawKey::DecodedSession),
            (self.keys.previous_session.map(|key| key.expose().as_bytes()), RawKey::PreviousSession),
            (Some(self.keys.app_secret.expose().as_bytes()), RawKey::AppSecret),
        ];
        for (key, name) in others {
            if let Some(key) = key.filter(|key| *key != self.key) {
                search.try_parts(key, &parts, RawMistake::Key(name))?;
            }
        }
        for end in ["\n", "\r\n", " "] {
            let key = Zeroizing::new([self.key, end.as_bytes()].concat());
            search.try_parts(&key, &parts, RawMistake::KeyWithLineEnd)?;
        }
        ControlFlow::Continue(())
    }

    fn other_texts(&self, search: &mut RawSearch) -> SearchFlow {
        let (path, body) = (self.evidence.path.as_str(), self.evidence.body);
        // The other signature, made rightly.
        let other = match self.proof {
            RawProof::PaySig => RawProof::Signature,
            RawProof::Signature => RawProof::PaySig,
        };
        if let Some(key) = right_key(self.evidence, other, self.keys) {
            let parts: &[&[u8]] = match other {
                RawProof::PaySig => &[path.as_bytes(), b"&", body],
                RawProof::Signature => &[body],
            };
            search.try_parts(key, parts, RawMistake::SignaturesSwapped)?;
        }
        match self.proof {
            RawProof::Signature => {
                search.try_parts(self.key, &[path.as_bytes(), b"&", body], RawMistake::UriInSignature)?;
                search.try_parts(self.key, &[path.as_bytes(), body], RawMistake::UriInSignature)
            }
            RawProof::PaySig => self.other_uris(search),
        }
    }

    fn other_uris(&self, search: &mut RawSearch) -> SearchFlow {
        let (path, body) = (self.evidence.path.as_str(), self.evidence.body);
        search.try_parts(self.key, &[body], RawMistake::Uri(UriForm::Missing))?;
        search.try_parts(self.key, &[b"&", body], RawMistake::Uri(UriForm::Missing))?;
        search.try_parts(self.key, &[path.as_bytes(), body], RawMistake::Uri(UriForm::NoAmpersand))?;
        let forms = [
            (path.trim_start_matches('/').to_owned(), UriForm::NoLeadingSlash),
            (format!("{path}/"), UriForm::TrailingSlash),
            (format!("{path}?access_token={}", self.evidence.token.expose()), UriForm::WithQuery),
            (format!("{path}?"), UriForm::WithQuery),
            (format!("{path}&POST"), UriForm::WithMethod),
            (format!("POST&{path}"), UriForm::WithMethod),
            (format!("POST {path}"), UriForm::WithMethod),
            (format!("{path}&method=POST"), UriForm::WithMethod),
        ];
        for (uri, form) in forms.map(|(uri, form)| (Zeroizing::new(uri), form)) {
            search.try_parts(self.key, &[uri.as_bytes(), b"&", body], RawMistake::Uri(form))?;
        }
        for host in [Some(VENDORS_HOST), self.evidence.host].into_iter().flatten() {
            for scheme in ["https://", "http://", ""] {
                let parts = [scheme.as_bytes(), host.as_bytes(), path.as_bytes(), b"&", body];
                search.try_parts(self.key, &parts, RawMistake::Uri(UriForm::WithHost))?;
            }
        }
        for other in WirePath::all().filter(|other| other.as_str() != path) {
            let parts = [other.as_str().as_bytes(), b"&", body];
            search.try_parts(self.key, &parts, RawMistake::OtherPath(other))?;
        }
        ControlFlow::Continue(())
    }

    fn other_functions(&self, search: &mut RawSearch) -> SearchFlow {
        for function in [
            HashFunction::HmacSha1,
            HashFunction::HmacMd5,
            HashFunction::KeyAndTextSwapped,
            HashFunction::Sha256,
            HashFunction::Sha1,
            HashFunction::Md5,
        ] {
            let finding = || RawFinding::Mistake(RawMistake::Function(function));
            search.try_hash(function, self.key, &self.parts(self.evidence.body), finding)?;
        }
        ControlFlow::Continue(())
    }

    fn respelled_bodies(&self, search: &mut RawSearch) -> SearchFlow {
        let Ok(body) = std::str::from_utf8(self.evidence.body) else { return ControlFlow::Continue(()) };
        for (text, form) in spelling::line_ends(body) {
            search.try_parts(self.key, &self.parts(text.as_bytes()), RawMistake::Body(form))?;
        }
        for layout in spelling::Layout::ALL {
            search.charge(2 * body.len())?;
            let Some(text) = layout.apply(body) else { continue };
            let form = if layout.is_sorted() { BodyForm::Order } else { BodyForm::Spaces };
            for escapes in spelling::Escapes::ALL {
                search.charge(text.len())?;
                let form = if *layout == spelling::Layout::AsSent { BodyForm::Escapes } else { form };
                let text = escapes.apply(&text);
                search.try_parts(self.key, &self.parts(text.as_bytes()), RawMistake::Body(form))?;
                let text = text + "\n";
                search.try_parts(self.key, &self.parts(text.as_bytes()), RawMistake::Body(form))?;
            }
        }
        for text in spelling::single_escapes(body) {
            search.try_parts(self.key, &self.parts(text.as_bytes()), RawMistake::Body(BodyForm::Escapes))?;
        }
        ControlFlow::Continue(())
    }

    /// Sorted fields, path, method and key, as on the first wire.
    fn first_wire(&self, search: &mut RawSearch) -> SearchFlow {
        search.charge(4 * self.evidence.body.len())?;
        let Ok(mut fields) = object::scalars(self.evidence.body) else { return ControlFlow::Continue(()) };
        fields.sort();
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (pairs, path) = (fields.join("&"), self.evidence.path.as_str());
        let label = match self.proof {
            RawProof::PaySig => "&secret=",
            RawProof::Signature => "&session_key=",
        };
        let suffix = format!("&org_loc={path}&method=POST{label}");
        let parts = [pairs.as_bytes(), suffix.as_bytes(), self.key];
        search.try_parts(self.key, &parts, RawMistake::FirstWire)
    }
}

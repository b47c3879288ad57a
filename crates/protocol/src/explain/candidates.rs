//! Every known mistake, made on a right recipe: where it was signed for, with which key, over what, by what.
//!
//! The order is that of how likely a mistake is, and of two that make the same signature the earlier is told.
//! What is done to the parameters is in `trials/order.rs` and `trials/values.rs`.

use std::borrow::Cow;

use pactolus_types::Environment;

use super::mistake::{Function, Mistake, PathForm};
use super::scheme::{Case, Proof, Recipe, middle};
use super::search::{Search, Step, Writing};
use super::{Finding, Parameter};
use crate::call::CallPath;
use crate::secret::SessionKey;
use crate::sign::{Dialect, Dialects};

mod order;
mod values;

/// The vendor's host, before which a path is signed by who forgets that only the path is.
const VENDORS_HOST: &str = "api.weixin.qq.com";

/// Makes every known mistake until one makes what was sent.
pub(super) fn find(case: &Case<'_>, dialects: Dialects, search: &mut Search) -> Finding {
    match try_all(case, dialects, search) {
        Step::Break(finding) => finding,
        Step::Continue(()) => Finding::Unknown,
    }
}

fn try_all(case: &Case<'_>, dialects: Dialects, search: &mut Search) -> Step {
    for dialect in Dialects::Lenient.in_order() {
        let Some(recipe) = case.right(dialect) else { continue };
        let is_accepted = dialects.in_order().any(|accepted| accepted == dialect);
        search.attempt_in(Writing::Hex, &recipe, || {
            if is_accepted { Finding::Right(dialect) } else { Finding::Mistake(Mistake::Dialect(dialect)) }
        })?;
    }
    // Clients that speak another dialect make the same mistakes in it.
    for base in bases(case, dialects) {
        keys(case, &base, search)?;
        places(case, &base, search)?;
        proofs(case, &base, search)?;
        values::fields(case, &base, search)?;
        order::orders(case, &base, search)?;
        values::numbers(case, &base, search)?;
        values::texts(case, &base, search)?;
        functions(&base, search)?;
    }
    Step::Continue(())
}

/// The right recipes of the accepted dialects, each text once.
fn bases<'a>(case: &Case<'a>, dialects: Dialects) -> Vec<Recipe<'a>> {
    let mut bases: Vec<Recipe<'a>> = Vec::new();
    for recipe in dialects.in_order().filter_map(|dialect: Dialect| case.right(dialect)) {
        if bases.iter().all(|base| base.pairs != recipe.pairs) {
            bases.push(recipe);
        }
    }
    bases
}

/// Another key, or the right one used wrongly.
fn keys(case: &Case<'_>, base: &Recipe<'_>, search: &mut Search) -> Step {
    match case.proof {
        Proof::Sig => {
            let other = other(case.evidence.path.environment);
            let path = CallPath { environment: other, ..case.evidence.path };
            let keyed = base.keyed(case.midas_key(other));
            search.attempt(&keyed, || Mistake::OtherEnvironmentsKey(other))?;
            search.attempt(&keyed.at(path.as_str()), || Mistake::OtherEnvironment(other))?;
            let secret = case.keys.app_secret.expose().as_bytes();
            search.attempt(&base.keyed(secret), || Mistake::AppSecretAsKey)?;
            let sessions = [case.keys.session, case.keys.session_before];
            for key in sessions.into_iter().flatten() {
                each_use_of(key.expose().as_bytes(), base, search, || Mistake::SessionKeySignsSig)?;
            }
            if let Some(mp_sig) = case.evidence.sent(Parameter::MpSig)
                && let Some(right) = case.right_of(Proof::MpSig, Dialect::DOCUMENTED)
            {
                search.attempt(&right.with(Parameter::Sig, mp_sig), || Mistake::SignaturesSwapped)?;
            }
        }
        Proof::MpSig => {
            if let Some(key) = case.keys.session_before.map(SessionKey::expose) {
                search.attempt(&base.keyed(key.as_bytes()), || Mistake::OldSessionKey)?;
            }
            if let Some(bytes) = case.decoded {
                let decoded = Recipe { key: bytes, ..base.clone() };
                search.attempt(&decoded, || Mistake::SessionKeyDecoded)?;
                search.attempt(&base.keyed(bytes), || Mistake::SessionKeyDecoded)?;
            }
            for environment in Environment::ALL {
                let key = case.midas_key(environment);
                each_use_of(key, base, search, || Mistake::MidasKeySignsMpSig)?;
            }
            if let Some(sig) = case.right_of(Proof::Sig, Dialect::DOCUMENTED) {
                search.attempt(&sig, || Mistake::MidasKeySignsMpSig)?;
            }
        }
    }
    for label in ["", base.label] {
        let without = Recipe { label, written_key: b"", ..base.clone() };
        search.attempt(&without, || Mistake::KeyNotInText)?;
    }
    for label in ["&secret=", "&session_key=", "&key="] {
        search.attempt(&Recipe { label, ..base.clone() }, || Mistake::KeyName)?;
    }
    Step::Continue(())
}

/// A key that is the other signature's, in the text or under it, by either name.
fn each_use_of(key: &[u8], base: &Recipe<'_>, search: &mut Search, mistake: impl Fn() -> Mistake) -> Step {
    search.attempt(&Recipe { key, ..base.clone() }, &mistake)?;
    for label in [Proof::Sig.label(), Proof::MpSig.label()] {
        search.attempt(&Recipe { label, key, written_key: key, ..base.clone() }, &mistake)?;
    }
    Step::Continue(())
}

/// Another path or method, or a wrong form of the right path.
fn places(case: &Case<'_>, base: &Recipe<'_>, search: &mut Search) -> Step {
    let path = case.evidence.path;
    let sandbox_first = CallPath { environment: other(path.environment), ..path };
    for other in std::iter::once(sandbox_first).chain(CallPath::all()).filter(|known| *known != path) {
        search.attempt(&base.at(other.as_str()), || Mistake::OtherPath(other))?;
    }
    let path = path.as_str();
    let query = format!("{path}?{}={}", Parameter::AccessToken, case.evidence.token.expose());
    search.attempt(&base.at(&query), || Mistake::Path(PathForm::WithQuery))?;
    for host in std::iter::once(VENDORS_HOST).chain(case.evidence.host) {
        for scheme in ["https://", "http://", ""] {
            let url = format!("{scheme}{host}");
            search.attempt(&base.at(&format!("{url}{path}")), || Mistake::Path(PathForm::WithHost))?;
            search
                .attempt(&base.at(&format!("{url}{query}")), || Mistake::Path(PathForm::WithHostAndQuery))?;
        }
    }
    for slashes in [&path[1..], &format!("{path}/")] {
        search.attempt(&base.at(slashes), || Mistake::Path(PathForm::Slash))?;
    }
    for escape in ["%2F", "%2f"] {
        let encoded = base.at(&path.replace('/', escape));
        search.attempt(&encoded, || Mistake::Path(PathForm::Encoded))?;
    }
    for middle in ["&method=POST", "&org_loc=&method=POST", ""] {
        search.attempt(&with_middle(base, middle), || Mistake::Path(PathForm::Missing))?;
    }
    let right = middle(path);
    for method in ["", "&method=", "&method=GET", "&method=post"] {
        let changed = right.replace("&method=POST", method);
        search.attempt(&with_middle(base, &changed), || Mistake::Method)?;
    }
    Step::Continue(())
}

fn with_middle<'a>(base: &Recipe<'a>, middle: &str) -> Recipe<'a> {
    Recipe { middle: Cow::Owned(middle.to_owned()), ..base.clone() }
}

const fn other(environment: Environment) -> Environment {
    match environment {
        Environment::Live => Environment::Sandbox,
        Environment::Sandbox => Environment::Live,
    }
}

/// Tokens and signatures among what is signed, where they do not belong, or as they were not sent.
fn proofs(case: &Case<'_>, base: &Recipe<'_>, search: &mut Search) -> Step {
    let evidence = case.evidence;
    let bodys_token = evidence.sent(Parameter::AccessToken);
    match case.proof {
        Proof::Sig => {
            for token in [Some(evidence.token.expose()), bodys_token].into_iter().flatten() {
                let signed = base.with(Parameter::AccessToken, token);
                search.attempt(&signed, || Mistake::ProofSigned(Parameter::AccessToken))?;
            }
            search.attempt(&base.with(Parameter::Sig, ""), || Mistake::ProofSigned(Parameter::Sig))?;
            for mp_sig in [Some(""), evidence.sent(Parameter::MpSig)].into_iter().flatten() {
                let signed = base.with(Parameter::MpSig, mp_sig);
                search.attempt(&signed, || Mistake::ProofSigned(Parameter::MpSig))?;
            }
            // Signing the same parameters twice leaves the first signatures among them.
            let earlier = search.made_by(base);
            let with_sig = base.with(Parameter::Sig, earlier.clone());
            search.attempt(&with_sig, || Mistake::EarlierProofSigned(Parameter::Sig))?;
            if let Some(right) = case.right_of(Proof::MpSig, Dialect::DOCUMENTED) {
                let earlier = search.made_by(&right.with(Parameter::Sig, earlier));
                for signed in [with_sig, base.clone()] {
                    let signed = signed.with(Parameter::MpSig, earlier.clone());
                    search.attempt(&signed, || Mistake::EarlierProofSigned(Parameter::MpSig))?;
                }
            }
        }
        Proof::MpSig => {
            for missing in
                [&[Parameter::AccessToken][..], &[Parameter::Sig], &[Parameter::AccessToken, Parameter::Sig]]
            {
                let signed =
                    missing.iter().fold(base.clone(), |recipe, parameter| recipe.without(*parameter));
                search.attempt(&signed, || Mistake::NotSigned(missing.to_vec()))?;
            }
            if let Some(token) = bodys_token {
                search.attempt(&base.with(Parameter::AccessToken, token), || Mistake::BodysAccessToken)?;
            }
            let sig = evidence.sent(Parameter::Sig).unwrap_or_default();
            for sig in [sig.to_ascii_lowercase(), sig.to_ascii_uppercase()] {
                search.attempt(&base.with(Parameter::Sig, sig), || Mistake::SigInOtherCase)?;
            }
            search.attempt(&base.with(Parameter::MpSig, ""), || Mistake::ProofSigned(Parameter::MpSig))?;
            let earlier = search.made_by(base);
            let signed = base.with(Parameter::MpSig, earlier);
            search.attempt(&signed, || Mistake::EarlierProofSigned(Parameter::MpSig))?;
        }
    }
    Step::Continue(())
}

/// Another function, or the right one with a slip around it.
fn functions(base: &Recipe<'_>, search: &mut Search) -> Step {
    use Function::{HmacMd5, HmacSha1, KeyAndTextSwapped, Md5, Sha1, Sha256};
    for function in [HmacMd5, HmacSha1, Md5, Sha1, Sha256, KeyAndTextSwapped] {
        search.attempt(&Recipe { function, ..base.clone() }, || Mistake::Function(function))?;
    }
    for tail in ["\n", "\r\n"] {
        search.attempt(&Recipe { tail, ..base.clone() }, || Mistake::LineEnd)?;
    }
    search.attempt_in(Writing::Base64, base, || Finding::Mistake(Mistake::Base64))
}

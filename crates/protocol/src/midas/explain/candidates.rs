//! Candidate mistakes, each made on a valid signing scheme: other environment, key, text or hash function.
//!
//! The likeliest come first. Of two mistakes that make the same signature, the earlier is reported.
//! Read next: `candidates/order.rs` and `candidates/values.rs` for the mistakes in the parameters.

use std::borrow::Cow;
use std::ops::ControlFlow;

use pactolus_types::Environment;

use super::mistake::{HashFunction, Mistake, PathForm};
use super::scheme::{SignatureCase, SignatureKind, SigningScheme, path_and_method};
use super::search::{Search, SearchFlow, SignatureEncoding};
use super::{Parameter, SignatureFinding};
use crate::midas::call::CallPath;
use crate::midas::sign::text::reads_in_one_way;
use crate::midas::sign::{Dialect, DialectPolicy};
use crate::secret::SessionKey;

mod keys;
mod order;
mod values;

/// The vendor's host, which some clients sign before the path.
const VENDOR_HOST: &str = "api.weixin.qq.com";

/// Makes the known mistakes until one reproduces the signature.
pub(super) fn find(
    case: &SignatureCase<'_>,
    dialects: DialectPolicy,
    search: &mut Search,
) -> SignatureFinding {
    match try_candidates(case, dialects, search) {
        SearchFlow::Break(finding) => finding,
        SearchFlow::Continue(()) => SignatureFinding::Unknown,
    }
}

fn try_candidates(case: &SignatureCase<'_>, dialects: DialectPolicy, search: &mut Search) -> SearchFlow {
    let mut bases: Vec<SigningScheme<'_>> = Vec::new();
    for dialect in DialectPolicy::Lenient.accepted() {
        search.charge(case.scheme_bytes(dialect))?;
        let Some(scheme) = case.valid_scheme(dialect) else { continue };
        let is_accepted = dialects.accepted().any(|accepted| accepted == dialect);
        let evidence = case.evidence;
        search.try_scheme_in(SignatureEncoding::Hex, &scheme, || {
            if !is_accepted {
                SignatureFinding::Mistake(Mistake::Dialect(dialect))
            } else if reads_in_one_way(&evidence.body, evidence.path.kind, dialect) {
                SignatureFinding::Verified(dialect)
            } else {
                SignatureFinding::Mistake(Mistake::AmbiguousField)
            }
        })?;
        // Clients of another dialect make the same mistakes in it. Each text counts once; the comparison of equal texts
        // reads what was charged above.
        if is_accepted && bases.iter().all(|base| *base.pairs != *scheme.pairs) {
            bases.push(scheme);
        }
    }
    for base in bases {
        if search.is_of_right_form() {
            try_keys(case, &base, search)?;
            try_paths(case, &base, search)?;
            try_proofs(case, &base, search)?;
            values::try_fields(case, &base, search)?;
            order::try_orders(case, &base, search)?;
            values::try_number_forms(&base, search)?;
            values::try_text_forms(case, &base, search)?;
            keys::try_mixed_keys(case, &base, search)?;
            values::try_other_times(&base, search)?;
            values::try_name_cases(&base, search)?;
        }
        try_functions(&base, search)?;
    }
    SearchFlow::Continue(())
}

/// Another key, or the right key used wrongly.
fn try_keys(case: &SignatureCase<'_>, base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    match case.kind {
        SignatureKind::Sig => {
            let other = opposite_environment(case.evidence.path.environment);
            let path = CallPath { environment: other, ..case.evidence.path };
            let keyed = base.with_key(case.midas_key(other));
            search.try_scheme(&keyed, || Mistake::OtherEnvironmentsKey(other))?;
            search.try_scheme(&keyed.with_path(path.as_str()), || Mistake::OtherEnvironment(other))?;
            let secret = case.keys.app_secret.expose().as_bytes();
            search.try_scheme(&base.with_key(secret), || Mistake::AppSecretAsKey)?;
            let sessions = [case.keys.session, case.keys.previous_session];
            for key in sessions.into_iter().flatten() {
                try_key_roles(key.expose().as_bytes(), base, search, || Mistake::SessionKeySignsSig)?;
            }
            if let Some(mp_sig) = case.evidence.raw_text(Parameter::MpSig)
                && let Some(right) = documented_scheme(case, SignatureKind::MpSig, search)?
            {
                let swapped = search.with(&right, Parameter::Sig, mp_sig)?;
                search.try_scheme(&swapped, || Mistake::SignaturesSwapped)?;
            }
        }
        SignatureKind::MpSig => {
            if let Some(key) = case.keys.previous_session.map(SessionKey::expose) {
                search.try_scheme(&base.with_key(key.as_bytes()), || Mistake::OldSessionKey)?;
            }
            if let Some(bytes) = case.decoded_session_key {
                let decoded = SigningScheme { hmac_key: bytes, ..base.clone() };
                search.try_scheme(&decoded, || Mistake::SessionKeyDecoded)?;
                search.try_scheme(&base.with_key(bytes), || Mistake::SessionKeyDecoded)?;
            }
            for environment in Environment::ALL {
                let key = case.midas_key(environment);
                try_key_roles(key, base, search, || Mistake::MidasKeySignsMpSig)?;
            }
            if let Some(sig) = documented_scheme(case, SignatureKind::Sig, search)? {
                search.try_scheme(&sig, || Mistake::MidasKeySignsMpSig)?;
            }
        }
    }
    for label in ["", base.key_label] {
        let without = SigningScheme { key_label: label, appended_key: b"", ..base.clone() };
        search.try_scheme(&without, || Mistake::KeyNotInText)?;
    }
    for label in ["&secret=", "&session_key=", "&key="] {
        search.try_scheme(&SigningScheme { key_label: label, ..base.clone() }, || Mistake::KeyName)?;
    }
    SearchFlow::Continue(())
}

/// The valid scheme of a signature in the documented dialect.
fn documented_scheme<'a>(
    case: &SignatureCase<'a>,
    kind: SignatureKind,
    search: &mut Search,
) -> ControlFlow<SignatureFinding, Option<SigningScheme<'a>>> {
    search.charge(case.scheme_bytes(Dialect::DOCUMENTED))?;
    ControlFlow::Continue(case.valid_scheme_for(kind, Dialect::DOCUMENTED))
}

/// The other signature's key: in the HMAC, in the text, or both, under either label.
fn try_key_roles(
    key: &[u8],
    base: &SigningScheme<'_>,
    search: &mut Search,
    mistake: impl Fn() -> Mistake,
) -> SearchFlow {
    search.try_scheme(&SigningScheme { hmac_key: key, ..base.clone() }, &mistake)?;
    for label in [SignatureKind::Sig.key_label(), SignatureKind::MpSig.key_label()] {
        search.try_scheme(
            &SigningScheme { key_label: label, hmac_key: key, appended_key: key, ..base.clone() },
            &mistake,
        )?;
    }
    SearchFlow::Continue(())
}

/// Another path or method, or a wrong form of the right path.
fn try_paths(case: &SignatureCase<'_>, base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    let path = case.evidence.path;
    let sandbox_first = CallPath { environment: opposite_environment(path.environment), ..path };
    for other in std::iter::once(sandbox_first).chain(CallPath::all()).filter(|known| *known != path) {
        search.try_scheme(&base.with_path(other.as_str()), || Mistake::OtherPath(other))?;
    }
    let path = path.as_str();
    let query = format!("{path}?{}={}", Parameter::AccessToken, case.evidence.token.expose());
    search.try_scheme(&base.with_path(&query), || Mistake::Path(PathForm::WithQuery))?;
    for host in std::iter::once(VENDOR_HOST).chain(case.evidence.host) {
        for scheme in ["https://", "http://", ""] {
            let url = format!("{scheme}{host}");
            search
                .try_scheme(&base.with_path(&format!("{url}{path}")), || Mistake::Path(PathForm::WithHost))?;
            search.try_scheme(&base.with_path(&format!("{url}{query}")), || {
                Mistake::Path(PathForm::WithHostAndQuery)
            })?;
        }
    }
    for slashes in [&path[1..], &format!("{path}/")] {
        search.try_scheme(&base.with_path(slashes), || Mistake::Path(PathForm::Slash))?;
    }
    for escape in ["%2F", "%2f"] {
        let encoded = base.with_path(&path.replace('/', escape));
        search.try_scheme(&encoded, || Mistake::Path(PathForm::Encoded))?;
    }
    for middle in ["&method=POST", "&org_loc=&method=POST", ""] {
        search.try_scheme(&with_path_and_method(base, middle), || Mistake::Path(PathForm::Missing))?;
    }
    let right = path_and_method(path);
    for method in ["", "&method=", "&method=GET", "&method=post"] {
        let changed = right.replace("&method=POST", method);
        search.try_scheme(&with_path_and_method(base, &changed), || Mistake::Method)?;
    }
    SearchFlow::Continue(())
}

fn with_path_and_method<'a>(base: &SigningScheme<'a>, middle: &str) -> SigningScheme<'a> {
    SigningScheme { path_and_method: Cow::Owned(middle.to_owned()), ..base.clone() }
}

const fn opposite_environment(environment: Environment) -> Environment {
    match environment {
        Environment::Live => Environment::Sandbox,
        Environment::Sandbox => Environment::Live,
    }
}

/// Tokens and signatures signed where they do not belong, or with values that were not sent.
fn try_proofs(case: &SignatureCase<'_>, base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    let evidence = case.evidence;
    let bodys_token = evidence.raw_text(Parameter::AccessToken);
    match case.kind {
        SignatureKind::Sig => {
            for token in [Some(evidence.token.expose()), bodys_token].into_iter().flatten() {
                let signed = search.with(base, Parameter::AccessToken, token)?;
                search.try_scheme(&signed, || Mistake::ProofSigned(Parameter::AccessToken))?;
            }
            let signed = search.with(base, Parameter::Sig, "")?;
            search.try_scheme(&signed, || Mistake::ProofSigned(Parameter::Sig))?;
            for mp_sig in [Some(""), evidence.raw_text(Parameter::MpSig)].into_iter().flatten() {
                let signed = search.with(base, Parameter::MpSig, mp_sig)?;
                search.try_scheme(&signed, || Mistake::ProofSigned(Parameter::MpSig))?;
            }
            // Signing the same parameter map twice leaves the first signatures in it.
            let earlier = search.sign_hex(base)?;
            let with_sig = search.with(base, Parameter::Sig, earlier.clone())?;
            search.try_scheme(&with_sig, || Mistake::EarlierProofSigned(Parameter::Sig))?;
            if let Some(right) = documented_scheme(case, SignatureKind::MpSig, search)? {
                let signed = search.with(&right, Parameter::Sig, earlier)?;
                let earlier = search.sign_hex(&signed)?;
                for signed in [with_sig, base.clone()] {
                    let signed = search.with(&signed, Parameter::MpSig, earlier.clone())?;
                    search.try_scheme(&signed, || Mistake::EarlierProofSigned(Parameter::MpSig))?;
                }
            }
        }
        SignatureKind::MpSig => {
            for missing in
                [&[Parameter::AccessToken][..], &[Parameter::Sig], &[Parameter::AccessToken, Parameter::Sig]]
            {
                let signed = search.without(base, missing)?;
                search.try_scheme(&signed, || Mistake::NotSigned(missing.to_vec()))?;
            }
            if let Some(token) = bodys_token {
                let signed = search.with(base, Parameter::AccessToken, token)?;
                search.try_scheme(&signed, || Mistake::BodysAccessToken)?;
            }
            let sig = evidence.raw_text(Parameter::Sig).unwrap_or_default();
            search.charge(2 * sig.len())?;
            for sig in [sig.to_ascii_lowercase(), sig.to_ascii_uppercase()] {
                let signed = search.with(base, Parameter::Sig, sig)?;
                search.try_scheme(&signed, || Mistake::SigInOtherCase)?;
            }
            let signed = search.with(base, Parameter::MpSig, "")?;
            search.try_scheme(&signed, || Mistake::ProofSigned(Parameter::MpSig))?;
            let earlier = search.sign_hex(base)?;
            let signed = search.with(base, Parameter::MpSig, earlier)?;
            search.try_scheme(&signed, || Mistake::EarlierProofSigned(Parameter::MpSig))?;
        }
    }
    SearchFlow::Continue(())
}

/// Another hash function, or a line end or base64 around the right one.
fn try_functions(base: &SigningScheme<'_>, search: &mut Search) -> SearchFlow {
    use HashFunction::{HmacMd5, HmacSha1, KeyAndTextSwapped, Md5, Sha1, Sha256};
    for function in [HmacMd5, HmacSha1, Md5, Sha1, Sha256, KeyAndTextSwapped] {
        search.try_scheme(&SigningScheme { function, ..base.clone() }, || Mistake::Function(function))?;
    }
    for suffix in ["\n", "\r\n"] {
        search.try_scheme(&SigningScheme { suffix, ..base.clone() }, || Mistake::LineEnd)?;
    }
    search.try_scheme_in(SignatureEncoding::Base64, base, || SignatureFinding::Mistake(Mistake::Base64))
}

//! Fuzz target `raw`: bodies of the raw wires, their signatures, and the search for a mistake in one.

use pactolus_fuzz_support::Choices;
use pactolus_types::Environment;

use super::keys::{
    APP_SECRET, LIVE_KEY, PREVIOUS_SESSION_KEY, SANDBOX_KEY, SESSION_KEY, TOKEN, VALID, midas_key,
    session_key, token,
};
use super::reference;
use crate::error::ErrorCode;
use crate::midas::explain::AppKeys;
use crate::midas::sign::DialectPolicy;
use crate::query::Query;
use crate::raw::explain::{RawEvidence, RawFinding, RawProof};
use crate::raw::{PresentSignature, RawObject, RawPath, RawProofs, RawRequest};
use crate::secret::{AppSecret, SessionKey};

/// A body is accepted as the reference accepts it. A signature made by the reference verifies over these bytes and
/// over no others. The search for a mistake finds those made here, and shows no secret.
pub fn raw(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let path = choices.one_of(RawPath::ALL);
    let environment = choices.one_of(&Environment::ALL);
    let (place, flip, mistake) = (choices.number(), choices.byte(), choices.below(5));
    let body = choices.rest();
    check_object(path, body);
    check_signatures(path, environment, body, (place, flip));
    check_explanation(path, environment, body, mistake);
}

fn check_object(path: RawPath, body: &[u8]) {
    let expected = reference::fields(body);
    let object = match (RawObject::parse(path.wire(), body), expected) {
        (Ok(object), Ok(fields)) => {
            let unknown = object.others().count();
            let known =
                crate::raw::Member::ALL.iter().filter(|member| object.value(**member).is_some()).count();
            assert_eq!(known + unknown, fields.len(), "the members differ");
            object
        }
        (Err(_), _) if body.starts_with(b"\xef\xbb\xbf") => return,
        (Err(refusal), Err(ErrorCode::InvalidParameter)) => {
            return assert!(!matches!(refusal.code(), ErrorCode::Platform(_)), "{refusal}");
        }
        (Err(refusal), Err(code)) => return assert_eq!(refusal.code(), code, "{refusal}"),
        (Ok(_), Err(code)) => panic!("accepted, but must be refused with {code:?}"),
        (Err(refusal), Ok(_)) => panic!("refused, but must be accepted: {refusal}"),
    };
    for refusal in [object.environment().err(), RawRequest::read(path, &object).err()].into_iter().flatten() {
        assert!(matches!(refusal.code(), ErrorCode::Game(_) | ErrorCode::Xpay(_)), "{refusal}");
        let detail = refusal.detail().expect("a wrong member is named");
        assert!(crate::raw::Member::ALL.iter().any(|member| detail.starts_with(member.name())), "{detail}");
    }
}

fn query_of(pay_sig: &str, signature: &str) -> String {
    format!("access_token={TOKEN}&signature={signature}&sig_method=hmac_sha256&pay_sig={pay_sig}")
}

fn reference_pay_sig(uri: &str, body: &[u8], key: &str) -> String {
    reference::hex(&reference::hmac_sha256(key.as_bytes(), &[uri.as_bytes(), b"&", body].concat()))
}

fn check_signatures(path: RawPath, environment: Environment, body: &[u8], (place, flip): (u64, u8)) {
    let key = midas_key(environment);
    let pay_sig = reference_pay_sig(path.as_str(), body, key.expose());
    let signature = reference::hex(&reference::hmac_sha256(SESSION_KEY.as_bytes(), body));
    let query = query_of(&pay_sig, &signature);
    let proofs = RawProofs::from_query(path, Query::new(&query), PresentSignature::Required).expect(VALID);
    assert!(proofs.verify_pay_sig(body, &key, DialectPolicy::Strict).is_ok());
    assert!(proofs.verify_signature(body, &session_key(), DialectPolicy::Strict).is_ok());
    let mut other = body.to_vec();
    let place = usize::try_from(place % (u64::try_from(body.len()).expect(VALID) + 1)).expect(VALID);
    match other.get_mut(place) {
        Some(byte) if flip != 0 => *byte ^= flip,
        _ => other.push(flip),
    }
    assert!(proofs.verify_pay_sig(&other, &key, DialectPolicy::Lenient).is_err());
    let is_refused = proofs.verify_signature(&other, &session_key(), DialectPolicy::Lenient).is_err();
    assert_eq!(is_refused, proofs.needs_session());
}

fn check_explanation(path: RawPath, environment: Environment, body: &[u8], mistake: usize) {
    let (right, other) = match environment {
        Environment::Live => (LIVE_KEY, SANDBOX_KEY),
        Environment::Sandbox => (SANDBOX_KEY, LIVE_KEY),
    };
    let (uri, key, name) = match mistake {
        0 => (path.as_str().to_owned(), right, Some("right")),
        1 => (path.as_str().to_owned(), other, Some("wrong-app-key")),
        2 => (format!("{path}/"), right, Some("uri-form")),
        3 => (path.as_str().to_owned(), APP_SECRET, Some("app-secret-as-key")),
        _ => (path.as_str().to_owned(), "an unknown key", None),
    };
    let query = query_of(&reference_pay_sig(&uri, body, key), "00");
    let (live, sandbox) = (midas_key(Environment::Live), midas_key(Environment::Sandbox));
    let app_secret = AppSecret::new(APP_SECRET).expect(VALID);
    let (session, previous) = (session_key(), SessionKey::new(PREVIOUS_SESSION_KEY).expect(VALID));
    let keys = AppKeys {
        live: &live,
        sandbox: &sandbox,
        app_secret: &app_secret,
        session: Some(&session),
        previous_session: Some(&previous),
    };
    let token = token();
    let evidence = RawEvidence {
        path,
        environment,
        token: &token,
        query: Query::new(&query),
        host: Some("bank.example:8790"),
        body,
    };
    let finding = evidence.explain(RawProof::PaySig, &keys, DialectPolicy::Lenient);
    if let Some(name) = name.filter(|_| finding != RawFinding::WorkLimitReached) {
        assert_eq!(finding.name(), name);
    }
    let shown = format!(
        "{finding} {finding:?} {} {} {evidence:?} {}",
        finding.name(),
        finding.fix(),
        evidence.signed_text(RawProof::PaySig)
    );
    for secret in [LIVE_KEY, SANDBOX_KEY, APP_SECRET, SESSION_KEY, PREVIOUS_SESSION_KEY, TOKEN] {
        assert!(!shown.contains(secret), "a secret is shown");
    }
}

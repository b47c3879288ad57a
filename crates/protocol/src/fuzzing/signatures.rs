//! Fuzz target `signatures`: signed bodies in every dialect, compared with the reference.

use pactolus_fuzz_support::Choices;

use super::choose::{choose_dialect, choose_path, for_call};
use super::keys::{SESSION_KEY, TOKEN, midas_key, session_key, token};
use super::reference::{self, ReferenceValue};
use crate::error::ErrorCode;
use crate::midas::body::Body;
use crate::midas::call::{Call, CallPath};
use crate::midas::sign::{DialectPolicy, MpSig, UnverifiedCall};

/// A body signed in a dialect verifies in it, or in an earlier one with the same signed text. A corrupted body
/// verifies only if its signed text is unchanged.
pub fn signatures(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let path = choose_path(&mut choices);
    let dialect = choose_dialect(&mut choices);
    let dialects = choices.one_of(&[DialectPolicy::Lenient, DialectPolicy::Strict]);
    let change = (choices.number(), choices.byte());
    let Some((fields, json)) = parse_unsigned(choices.rest()) else { return };
    let key = midas_key(path.environment);
    let sig = reference::sig(path, &fields, dialect, key.expose());
    let mp_sig = reference::mp_sig(path, &fields, dialect, &sig, TOKEN, SESSION_KEY);
    let mut json = with_proofs(&json, &sig, Some(&mp_sig)).into_bytes();
    {
        let body = Body::parse(&json).expect("two more fields keep a body valid");
        // The crate's own signatures are equal.
        assert_eq!(crate::midas::sign::sig(path, &body, dialect, &key).to_string(), sig);
        let ours = crate::midas::sign::mp_sig(path, &body, dialect, &sig, &token(), &session_key());
        assert_eq!(ours.to_string(), mp_sig);
    }
    for_call!(path.kind, C => check_against_reference::<C>(path, &json, dialects));
    let at = usize::try_from(change.0).unwrap_or(usize::MAX) % json.len();
    json[at] ^= change.1;
    for_call!(path.kind, C => check_against_reference::<C>(path, &json, dialects));
}

/// Both signatures of a body verify in the dialect that the reference finds.
pub(super) fn check_against_reference<C: Call>(path: CallPath, json: &[u8], dialects: DialectPolicy) {
    let Ok(body) = Body::parse(json) else { return };
    let Ok(received) = UnverifiedCall::<C>::read(path.environment, &body, MpSig::IfPresent) else { return };
    let fields = reference::fields(json).expect("the body is accepted");
    let (midas_key, session_key, token) = (midas_key(path.environment), session_key(), token());
    let sig = reference::text_field(&fields, "sig").expect("it was read");
    let expected = reference::dialect(path, &fields, dialects, sig, |dialect| {
        reference::sig(path, &fields, dialect, midas_key.expose())
    });
    let verified = received.verify_sig(&midas_key, dialects);
    assert_eq!(verified.as_ref().ok(), expected.as_ref(), "sig");
    let is_sig_error = verified.map_or_else(|refusal| refusal.code() == ErrorCode::SigError, |_| true);
    assert!(is_sig_error, "a wrong sig is reported as one");

    let verified = received.verify_mp_sig(&session_key, &token, dialects);
    match reference::text_field(&fields, "mp_sig") {
        None => assert_eq!(verified, Ok(None), "there is none"),
        Some(mp_sig) => {
            let right = reference::dialect(path, &fields, dialects, mp_sig, |dialect| {
                reference::mp_sig(path, &fields, dialect, sig, TOKEN, SESSION_KEY)
            });
            assert_eq!(verified.as_ref().ok(), right.map(Some).as_ref(), "mp_sig");
        }
    }
}

/// The fields of a valid unsigned body that leaves room for the signatures, and its text up to the last bracket.
pub(super) fn parse_unsigned(bytes: &[u8]) -> Option<(Vec<(String, ReferenceValue)>, String)> {
    let fields = reference::fields(bytes).ok()?;
    let is_signed = fields.iter().any(|(key, _)| key == "sig" || key == "mp_sig");
    if is_signed || bytes.len() > crate::BODY_BYTES_MAX - 200 {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_end().strip_suffix('}')?;
    Some((fields, text.to_owned()))
}

pub(super) fn with_proofs(open: &str, sig: &str, mp_sig: Option<&str>) -> String {
    let comma = if open.trim() == "{" { "" } else { "," };
    let mp_sig = mp_sig.map(|mp_sig| format!(r#","mp_sig":"{mp_sig}""#)).unwrap_or_default();
    format!(r#"{open}{comma}"sig":"{sig}"{mp_sig}}}"#)
}

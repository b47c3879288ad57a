//! Fuzz target `body`: the scanner of a body, and the calls read from it.

use pactolus_types::Environment;

use super::choose::for_call;
use super::keys::midas_key;
use super::reference::{self, ReferenceValue};
use crate::error::ErrorCode;
use crate::midas::body::{Body, Value};
use crate::midas::call::{Call, CallPath};
use crate::midas::parameter::Parameter;
use crate::midas::request::signed_body;
use crate::midas::sign::{MpSig, UnverifiedCall};
use crate::platform::token::StableTokenRequest;

/// The scanner and the reference accept the same bodies with the same fields. A call read from a body round-trips.
pub fn body(bytes: &[u8]) {
    let (actual, expected) = (Body::parse(bytes), reference::fields(bytes));
    let body = match (actual, expected) {
        (Ok(body), Ok(theirs)) => {
            let ours: Vec<_> =
                body.fields().map(|field| (field.key.to_string(), to_reference(field.value))).collect();
            assert_eq!(ours, theirs, "the fields differ");
            body
        }
        (Err(refusal), Err(code)) => return assert_eq!(refusal.code(), code, "{refusal}"),
        (Ok(_), Err(code)) => panic!("accepted, but must be refused with {code:?}"),
        (Err(refusal), Ok(_)) => panic!("refused, but must be accepted: {refusal}"),
    };
    let written = Body::raw_fields(bytes).expect("a parsed body can be parsed again");
    assert_eq!(written.len(), body.fields().count(), "a duplicate key is refused");
    for field in body.fields() {
        assert_eq!(field.parameter, Parameter::from_name(field.key));
    }
    let _ = StableTokenRequest::from_body(&body);
    for path in CallPath::all() {
        for_call!(path.kind, C => check_request_round_trip::<C>(path.environment, &body));
    }
}

fn to_reference(value: &Value<'_>) -> ReferenceValue {
    match value {
        Value::Text(text) => ReferenceValue::Text(text.to_string()),
        Value::Number(digits) => ReferenceValue::Number(digits.to_string()),
        Value::Literal(word) => ReferenceValue::Literal((*word).to_owned()),
        Value::Nested => ReferenceValue::Nested,
    }
}

/// An accepted call survives a round trip. A refusal names the wrong parameter.
fn check_request_round_trip<C: Call + PartialEq + std::fmt::Debug>(
    environment: Environment,
    body: &Body<'_>,
) {
    match C::from_body(body) {
        Err(refusal) => {
            assert_eq!(refusal.code(), ErrorCode::InvalidParameter);
            let detail = refusal.detail().expect("a wrong parameter is named");
            assert!(Parameter::ALL.iter().any(|parameter| detail.starts_with(parameter.name())), "{detail}");
        }
        Ok(call) => {
            let sent = signed_body(&call, environment, &midas_key(environment), None);
            let body = Body::parse(sent.as_bytes()).expect("a client sends a body");
            assert_eq!(C::from_body(&body).as_ref(), Ok(&call));
            for mp_sig in [MpSig::Required, MpSig::IfPresent, MpSig::Off] {
                let read = UnverifiedCall::<C>::read(environment, &body, mp_sig);
                assert_eq!(read.is_ok(), mp_sig != MpSig::Required, "it has no mp_sig");
            }
        }
    }
}

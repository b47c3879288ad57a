//! Known answers of the raw wires: some published by the vendor and by independent clients, the others derived.

use pactolus_protocol::login::session_signature;
use pactolus_protocol::raw::{PresentSignature, RawObject, RawProofs, RawRequest, sign};
use pactolus_protocol::{
    DialectPolicy, ErrorCode, GameCode, MidasKey, PlatformCode, Query, RawCallKind, RawPath, RawWire,
    SessionKey, XpayCode,
};
use serde_json::Value;

pub(crate) fn vectors() -> Value {
    serde_json::from_str(include_str!("../raw_vectors.json")).unwrap()
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The bytes that were sent.
pub(crate) fn body(case: &Value) -> Vec<u8> {
    if let Some(body) = case.get("body") {
        return text(body).as_bytes().to_vec();
    }
    let hex = text(&case["body_hex"]);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn app_key(case: &Value) -> MidasKey {
    MidasKey::new(text(&case["app_key"])).unwrap()
}

fn session_key(case: &Value) -> Option<SessionKey> {
    Some(SessionKey::new(text(case.get("session_key")?)).unwrap())
}

/// The near miss `name` and the request that it is of.
fn request_of<'v>(all: &'v Value, near_miss: &Value) -> &'v Value {
    all["requests"].as_array().unwrap().iter().find(|case| case["name"] == near_miss["of"]).unwrap()
}

#[test]
fn signatures_match_the_vectors() {
    let all = vectors();
    let requests = all["requests"].as_array().unwrap();
    let front_end = all["front_end"].as_array().unwrap();
    assert_eq!((requests.len(), front_end.len()), (25, 2));
    for case in requests.iter().chain(front_end) {
        let (body, name) = (body(case), &case["name"]);
        let made = sign::pay_sig(text(&case["uri"]), &body, &app_key(case)).to_string();
        assert_eq!(made, text(&case["pay_sig"]), "{name}");
        if let Some(key) = session_key(case) {
            assert_eq!(sign::signature(&body, &key).to_string(), text(&case["signature"]), "{name}");
        }
    }
    let check = &all["checksession"];
    assert_eq!(session_signature(&session_key(check).unwrap()).to_string(), text(&check["signature"]));
}

/// Reads and verifies a request with these signatures, in the order of checks.
fn verify(case: &Value, pay_sig: &str, signature: &str, dialects: DialectPolicy) -> Result<(), ErrorCode> {
    let (path, body) = (RawPath::parse(text(&case["uri"])).unwrap(), body(case));
    let query =
        format!("access_token=T&signature={signature}&sig_method=hmac_sha256&pay_sig={}", escaped(pay_sig));
    let object = RawObject::parse(path.wire(), &body).map_err(|refusal| refusal.code())?;
    object.environment().map_err(|refusal| refusal.code())?;
    let proofs = RawProofs::from_query(path, Query::new(&query), PresentSignature::Required)
        .map_err(|refusal| refusal.code())?;
    RawRequest::read(path, &object).map_err(|refusal| refusal.code())?;
    proofs.verify_pay_sig(&body, &app_key(case), dialects).map_err(|refusal| refusal.code())?;
    assert_eq!(proofs.needs_session(), session_key(case).is_some(), "{}", case["name"]);
    if let Some(key) = session_key(case) {
        proofs.verify_signature(&body, &key, dialects).map_err(|refusal| refusal.code())?;
    }
    Ok(())
}

fn escaped(value: &str) -> String {
    value.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

fn pay_sig_code(case: &Value) -> ErrorCode {
    match RawPath::parse(text(&case["uri"])).unwrap().wire() {
        RawWire::Game => ErrorCode::Game(GameCode::PaySigError),
        RawWire::Xpay => ErrorCode::Xpay(XpayCode::SignatureError),
    }
}

fn signature_code(case: &Value) -> ErrorCode {
    match RawPath::parse(text(&case["uri"])).unwrap().wire() {
        RawWire::Game => ErrorCode::Game(GameCode::SignatureError),
        RawWire::Xpay => ErrorCode::Xpay(XpayCode::SignatureError),
    }
}

#[test]
fn vectors_verify_and_a_flipped_digit_does_not() {
    for case in vectors()["requests"].as_array().unwrap() {
        let (pay_sig, name) = (text(&case["pay_sig"]), text(&case["name"]));
        let signature = case.get("signature").map_or("", text);
        let expected = match name {
            "body-empty" => Err(ErrorCode::Platform(PlatformCode::EmptyPostData)),
            "body-with-bom" => Err(ErrorCode::Xpay(XpayCode::InvalidParameter)),
            _ => Ok(()),
        };
        for dialects in [DialectPolicy::Strict, DialectPolicy::Lenient] {
            assert_eq!(verify(case, pay_sig, signature, dialects), expected, "{name}");
        }
        if expected.is_err() {
            continue;
        }
        for place in [0, 31, 63] {
            let flipped = flip_digit(pay_sig, place);
            assert_eq!(
                verify(case, &flipped, signature, DialectPolicy::Lenient),
                Err(pay_sig_code(case)),
                "{name}"
            );
            if !signature.is_empty() {
                let flipped = flip_digit(signature, place);
                let code = signature_code(case);
                assert_eq!(verify(case, pay_sig, &flipped, DialectPolicy::Lenient), Err(code), "{name}");
            }
        }
    }
}

#[test]
fn near_misses_are_refused() {
    let all = vectors();
    let near_misses = all["near_misses"].as_array().unwrap();
    assert_eq!(near_misses.len(), 23);
    for near_miss in near_misses {
        let (case, value) = (request_of(&all, near_miss), text(&near_miss["value"]));
        let (pay_sig, signature, code) = match text(&near_miss["field"]) {
            "pay_sig" => (value, text(&case["signature"]), pay_sig_code(case)),
            "signature" => (text(&case["pay_sig"]), value, signature_code(case)),
            other => panic!("{other}"),
        };
        assert_eq!(
            verify(case, pay_sig, signature, DialectPolicy::Strict),
            Err(code),
            "{}",
            near_miss["name"]
        );
        let lenient = verify(case, pay_sig, signature, DialectPolicy::Lenient);
        // The only one that proves the key.
        let is_accepted = text(&near_miss["name"]) == "wrong-uppercase-hex";
        assert_eq!(lenient.is_ok(), is_accepted, "{}", near_miss["name"]);
    }
}

/// Every request is read into the values that it was sent with.
#[test]
fn vectors_are_read_into_requests() {
    for case in vectors()["requests"].as_array().unwrap() {
        let (path, body) = (RawPath::parse(text(&case["uri"])).unwrap(), body(case));
        let Ok(object) = RawObject::parse(path.wire(), &body) else { continue };
        let request = RawRequest::read(path, &object).unwrap();
        let sent: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(request.openid.as_str(), text(&sent["openid"]));
        assert_eq!(request.zone_id.map(|zone| zone.to_string()), sent["zone_id"].as_str().map(str::to_owned));
        assert_eq!(request.offer_id.is_some(), path.wire() == RawWire::Game);
        let amount = match &request.order {
            pactolus_protocol::raw::RawOrder::Pay { amount, item, remark, .. } => {
                assert_eq!(item.as_str(), sent["payitem"].as_str().unwrap_or_default());
                assert_eq!(remark.as_str(), sent["remark"].as_str().unwrap_or_default());
                Some(amount.get())
            }
            pactolus_protocol::raw::RawOrder::Refund { amount, .. }
            | pactolus_protocol::raw::RawOrder::Present { amount, .. } => Some(amount.get()),
            pactolus_protocol::raw::RawOrder::Balance | pactolus_protocol::raw::RawOrder::TopUp { .. } => {
                None
            }
        };
        assert_eq!(amount, sent["amount"].as_u64());
        assert_eq!(amount.is_none(), matches!(path.kind(), RawCallKind::Balance | RawCallKind::TopUp));
    }
}

fn flip_digit(signature: &str, place: usize) -> String {
    let mut digits: Vec<char> = signature.chars().collect();
    let flipped = digits[place].to_digit(16).unwrap() ^ 1;
    digits[place] = char::from_digit(flipped, 16).unwrap();
    digits.into_iter().collect()
}

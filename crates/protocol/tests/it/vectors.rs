//! Test vectors: some published by the vendor and by independent clients, the others derived from those.

use pactolus_protocol::{
    AccessToken, Body, Call, CallKind, CallPath, CancelPay, Dialect, DialectPolicy, ErrorCode, GetBalance,
    MidasKey, MpSig, Pay, Present, SessionKey, UnverifiedCall, sign,
};
use serde_json::Value;

struct VectorKeys {
    midas: MidasKey,
    session: SessionKey,
    token: AccessToken,
}

fn vectors() -> (VectorKeys, Vec<Value>) {
    let file: Value = serde_json::from_str(include_str!("../vectors.json")).unwrap();
    let keys = VectorKeys {
        midas: MidasKey::new(text(&file["midas_key"])).unwrap(),
        session: SessionKey::new(text(&file["session_key"])).unwrap(),
        token: AccessToken::new(text(&file["access_token"])).unwrap(),
    };
    (keys, file["cases"].as_array().unwrap().clone())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn signatures_match_the_vectors() {
    let (keys, cases) = vectors();
    assert_eq!(cases.len(), 13);
    for case in &cases {
        let path = CallPath::parse(text(&case["path"])).unwrap();
        let json = case["params"].to_string();
        let body = Body::parse(json.as_bytes()).unwrap();
        let (sig, name) = (text(&case["sig"]), &case["name"]);

        let shown = sign::text::masked_sig_text(path, &body, Dialect::DOCUMENTED);
        assert_eq!(shown, text(&case["sig_text"]).replace(keys.midas.expose(), "***"), "{name}");
        assert_eq!(sign::sig(path, &body, Dialect::DOCUMENTED, &keys.midas).to_string(), sig, "{name}");

        let shown = sign::text::masked_mp_sig_text(path, &body, Dialect::DOCUMENTED, sig);
        let known = text(&case["mp_sig_text"]).replace(keys.session.expose(), "***");
        assert_eq!(shown, known.replace(keys.token.expose(), "***"), "{name}");
        let mp_sig = sign::mp_sig(path, &body, Dialect::DOCUMENTED, sig, &keys.token, &keys.session);
        assert_eq!(mp_sig.to_string(), text(&case["mp_sig"]), "{name}");
    }
}

#[test]
fn vectors_verify_and_a_flipped_digit_does_not() {
    let (keys, cases) = vectors();
    for case in &cases {
        match CallPath::parse(text(&case["path"])).unwrap().kind {
            CallKind::Present if case["params"]["present_counts"] == 0 => assert_zero_count_is_rejected(case),
            CallKind::Present => assert_accepts::<Present>(&keys, case),
            CallKind::GetBalance => assert_accepts::<GetBalance>(&keys, case),
            CallKind::Pay => assert_accepts::<Pay>(&keys, case),
            CallKind::CancelPay => assert_accepts::<CancelPay>(&keys, case),
        }
    }
}

fn assert_zero_count_is_rejected(case: &Value) {
    let refusal =
        Present::from_body(&Body::parse(case["params"].to_string().as_bytes()).unwrap()).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::InvalidParameter);
}

fn assert_accepts<C: Call + std::fmt::Debug>(keys: &VectorKeys, case: &Value) {
    let (sig, mp_sig) = (text(&case["sig"]), text(&case["mp_sig"]));
    assert_eq!(verify::<C>(keys, case, sig, mp_sig), Ok(()), "{}", case["name"]);
    for place in [0, 31, 63] {
        assert_eq!(verify::<C>(keys, case, &flip_digit(sig, place), mp_sig), Err(ErrorCode::SigError));
        assert_eq!(verify::<C>(keys, case, sig, &flip_digit(mp_sig, place)), Err(ErrorCode::MpSigError));
    }
    assert_eq!(verify::<C>(keys, case, &sig.to_uppercase(), mp_sig), Err(ErrorCode::MpSigError));
    assert_eq!(verify::<C>(keys, case, sig, &mp_sig.to_uppercase()), Ok(()));
}

fn verify<C: Call>(keys: &VectorKeys, case: &Value, sig: &str, mp_sig: &str) -> Result<(), ErrorCode> {
    let mut sent = case["params"].clone();
    sent["sig"] = sig.into();
    sent["mp_sig"] = mp_sig.into();
    let json = sent.to_string();
    let body = Body::parse(json.as_bytes()).unwrap();
    let environment = CallPath::parse(text(&case["path"])).unwrap().environment;
    let received = UnverifiedCall::<C>::read(environment, &body, MpSig::Required).unwrap();
    received.verify_sig(&keys.midas, DialectPolicy::Strict).map_err(|refusal| refusal.code())?;
    received
        .verify_mp_sig(&keys.session, &keys.token, DialectPolicy::Strict)
        .map(|dialect| assert_eq!(dialect, Some(Dialect::DOCUMENTED)))
        .map_err(|refusal| refusal.code())
}

fn flip_digit(signature: &str, place: usize) -> String {
    let mut digits: Vec<char> = signature.chars().collect();
    let flipped = digits[place].to_digit(16).unwrap() ^ 1;
    digits[place] = char::from_digit(flipped, 16).unwrap();
    digits.into_iter().collect()
}

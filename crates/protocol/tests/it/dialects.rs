//! Dialects that a lenient and a strict app accept, and near misses that both reject.

use pactolus_protocol::sign::dialect::SafeChars;
use pactolus_protocol::sign::{self, Encoding, Selection};
use pactolus_protocol::{
    AccessToken, Body, Call, Dialect, DialectPolicy, ErrorCode, ErrorReply, MidasKey, MpSig, Pay, Present,
    UnverifiedCall,
};
use pactolus_types::Environment;

use crate::samples::{
    LIVE_PAY, LIVE_PRESENT, PAY, PRESENT, midas_key, session_key, signed, token, with_proofs,
};

type VerifyResult = Result<(Dialect, Option<Dialect>), ErrorReply>;

/// Verifies a body sent to the live path, with the keys of `samples`.
fn verify<C: Call>(json: &str, dialects: DialectPolicy, mp_sig: MpSig) -> VerifyResult {
    let body = Body::parse(json.as_bytes())?;
    let received = UnverifiedCall::<C>::read(Environment::Live, &body, mp_sig)?;
    let sig = received.verify_sig(&midas_key(), dialects)?;
    Ok((sig, received.verify_mp_sig(&session_key(), &token(), dialects)?))
}

fn code(verified: VerifyResult) -> ErrorCode {
    verified.unwrap_err().code()
}

/// Fields for which no two dialects build the same signed text.
fn distinguishing_fields() -> String {
    format!(r#"{PAY},"user_ip":"","trace":"x y~*!","flag":true,"none":null,"deep":{{"amt":9}}"#)
}

#[test]
fn strict_policy_accepts_only_the_documented_dialect() {
    let fields = distinguishing_fields();
    for dialect in DialectPolicy::Lenient.accepted() {
        let json = signed(LIVE_PAY, &fields, dialect);
        let verified = verify::<Pay>(&json, DialectPolicy::Lenient, MpSig::Required).unwrap();
        assert_eq!(verified, (dialect, Some(dialect)));
        let strict = verify::<Pay>(&json, DialectPolicy::Strict, MpSig::Required);
        if dialect == Dialect::DOCUMENTED {
            assert_eq!(strict.unwrap(), verified);
        } else {
            assert_eq!(code(strict), ErrorCode::SigError, "{dialect}");
        }
    }
}

#[test]
fn each_dialect_signs_its_text() {
    let json = r#"{"zone_id":"1","user_ip":"","note":"a b","flag":true,"Upper":1.50,"_":null,"deep":[1],"sig":"s","mp_sig":"m","access_token":"t","amt":0,"ts":"7"}"#;
    let body = Body::parse(json.as_bytes()).unwrap();
    let cases = [
        (Selection::Documented, Encoding::Raw, "amt=0&ts=7&user_ip=&zone_id=1"),
        (
            Selection::EveryField,
            Encoding::Raw,
            "Upper=1.50&_=null&amt=0&flag=true&note=a b&ts=7&user_ip=&zone_id=1",
        ),
        (Selection::WithoutEmpty, Encoding::Raw, "amt=0&ts=7&zone_id=1"),
        (
            Selection::EveryField,
            Encoding::FormUpper(SafeChars::None),
            "Upper=1.50&_=null&amt=0&flag=true&note=a+b&ts=7&user_ip=&zone_id=1",
        ),
    ];
    for (selection, encoding, pairs) in cases {
        let shown = sign::text::masked_sig_text(LIVE_PAY, &body, Dialect { selection, encoding });
        assert_eq!(shown, format!("{pairs}&org_loc=/cgi-bin/midas/pay&method=POST&secret=***"));
    }
    let every = Dialect { selection: Selection::EveryField, encoding: Encoding::Raw };
    assert_eq!(
        sign::text::masked_mp_sig_text(LIVE_PAY, &body, every, "s"),
        "Upper=1.50&_=null&access_token=***&amt=0&flag=true&note=a b&sig=s&ts=7&user_ip=&zone_id=1\
         &org_loc=/cgi-bin/midas/pay&method=POST&session_key=***",
    );
}

#[test]
fn sig_and_mp_sig_may_use_different_dialects() {
    let fields = distinguishing_fields();
    let every = Dialect { selection: Selection::EveryField, encoding: Encoding::Raw };
    let unsigned = format!("{{{fields}}}");
    let body = Body::parse(unsigned.as_bytes()).unwrap();
    let sig = sign::sig(LIVE_PAY, &body, every, &midas_key()).to_string();
    let mp_sig = sign::mp_sig(LIVE_PAY, &body, Dialect::DOCUMENTED, &sig, &token(), &session_key());
    let json = with_proofs(&fields, &sig, &mp_sig.to_string());
    let verified = verify::<Pay>(&json, DialectPolicy::Lenient, MpSig::Required).unwrap();
    assert_eq!(verified, (every, Some(Dialect::DOCUMENTED)));
}

/// A signature that omits a parameter of the order must never verify.
#[test]
fn signature_must_cover_order_parameters() {
    for forgotten in [r#","bill_no":"BillNo_123""#, r#","present_counts":233"#] {
        let fields = PRESENT.replace(forgotten, "");
        assert_omitted_field_is_rejected::<Present>(LIVE_PRESENT, &fields, forgotten);
    }
    for forgotten in [r#","bill_no":"Pay*|@1""#, r#","amt":5"#] {
        let fields = PAY.replace(forgotten, "");
        assert_omitted_field_is_rejected::<Pay>(LIVE_PAY, &fields, forgotten);
    }
}

fn assert_omitted_field_is_rejected<C: Call>(path: pactolus_protocol::CallPath, fields: &str, omitted: &str) {
    for dialect in DialectPolicy::Lenient.accepted() {
        let unsigned = format!("{{{fields}}}");
        let body = Body::parse(unsigned.as_bytes()).unwrap();
        let sig = sign::sig(path, &body, dialect, &midas_key()).to_string();
        let mp_sig = sign::mp_sig(path, &body, dialect, &sig, &token(), &session_key()).to_string();
        let sent = with_proofs(&format!("{fields}{omitted}"), &sig, &mp_sig);
        assert_eq!(
            code(verify::<C>(&sent, DialectPolicy::Lenient, MpSig::Off)),
            ErrorCode::SigError,
            "{omitted}"
        );
        // The parameter may not be missing from the body either.
        let sent = with_proofs(fields, &sig, &mp_sig);
        assert_eq!(code(verify::<C>(&sent, DialectPolicy::Lenient, MpSig::Off)), ErrorCode::InvalidParameter);
    }
}

#[test]
fn signature_is_bound_to_path_key_and_token() {
    let json = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let body = Body::parse(json.as_bytes()).unwrap();
    let sandbox = UnverifiedCall::<Present>::read(Environment::Sandbox, &body, MpSig::Off).unwrap();
    assert_eq!(
        sandbox.verify_sig(&midas_key(), DialectPolicy::Lenient).unwrap_err().code(),
        ErrorCode::SigError
    );

    let live = UnverifiedCall::<Present>::read(Environment::Live, &body, MpSig::Required).unwrap();
    let sandbox_key = MidasKey::new("the-sandbox-key").unwrap();
    assert_eq!(
        live.verify_sig(&sandbox_key, DialectPolicy::Lenient).unwrap_err().code(),
        ErrorCode::SigError
    );
    let other_token = AccessToken::new("OTHERTOKEN").unwrap();
    let refusal = live.verify_mp_sig(&session_key(), &other_token, DialectPolicy::Lenient).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::MpSigError);
}

#[test]
fn mp_sig_covers_the_query_token_not_the_body_token() {
    let other = format!(r#"{PRESENT},"access_token":"OTHERTOKEN""#);
    for dialect in DialectPolicy::Lenient.accepted() {
        let json = signed(LIVE_PRESENT, &other, dialect);
        verify::<Present>(&json, DialectPolicy::Lenient, MpSig::Required).unwrap();
    }
    let json = signed(LIVE_PRESENT, &other, Dialect::DOCUMENTED);
    let body = Body::parse(json.as_bytes()).unwrap();
    let received = UnverifiedCall::<Present>::read(Environment::Live, &body, MpSig::Required).unwrap();
    let body_token = AccessToken::new("OTHERTOKEN").unwrap();
    let refusal = received.verify_mp_sig(&session_key(), &body_token, DialectPolicy::Lenient).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::MpSigError);
}

#[test]
fn signature_covers_raw_values() {
    // Escapes are decoded. Digits in a string and a numeric zone are signed as digits.
    let sent = PRESENT
        .replace("wx1234567", r"\u0077x1234567")
        .replace("1507530737", r#""1507530737""#)
        .replace(r#""zone_id":"1""#, r#""zone_id":1"#)
        .replace("233", r#""233""#);
    let plain = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let proofs = &plain[plain.find(r#","sig""#).unwrap()..];
    verify::<Present>(&format!("{{{sent}{proofs}"), DialectPolicy::Strict, MpSig::Required).unwrap();

    // An address has many spellings; the raw one is signed.
    let spelled = format!(r#"{PRESENT},"user_ip":"0:0:0:0:0:0:0:1""#);
    let json = signed(LIVE_PRESENT, &spelled, Dialect::DOCUMENTED);
    verify::<Present>(&json, DialectPolicy::Strict, MpSig::Required).unwrap();
    let respelled = json.replace("0:0:0:0:0:0:0:1", "::1");
    let refused = verify::<Present>(&respelled, DialectPolicy::Lenient, MpSig::Required);
    assert_eq!(code(refused), ErrorCode::SigError);
}

#[test]
fn mp_sig_setting_requires_checks_or_ignores() {
    let right = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let without = format!("{}}}", &right[..right.find(r#","mp_sig""#).unwrap()]);
    let wrong = format!(r#"{},"mp_sig":"{}"}}"#, without.trim_end_matches('}'), "0".repeat(64));
    let short = format!(r#"{},"mp_sig":""}}"#, without.trim_end_matches('}'));
    let number = format!(r#"{},"mp_sig":1}}"#, without.trim_end_matches('}'));
    let cases = [
        (MpSig::Required, [0, 90018, 90009, 90009, 90018]),
        (MpSig::IfPresent, [0, 0, 90009, 90009, 90018]),
        (MpSig::Off, [0, 0, 0, 0, 0]),
    ];
    for (setting, expected) in cases {
        let actual = [&right, &without, &wrong, &short, &number].map(|json| {
            verify::<Present>(json, DialectPolicy::Lenient, setting).map_or_else(|r| r.code().code(), |_| 0)
        });
        assert_eq!(actual, expected, "{setting:?}");
    }
}

#[test]
fn malformed_signature_error_asks_for_hex() {
    for bad in
        ["", "0", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &format!("{} ", "0".repeat(63)), "宝"]
    {
        let refusal =
            verify::<Present>(&with_proofs(PRESENT, bad, bad), DialectPolicy::Lenient, MpSig::Required);
        assert_eq!(refusal.unwrap_err().to_string(), "sig error: it must be 64 hex digits", "{bad}");
    }
    let right = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let mp_sig = right.find(r#","mp_sig""#).unwrap();
    let refusal = verify::<Present>(
        &format!(r#"{},"mp_sig":"no"}}"#, &right[..mp_sig]),
        DialectPolicy::Lenient,
        MpSig::Required,
    );
    assert_eq!(refusal.unwrap_err().to_string(), "mp_sig error: it must be 64 hex digits");
}

//! What a lenient and a strict app accept, and the near misses that neither does.

use pactolus_protocol::sign::dialect::Unescaped;
use pactolus_protocol::sign::{self, Encoding, Selection};
use pactolus_protocol::{
    AccessToken, Body, Call, Dialect, Dialects, ErrorCode, MidasKey, MpSig, Pay, Present, Received, Refusal,
};
use pactolus_types::Environment;

use crate::samples::{
    LIVE_PAY, LIVE_PRESENT, PAY, PRESENT, midas_key, session_key, signed, token, with_proofs,
};

type Verified = Result<(Dialect, Option<Dialect>), Refusal>;

/// What a body called live verifies as under the samples' keys.
fn verify<C: Call>(json: &str, dialects: Dialects, mp_sig: MpSig) -> Verified {
    let body = Body::parse(json.as_bytes())?;
    let received = Received::<C>::read(Environment::Live, &body, mp_sig)?;
    let sig = received.verify_sig(&midas_key(), dialects)?;
    Ok((sig, received.verify_mp_sig(&session_key(), &token(), dialects)?))
}

fn code(verified: Verified) -> ErrorCode {
    verified.unwrap_err().code()
}

/// Fields in which no two dialects sign the same text.
fn telling_fields() -> String {
    format!(r#"{PAY},"user_ip":"","trace":"x y~*!","flag":true,"none":null,"deep":{{"amt":9}}"#)
}

#[test]
fn a_lenient_app_accepts_every_dialect_and_a_strict_one_only_the_documented() {
    let fields = telling_fields();
    for dialect in Dialects::Lenient.in_order() {
        let json = signed(LIVE_PAY, &fields, dialect);
        let verified = verify::<Pay>(&json, Dialects::Lenient, MpSig::Required).unwrap();
        assert_eq!(verified, (dialect, Some(dialect)));
        let strict = verify::<Pay>(&json, Dialects::Strict, MpSig::Required);
        if dialect == Dialect::DOCUMENTED {
            assert_eq!(strict.unwrap(), verified);
        } else {
            assert_eq!(code(strict), ErrorCode::SigError, "{dialect}");
        }
    }
}

#[test]
fn the_texts_of_the_dialects() {
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
            Encoding::FormUpper(Unescaped::None),
            "Upper=1.50&_=null&amt=0&flag=true&note=a+b&ts=7&user_ip=&zone_id=1",
        ),
    ];
    for (selection, encoding, pairs) in cases {
        let shown = sign::text::explain_sig(LIVE_PAY, &body, Dialect { selection, encoding });
        assert_eq!(shown, format!("{pairs}&org_loc=/cgi-bin/midas/pay&method=POST&secret=***"));
    }
    let every = Dialect { selection: Selection::EveryField, encoding: Encoding::Raw };
    assert_eq!(
        sign::text::explain_mp_sig(LIVE_PAY, &body, every, "s"),
        "Upper=1.50&_=null&access_token=***&amt=0&flag=true&note=a b&sig=s&ts=7&user_ip=&zone_id=1\
         &org_loc=/cgi-bin/midas/pay&method=POST&session_key=***",
    );
}

#[test]
fn signatures_of_two_dialects_in_one_request_are_accepted() {
    let fields = telling_fields();
    let every = Dialect { selection: Selection::EveryField, encoding: Encoding::Raw };
    let unsigned = format!("{{{fields}}}");
    let body = Body::parse(unsigned.as_bytes()).unwrap();
    let sig = sign::sig(LIVE_PAY, &body, every, &midas_key()).to_string();
    let mp_sig = sign::mp_sig(LIVE_PAY, &body, Dialect::DOCUMENTED, &sig, &token(), &session_key());
    let json = with_proofs(&fields, &sig, &mp_sig.to_string());
    let verified = verify::<Pay>(&json, Dialects::Lenient, MpSig::Required).unwrap();
    assert_eq!(verified, (every, Some(Dialect::DOCUMENTED)));
}

/// A signer that forgot a parameter of the order signs a text of the others; nobody may accept it.
#[test]
fn a_text_without_the_orders_own_parameters_is_never_accepted() {
    for forgotten in [r#","bill_no":"BillNo_123""#, r#","present_counts":233"#] {
        let fields = PRESENT.replace(forgotten, "");
        refuses_signatures_of_fewer_fields::<Present>(LIVE_PRESENT, &fields, forgotten);
    }
    for forgotten in [r#","bill_no":"Pay*|@1""#, r#","amt":5"#] {
        let fields = PAY.replace(forgotten, "");
        refuses_signatures_of_fewer_fields::<Pay>(LIVE_PAY, &fields, forgotten);
    }
}

fn refuses_signatures_of_fewer_fields<C: Call>(
    path: pactolus_protocol::CallPath,
    fields: &str,
    forgotten: &str,
) {
    for dialect in Dialects::Lenient.in_order() {
        let unsigned = format!("{{{fields}}}");
        let body = Body::parse(unsigned.as_bytes()).unwrap();
        let sig = sign::sig(path, &body, dialect, &midas_key()).to_string();
        let mp_sig = sign::mp_sig(path, &body, dialect, &sig, &token(), &session_key()).to_string();
        let sent = with_proofs(&format!("{fields}{forgotten}"), &sig, &mp_sig);
        assert_eq!(
            code(verify::<C>(&sent, Dialects::Lenient, MpSig::Off)),
            ErrorCode::SigError,
            "{forgotten}"
        );
        // Nor may the parameter be missing from the body too.
        let sent = with_proofs(fields, &sig, &mp_sig);
        assert_eq!(code(verify::<C>(&sent, Dialects::Lenient, MpSig::Off)), ErrorCode::InvalidParameter);
    }
}

#[test]
fn what_was_signed_for_elsewhere_is_refused() {
    let json = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let body = Body::parse(json.as_bytes()).unwrap();
    let sandbox = Received::<Present>::read(Environment::Sandbox, &body, MpSig::Off).unwrap();
    assert_eq!(sandbox.verify_sig(&midas_key(), Dialects::Lenient).unwrap_err().code(), ErrorCode::SigError);

    let live = Received::<Present>::read(Environment::Live, &body, MpSig::Required).unwrap();
    let sandbox_key = MidasKey::new("the-sandbox-key").unwrap();
    assert_eq!(live.verify_sig(&sandbox_key, Dialects::Lenient).unwrap_err().code(), ErrorCode::SigError);
    let other_token = AccessToken::new("OTHERTOKEN").unwrap();
    let refusal = live.verify_mp_sig(&session_key(), &other_token, Dialects::Lenient).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::MpSigError);
}

#[test]
fn the_token_of_the_query_decides_whatever_the_body_says() {
    let other = format!(r#"{PRESENT},"access_token":"OTHERTOKEN""#);
    for dialect in Dialects::Lenient.in_order() {
        let json = signed(LIVE_PRESENT, &other, dialect);
        verify::<Present>(&json, Dialects::Lenient, MpSig::Required).unwrap();
    }
    let json = signed(LIVE_PRESENT, &other, Dialect::DOCUMENTED);
    let body = Body::parse(json.as_bytes()).unwrap();
    let received = Received::<Present>::read(Environment::Live, &body, MpSig::Required).unwrap();
    let body_token = AccessToken::new("OTHERTOKEN").unwrap();
    let refusal = received.verify_mp_sig(&session_key(), &body_token, Dialects::Lenient).unwrap_err();
    assert_eq!(refusal.code(), ErrorCode::MpSigError);
}

#[test]
fn values_are_signed_as_sent_not_as_read() {
    // Escapes are decoded, digits in a string and a numeric zone are signed as their digits.
    let sent = PRESENT
        .replace("wx1234567", r"\u0077x1234567")
        .replace("1507530737", r#""1507530737""#)
        .replace(r#""zone_id":"1""#, r#""zone_id":1"#)
        .replace("233", r#""233""#);
    let plain = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let proofs = &plain[plain.find(r#","sig""#).unwrap()..];
    verify::<Present>(&format!("{{{sent}{proofs}"), Dialects::Strict, MpSig::Required).unwrap();

    // An address has many spellings; the one that was sent is signed.
    let spelled = format!(r#"{PRESENT},"user_ip":"0:0:0:0:0:0:0:1""#);
    let json = signed(LIVE_PRESENT, &spelled, Dialect::DOCUMENTED);
    verify::<Present>(&json, Dialects::Strict, MpSig::Required).unwrap();
    let respelled = json.replace("0:0:0:0:0:0:0:1", "::1");
    let refused = verify::<Present>(&respelled, Dialects::Lenient, MpSig::Required);
    assert_eq!(code(refused), ErrorCode::SigError);
}

#[test]
fn the_setting_says_whether_mp_sig_is_needed_checked_or_ignored() {
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
        let told = [&right, &without, &wrong, &short, &number].map(|json| {
            verify::<Present>(json, Dialects::Lenient, setting).map_or_else(|r| r.code().code(), |_| 0)
        });
        assert_eq!(told, expected, "{setting:?}");
    }
}

#[test]
fn a_signature_that_is_none_says_so() {
    for bad in
        ["", "0", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65), &format!("{} ", "0".repeat(63)), "宝"]
    {
        let refusal = verify::<Present>(&with_proofs(PRESENT, bad, bad), Dialects::Lenient, MpSig::Required);
        assert_eq!(refusal.unwrap_err().to_string(), "sig error: it must be 64 hex digits", "{bad}");
    }
    let right = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let mp_sig = right.find(r#","mp_sig""#).unwrap();
    let refusal = verify::<Present>(
        &format!(r#"{},"mp_sig":"no"}}"#, &right[..mp_sig]),
        Dialects::Lenient,
        MpSig::Required,
    );
    assert_eq!(refusal.unwrap_err().to_string(), "mp_sig error: it must be 64 hex digits");
}

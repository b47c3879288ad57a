//! Every parameter: accepted values, rejected values, and the text of each error.

use pactolus_protocol::parameter::Presence;
use pactolus_protocol::{
    Body, Call, CallKind, CancelPay, ErrorCode, ErrorReply, GetBalance, MpSig, Parameter, Pay, Present,
    UnverifiedCall,
};
use pactolus_types::Environment;
use serde_json::{Map, Value, json};

use crate::samples::{PAY, PRESENT};

fn sample(kind: CallKind) -> Map<String, Value> {
    let json = match kind {
        CallKind::Present | CallKind::GetBalance => PRESENT,
        CallKind::Pay | CallKind::CancelPay => PAY,
    };
    serde_json::from_str(&format!(r#"{{{json},"user_ip":"203.0.113.7","sig":"s","mp_sig":"m"}}"#)).unwrap()
}

fn read<C: Call>(fields: &Map<String, Value>) -> Result<C, ErrorReply> {
    let json = serde_json::to_string(fields).unwrap();
    let body = Body::parse(json.as_bytes())?;
    Ok(UnverifiedCall::<C>::read(Environment::Live, &body, MpSig::Required)?.into_call())
}

fn read_kind(kind: CallKind, fields: &Map<String, Value>) -> Result<(), ErrorReply> {
    match kind {
        CallKind::Present => read::<Present>(fields).map(drop),
        CallKind::GetBalance => read::<GetBalance>(fields).map(drop),
        CallKind::Pay => read::<Pay>(fields).map(drop),
        CallKind::CancelPay => read::<CancelPay>(fields).map(drop),
    }
}

/// The parameter tables define the signed fields; the requests must read exactly those.
#[test]
fn parameter_table_says_required_and_optional() {
    for kind in CallKind::ALL {
        for (parameter, need) in kind.parameters() {
            for empty in [None, Some(json!(""))] {
                let mut fields = sample(kind);
                fields.remove(parameter.name());
                fields.extend(empty.map(|empty| (parameter.name().to_owned(), empty)));
                let result = read_kind(kind, &fields).map_err(|refusal| refusal.to_string());
                let expected = match need {
                    Presence::Required => Err(format!("invalid parameter: {parameter} is missing")),
                    Presence::Optional => Ok(()),
                };
                assert_eq!(result, expected, "{kind}");
            }
        }
        for parameter in Parameter::ALL.iter().copied() {
            let mut fields = sample(kind);
            fields.insert(parameter.name().to_owned(), json!([]));
            let result = read_kind(kind, &fields).map_err(|refusal| refusal.to_string());
            let is_read = kind.documents(parameter) || matches!(parameter, Parameter::Sig | Parameter::MpSig);
            assert_eq!(result.is_err(), is_read, "{kind} {parameter} {result:?}");
        }
    }
}

#[test]
fn missing_or_non_string_proof_is_invalid_parameter() {
    for proof in ["sig", "mp_sig"] {
        let mut fields = sample(CallKind::Present);
        fields.remove(proof);
        let missing = read::<Present>(&fields).unwrap_err();
        let words = missing.to_string();
        assert!(words.starts_with(&format!("invalid parameter: {proof} is missing")), "{words}");
        fields.insert(proof.to_owned(), json!(5));
        let number = read::<Present>(&fields).unwrap_err();
        assert_eq!(
            number.to_string(),
            format!("invalid parameter: {proof} is a number; it must be a string")
        );
    }
}

/// Each case: a parameter, its JSON value, and the error detail; empty if it is accepted.
#[rustfmt::skip] // One case a line.
const CASES: &[(&str, &str, &str)] = &[
    ("present_counts", "1", ""),
    ("present_counts", r#""5""#, ""),
    ("present_counts", "9007199254740991", ""),
    ("present_counts", "0", "is 0; it must be at least 1"),
    ("present_counts", r#""0""#, "is 0; it must be at least 1"),
    ("present_counts", "-1", "is negative; it must be at least 1"),
    ("present_counts", "-0", "is negative; it must be at least 1"),
    ("present_counts", "9007199254740992", "is too large; the most is 9007199254740991"),
    ("present_counts", r#""9007199254740992""#, "is too large; the most is 9007199254740991"),
    ("present_counts", "99999999999999999999999999999", "is too large; the most is 9007199254740991"),
    ("present_counts", "233.0", "has a fraction or an exponent; it must be an integer"),
    ("present_counts", "-0.0", "has a fraction or an exponent; it must be an integer"),
    ("present_counts", "1e2", "has a fraction or an exponent; it must be an integer"),
    ("present_counts", "1E2", "has a fraction or an exponent; it must be an integer"),
    ("present_counts", "true", "is true; it must be an integer"),
    ("present_counts", "null", "is null; it must be an integer"),
    ("present_counts", "[233]", "is an object or an array; it must be an integer"),
    ("present_counts", r#"{"a":1}"#, "is an object or an array; it must be an integer"),
    ("present_counts", r#""0233""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#""+5""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#""-5""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#"" 5""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#""5 ""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#""5.0""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#""1e2""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#""0x10""#, "is a string that is no decimal integer; it must be an integer"),
    ("present_counts", r#""５""#, "is a string that is no decimal integer; it must be an integer"),
    ("ts", r#""1507530737""#, ""),
    ("ts", "0", "is not unix seconds; it must be 1 to 9007199254740991"),
    ("ts", "99999999999999999999", "is not unix seconds; it must be 1 to 9007199254740991"),
    ("ts", "1507530737.5", "has a fraction or an exponent; it must be an integer"),
    ("ts", "null", "is null; it must be an integer"),
    ("zone_id", "7", ""),
    ("zone_id", r#""1_role""#, ""),
    ("zone_id", "1.0", "is a number; it must be a string"),
    ("zone_id", "-1", "is a number; it must be a string"),
    ("zone_id", "true", "is true; it must be a string"),
    ("zone_id", r#""a b""#, "holds a space; 1 to 64 digits, letters or any of _-.:|*@ are allowed"),
    ("openid", "7", "is a number; it must be a string"),
    ("openid", "null", "is null; it must be a string"),
    ("openid", "false", "is false; it must be a string"),
    ("openid", r#""a.b""#, "holds a character that is not allowed; 1 to 64 digits, letters or any of _- are allowed"),
    ("appid", "[]", "is an object or an array; it must be a string"),
    ("offer_id", "12345678", "is a number; it must be a string"),
    ("pf", r#""ios""#, ""),
    ("pf", r#""an droid""#, "is not 1 to 32 digits, letters or any of _-"),
    ("user_ip", r#""203.0.113.7""#, ""),
    ("user_ip", r#""2001:db8::7""#, ""),
    ("user_ip", r#""203.0.113""#, "is neither an IPv4 nor an IPv6 address, nor empty"),
    ("user_ip", r#""203.0.113.7:80""#, "is neither an IPv4 nor an IPv6 address, nor empty"),
    ("user_ip", "null", "is null; it must be a string"),
    ("bill_no", r#""A-z_0|9*@""#, ""),
    ("bill_no", r#""a&b""#, "holds a character that is not allowed; 1 to 63 digits, letters or any of _-|*@ are allowed"),
    ("bill_no", "123", "is a number; it must be a string"),
    ("unknown", "{}", ""),
    ("access_token", "5", ""),
];

#[test]
fn invalid_value_error_names_parameter_and_rule() {
    for (name, value, problem) in CASES {
        let mut fields = sample(CallKind::Present);
        fields.remove(*name);
        // Built as text, because a `Value` would not keep the raw digits.
        let rest = serde_json::to_string(&fields).unwrap();
        let sent = format!(r#"{{"{name}":{value},{}"#, &rest[1..]);
        let body = Body::parse(sent.as_bytes()).unwrap();
        match (Present::from_body(&body), *problem) {
            (Ok(_), "") => {}
            (Err(refusal), problem) if !problem.is_empty() => {
                assert_eq!(refusal.code(), ErrorCode::InvalidParameter);
                assert_eq!(refusal.detail(), Some(&*format!("{name} {problem}")), "{value}");
            }
            (other, _) => panic!("{name} {value}: {other:?}"),
        }
    }
}

#[test]
fn free_text_is_limited_by_length_only() {
    for (length, accepted) in [(1, true), (1024, true), (1025, false)] {
        let mut fields = sample(CallKind::Pay);
        fields.insert("app_remark".to_owned(), json!("\u{1}".repeat(length)));
        assert_eq!(read::<Pay>(&fields).is_ok(), accepted, "{length}");
    }
    let mut fields = sample(CallKind::CancelPay);
    fields.insert("pay_item".to_owned(), json!("宝".repeat(400)));
    let refusal = read::<CancelPay>(&fields).unwrap_err();
    assert_eq!(refusal.to_string(), "invalid parameter: pay_item is not 1 to 1024 bytes");
}

#[test]
fn missing_parameter_in_another_spelling_is_named() {
    for (name, other) in
        [("openid", "openId"), ("openid", "open_id"), ("zone_id", "zoneId"), ("sig", "Sig"), ("pf", "PF")]
    {
        let json =
            format!("{{{PRESENT},\"sig\":\"a\"}}").replace(&format!("\"{name}\":"), &format!("\"{other}\":"));
        let body = Body::parse(json.as_bytes()).unwrap();
        let refusal =
            UnverifiedCall::<Present>::read(Environment::Live, &body, MpSig::Off).unwrap_err().to_string();
        let words = format!(
            "invalid parameter: {name} is missing; a field has this name in another spelling, and only {name} is read"
        );
        assert_eq!(refusal, words);
    }
}

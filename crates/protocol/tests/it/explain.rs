//! The search for a mistake: its result without a known mistake, and its work limit.
//!
//! The server's `tests/it/explain.rs` tests each mistake through HTTP.

use pactolus_protocol::explain::{AppKeys, NumberForm};
use pactolus_protocol::{
    AppSecret, CallPath, Dialect, DialectPolicy, Evidence, MidasKey, Mistake, Parameter, SignatureFinding,
    sign,
};
use proptest::prelude::*;

use crate::samples::{
    LIVE_PAY, LIVE_PRESENT, PAY, PRESENT, midas_key, session_key, signed, token, with_proofs,
};

fn explain_both(path: CallPath, json: &str, dialects: DialectPolicy) -> (SignatureFinding, SignatureFinding) {
    let (live, sandbox) = (midas_key(), MidasKey::new("the-sandbox-key").unwrap());
    let (app_secret, session, token) = (AppSecret::new("the-secret").unwrap(), session_key(), token());
    let keys = AppKeys {
        live: &live,
        sandbox: &sandbox,
        app_secret: &app_secret,
        session: Some(&session),
        previous_session: None,
    };
    let evidence = Evidence::read(path, &token, json.as_bytes()).unwrap();
    (evidence.explain_sig(&keys, dialects), evidence.explain_mp_sig(&keys, dialects))
}

#[test]
fn dialect_is_a_mistake_only_under_strict() {
    for dialect in DialectPolicy::Lenient.accepted() {
        let json = signed(LIVE_PAY, PAY, dialect);
        let (sig, mp_sig) = explain_both(LIVE_PAY, &json, DialectPolicy::Lenient);
        // Of dialects with the same text, the first is reported.
        assert!(matches!(sig, SignatureFinding::Verified(_)), "{dialect}: {sig}");
        assert_eq!(sig, mp_sig);
        let (sig, mp_sig) = explain_both(LIVE_PAY, &json, DialectPolicy::Strict);
        match &sig {
            SignatureFinding::Verified(found) => assert_eq!(*found, Dialect::DOCUMENTED),
            found => {
                assert!(
                    matches!(found, SignatureFinding::Mistake(Mistake::Dialect(_))),
                    "{dialect}: {found}"
                );
            }
        }
        assert_eq!(sig, mp_sig);
    }
}

#[test]
fn missing_signature_is_unknown() {
    let unknown = (SignatureFinding::Unknown, SignatureFinding::Unknown);
    assert_eq!(explain_both(LIVE_PRESENT, &format!("{{{PRESENT}}}"), DialectPolicy::Lenient), unknown);
    for none in ["", "0", "宝", &"g".repeat(64), &"0".repeat(62), &"0".repeat(16_000)] {
        let json = with_proofs("\"ts\":1", none, &none[..none.len().min(10)]);
        assert_eq!(explain_both(LIVE_PRESENT, &json, DialectPolicy::Lenient), unknown);
    }
}

/// Regression, found by the fuzzer: a body with a text in `ts` made the search, and so `pactolus explain`, panic on
/// the first digit of a text without digits. The search now skips values that are not integers.
#[test]
fn non_integer_in_a_number_field_does_not_panic() {
    for value in ["\"宝\"", "\"\"", "\"1宝\"", "1.5", "-1"] {
        let json = with_proofs(&format!("\"openid\":\"a\",\"ts\":{value}"), &"0".repeat(64), "");
        assert_eq!(
            explain_both(LIVE_PRESENT, &json, DialectPolicy::Lenient).0,
            SignatureFinding::Unknown,
            "{value}"
        );
    }
}

#[test]
fn longest_texts_stay_within_the_work_limit() {
    // 1,024 bytes each, of characters that the encoders encode differently.
    let long = |text: &str| text.repeat(1024 / text.len());
    let fields = PAY.replace("宝剑 (small)", &long("宝 *~!")).replace("a/b first buy!~", &long("~/ *"));
    let floats = fields.replace(r#""amt":5"#, r#""amt":5.0"#);
    let unsigned = format!("{{{floats}}}");
    let body = pactolus_protocol::Body::parse(unsigned.as_bytes()).unwrap();
    let sig = sign::sig(LIVE_PAY, &body, Dialect::DOCUMENTED, &midas_key()).to_string();
    let (found, _) = explain_both(LIVE_PAY, &with_proofs(&fields, &sig, ""), DialectPolicy::Lenient);
    let form = NumberForm::Fraction(1);
    assert_eq!(found, SignatureFinding::Mistake(Mistake::Number { parameters: vec![Parameter::Amt], form }));
}

#[test]
fn largest_bodies_reach_the_work_limit() {
    let zeros = "0".repeat(64);
    let padded = format!(r#"{PRESENT},"padding":"{}""#, "宝 *~".repeat(2200));
    let many: String = (0..1700).map(|number| format!(r#","{number:x}":1"#)).collect::<Vec<_>>().concat();
    for fields in [padded, format!("{PRESENT}{many}")] {
        let found = explain_both(LIVE_PRESENT, &with_proofs(&fields, &zeros, &zeros), DialectPolicy::Lenient);
        assert_eq!(found, (SignatureFinding::WorkLimitReached, SignatureFinding::WorkLimitReached));
        let found = explain_both(LIVE_PRESENT, &with_proofs(PRESENT, &zeros, &zeros), DialectPolicy::Lenient);
        assert_eq!(found, (SignatureFinding::Unknown, SignatureFinding::Unknown));
    }
}

#[test]
fn explanation_holds_no_secret() {
    let json = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let token = token();
    let evidence = Evidence::read(LIVE_PRESENT, &token, json.as_bytes()).unwrap();
    let sig = evidence.raw_text(Parameter::Sig).unwrap();
    assert!(evidence.sig_text().ends_with("&secret=***"));
    let text = evidence.mp_sig_text();
    assert!(text.starts_with("access_token=***&") && text.ends_with("&session_key=***"), "{text}");
    assert!(text.contains(&format!("&sig={}…&", &sig[..8])), "{text}");
    let shown = format!("{evidence:?} {:?}", evidence.parameters());
    assert!(!shown.contains(sig) && !shown.contains(token.expose()), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_signature_is_no_known_mistake(sig in "[0-9a-f]{64}|[0-9a-f]{32}|[0-9A-F]{40}|[0-9a-zA-Z+/]{43}=") {
        let json = with_proofs(PAY, &sig, &sig);
        let (found, mp_sig_finding) = explain_both(LIVE_PAY, &json, DialectPolicy::Lenient);
        for found in [found, mp_sig_finding] {
            prop_assert!(matches!(found, SignatureFinding::Unknown | SignatureFinding::WorkLimitReached), "{found}");
        }
    }
}

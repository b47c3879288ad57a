//! The search for a mistake: what it says when there is none, and what it costs at most.
//!
//! That each mistake is named is tested through HTTP, in the server's `tests/it/explain.rs`.

use pactolus_protocol::explain::{Keys, NumberForm};
use pactolus_protocol::{
    AppSecret, CallPath, Dialect, Dialects, Evidence, Finding, MidasKey, Mistake, Parameter, sign,
};
use proptest::prelude::*;

use crate::samples::{
    LIVE_PAY, LIVE_PRESENT, PAY, PRESENT, midas_key, session_key, signed, token, with_proofs,
};

fn explained(path: CallPath, json: &str, dialects: Dialects) -> (Finding, Finding) {
    let (live, sandbox) = (midas_key(), MidasKey::new("the-sandbox-key").unwrap());
    let (app_secret, session, token) = (AppSecret::new("the-secret").unwrap(), session_key(), token());
    let keys = Keys {
        live: &live,
        sandbox: &sandbox,
        app_secret: &app_secret,
        session: Some(&session),
        session_before: None,
    };
    let evidence = Evidence::read(path, &token, json.as_bytes()).unwrap();
    (evidence.explain_sig(&keys, dialects), evidence.explain_mp_sig(&keys, dialects))
}

#[test]
fn what_verifies_is_right_in_its_dialect_and_a_mistake_where_that_is_not_taken() {
    for dialect in Dialects::Lenient.in_order() {
        let json = signed(LIVE_PAY, PAY, dialect);
        let (sig, mp_sig) = explained(LIVE_PAY, &json, Dialects::Lenient);
        // Of dialects that write the same text, the first is told.
        assert!(matches!(sig, Finding::Right(_)), "{dialect}: {sig}");
        assert_eq!(sig, mp_sig);
        let (sig, mp_sig) = explained(LIVE_PAY, &json, Dialects::Strict);
        match &sig {
            Finding::Right(found) => assert_eq!(*found, Dialect::DOCUMENTED),
            found => assert!(matches!(found, Finding::Mistake(Mistake::Dialect(_))), "{dialect}: {found}"),
        }
        assert_eq!(sig, mp_sig);
    }
}

#[test]
fn a_body_without_signatures_has_no_mistake() {
    let unknown = (Finding::Unknown, Finding::Unknown);
    assert_eq!(explained(LIVE_PRESENT, &format!("{{{PRESENT}}}"), Dialects::Lenient), unknown);
    for none in ["", "0", "宝", &"g".repeat(64), &"0".repeat(62), &"0".repeat(16_000)] {
        let json = with_proofs("\"ts\":1", none, &none[..none.len().min(10)]);
        assert_eq!(explained(LIVE_PRESENT, &json, Dialects::Lenient), unknown);
    }
}

/// Found by the fuzzer: a body whose `ts` is a text made the search panic, and with it `pactolus explain`, where it
/// took the first digit of what has none. What is no integer is not taken for one now.
#[test]
fn a_text_in_the_place_of_a_number_is_searched_as_a_text() {
    for value in ["\"宝\"", "\"\"", "\"1宝\"", "1.5", "-1"] {
        let json = with_proofs(&format!("\"openid\":\"a\",\"ts\":{value}"), &"0".repeat(64), "");
        assert_eq!(explained(LIVE_PRESENT, &json, Dialects::Lenient).0, Finding::Unknown, "{value}");
    }
}

#[test]
fn a_body_of_the_longest_texts_is_searched_for_every_mistake_of_the_documents() {
    // Of 1,024 bytes each, and of such as every encoder writes otherwise.
    let long = |text: &str| text.repeat(1024 / text.len());
    let fields = PAY.replace("宝剑 (small)", &long("宝 *~!")).replace("a/b first buy!~", &long("~/ *"));
    let floats = fields.replace(r#""amt":5"#, r#""amt":5.0"#);
    let unsigned = format!("{{{floats}}}");
    let body = pactolus_protocol::Body::parse(unsigned.as_bytes()).unwrap();
    let sig = sign::sig(LIVE_PAY, &body, Dialect::DOCUMENTED, &midas_key()).to_string();
    let (found, _) = explained(LIVE_PAY, &with_proofs(&fields, &sig, ""), Dialects::Lenient);
    let form = NumberForm::Fraction(1);
    assert_eq!(found, Finding::Mistake(Mistake::Number { parameters: vec![Parameter::Amt], form }));
}

#[test]
fn the_work_on_the_largest_bodies_is_cut_off() {
    let zeros = "0".repeat(64);
    let padded = format!(r#"{PRESENT},"padding":"{}""#, "宝 *~".repeat(2200));
    let many: String = (0..1700).map(|number| format!(r#","{number:x}":1"#)).collect::<Vec<_>>().concat();
    for fields in [padded, format!("{PRESENT}{many}")] {
        let found = explained(LIVE_PRESENT, &with_proofs(&fields, &zeros, &zeros), Dialects::Lenient);
        assert_eq!(found, (Finding::NotAllTried, Finding::NotAllTried));
        let found = explained(LIVE_PRESENT, &with_proofs(PRESENT, &zeros, &zeros), Dialects::Lenient);
        assert_eq!(found, (Finding::Unknown, Finding::Unknown));
    }
}

#[test]
fn the_texts_that_are_shown_hold_no_secret() {
    let json = signed(LIVE_PRESENT, PRESENT, Dialect::DOCUMENTED);
    let token = token();
    let evidence = Evidence::read(LIVE_PRESENT, &token, json.as_bytes()).unwrap();
    let sig = evidence.sent(Parameter::Sig).unwrap();
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
    fn a_signature_by_nobodys_key_is_no_known_mistake(sig in "[0-9a-f]{64}|[0-9a-f]{32}|[0-9A-F]{40}|[0-9a-zA-Z+/]{43}=") {
        let json = with_proofs(PAY, &sig, &sig);
        let (found, found_of_mp_sig) = explained(LIVE_PAY, &json, Dialects::Lenient);
        for found in [found, found_of_mp_sig] {
            prop_assert!(matches!(found, Finding::Unknown | Finding::NotAllTried), "{found}");
        }
    }
}

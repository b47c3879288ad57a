//! The work of a search stays below its limit for any input, by the work done and not by the time.
//!
//! Regression: candidates were built before they were charged, and those of another length than the signature were never
//! charged. A body of 1,700 fields, or a signature of 20 bytes, made a refusal cost six times its bound, so that a caller
//! with a token could keep a core busy with wrong signatures. Now the work is charged before it is done.

use proptest::prelude::*;

use super::scheme::work_done;
use super::search::WORK_BYTES_MAX;
use super::{AppKeys, Evidence, SignatureFinding};
use crate::midas::call::{CallKind, CallPath};
use crate::midas::sign::DialectPolicy;
use crate::secret::{AccessToken, AppSecret, MidasKey, SessionKey};

/// Explains both signatures of a body; returns the findings and the larger work done.
fn explain(kind: CallKind, json: &str, dialects: DialectPolicy) -> ([SignatureFinding; 2], usize) {
    let (live, sandbox) = (MidasKey::new("live-key").unwrap(), MidasKey::new("sandbox-key").unwrap());
    let session = SessionKey::new("V7Q38/i2KXaqrQyl2Yx9Hg==").unwrap();
    let previous = SessionKey::new("AAECAwQFBgcICQoLDA0ODw==").unwrap();
    let (app_secret, token) = (AppSecret::new("secret").unwrap(), AccessToken::new("TOKEN").unwrap());
    let keys = AppKeys {
        live: &live,
        sandbox: &sandbox,
        app_secret: &app_secret,
        session: Some(&session),
        previous_session: Some(&previous),
    };
    let path = CallPath { kind, environment: pactolus_types::Environment::Sandbox };
    let evidence = Evidence::read(path, &token, json.as_bytes()).unwrap();
    work_done::take();
    let sig = evidence.explain_sig(&keys, dialects);
    let work = work_done::take();
    let mp_sig = evidence.explain_mp_sig(&keys, dialects);
    ([sig, mp_sig], work.max(work_done::take()))
}

/// Signatures of every length that a hash function has, in each encoding.
fn signatures() -> Vec<String> {
    let base64 = |digits: usize, padding: &str| "A".repeat(digits) + padding;
    let hex = [32, 40, 64].map(|digits| "0".repeat(digits));
    hex.into_iter().chain([base64(22, "=="), base64(27, "="), base64(43, "=")]).collect()
}

fn body(fields: &str, signature: &str) -> String {
    format!(r#"{{{fields},"sig":"{signature}","mp_sig":"{signature}"}}"#)
}

const PAY: &str = r#""openid":"a","appid":"b","offer_id":"c","ts":1507530737,"zone_id":"1","pf":"android","user_ip":"1.2.3.4","amt":5,"bill_no":"d""#;

#[test]
fn largest_bodies_stay_within_the_work_limit() {
    let many: String = (0..1500).map(|number| format!(r#","{number:x}":1"#)).collect::<Vec<_>>().concat();
    let empty_keys: String =
        (0..900).map(|number| format!(r#","{number:x}":"""#)).collect::<Vec<_>>().concat();
    let escapes = format!(r#","pay_item":"{}""#, "\\u0001".repeat(1000));
    let wide = format!(r#","app_remark":"{}","pay_item":"{}""#, "宝".repeat(2000), "~ /".repeat(3000));
    let long_sig = format!(r#","x":"{}""#, "y".repeat(15_000));
    for more in ["", &many, &empty_keys, &escapes, &wide, &long_sig] {
        for signature in signatures() {
            for dialects in [DialectPolicy::Lenient, DialectPolicy::Strict] {
                let json = body(&format!("{PAY}{more}"), &signature);
                let (_, work) = explain(CallKind::Pay, &json, dialects);
                assert!(work <= WORK_BYTES_MAX, "{work} bytes for {} bytes of body", json.len());
            }
        }
    }
}

#[test]
fn usual_body_takes_half_of_the_work_limit() {
    let texts = r#","pay_item":"sword_1","app_remark":"first-buy""#;
    let (findings, work) =
        explain(CallKind::Pay, &body(&format!("{PAY}{texts}"), &"0".repeat(64)), DialectPolicy::Lenient);
    assert_eq!(findings, [SignatureFinding::Unknown, SignatureFinding::Unknown]);
    assert!(work <= WORK_BYTES_MAX / 2, "{work}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_body_stays_within_the_work_limit(
        fields in proptest::collection::btree_map("[a-z_]{0,6}", r"\PC{0,200}", 0..150),
        signature in proptest::sample::select(signatures()),
        kind in proptest::sample::select(&CallKind::ALL[..]),
    ) {
        let mut object = serde_json::json!({});
        for (key, value) in fields {
            object[key] = value.into();
        }
        object["sig"] = signature.clone().into();
        object["mp_sig"] = signature.into();
        let json = object.to_string();
        if json.len() <= crate::BODY_BYTES_MAX {
            let (_, work) = explain(kind, &json, DialectPolicy::Lenient);
            prop_assert!(work <= WORK_BYTES_MAX, "{} bytes", work);
        }
    }
}

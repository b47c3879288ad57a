//! Diagnosis of signatures over raw bodies: each near miss of the known answers is named.

use pactolus_protocol::explain::AppKeys;
use pactolus_protocol::raw::explain::{RawEvidence, RawFinding, RawProof};
use pactolus_protocol::{AccessToken, AppSecret, DialectPolicy, MidasKey, Query, RawPath, SessionKey};
use pactolus_types::Environment;
use serde_json::Value;

use crate::raw_vectors::{body, text, vectors};

/// Explains `field` with the value `sent` in a request of the vectors.
fn explain(case: &Value, field: &str, sent: &str, dialects: DialectPolicy) -> (RawFinding, String) {
    let (live, sandbox) = (MidasKey::new("12345").unwrap(), MidasKey::new("67890").unwrap());
    let session = SessionKey::new("9hAb/NEYUlkaMBEsmFgzig==").unwrap();
    let previous = SessionKey::new("AAECAwQFBgcICQoLDA0ODw==").unwrap();
    let (app_secret, token) = (AppSecret::new("the-secret").unwrap(), AccessToken::new("TOKEN").unwrap());
    let keys = AppKeys {
        live: &live,
        sandbox: &sandbox,
        app_secret: &app_secret,
        session: Some(&session),
        previous_session: Some(&previous),
    };
    let (query, body) = (format!("access_token=TOKEN&{field}={sent}"), body(case));
    let evidence = RawEvidence {
        path: RawPath::parse(text(&case["uri"])).unwrap(),
        environment: Environment::Live,
        token: &token,
        query: Query::new(&query),
        host: Some("bank.example:8790"),
        body: &body,
    };
    let proof = if field == "pay_sig" { RawProof::PaySig } else { RawProof::Signature };
    let finding = evidence.explain(proof, &keys, dialects);
    let shown = format!(
        "{finding} {} {} {evidence:?} {}",
        finding.name(),
        finding.fix(),
        evidence.signed_text(proof)
    );
    for secret in ["12345", "67890", session.expose(), previous.expose(), "the-secret", "TOKEN", "BillNo_123"]
    {
        assert!(!shown.contains(secret) || secret == "12345" && shown.contains("offer"), "{shown}");
    }
    (finding, shown)
}

#[test]
fn near_misses_are_explained() {
    let all = vectors();
    for near_miss in all["near_misses"].as_array().unwrap() {
        let case =
            all["requests"].as_array().unwrap().iter().find(|case| case["name"] == near_miss["of"]).unwrap();
        let (name, field) = (text(&near_miss["name"]), text(&near_miss["field"]));
        let (finding, shown) = explain(case, field, text(&near_miss["value"]), DialectPolicy::Strict);
        let expected = match name {
            "wrong-uri-no-leading-slash"
            | "wrong-uri-trailing-slash"
            | "wrong-uri-with-host"
            | "wrong-uri-with-query"
            | "wrong-uri-method-suffix"
            | "wrong-no-ampersand" => "uri-form",
            "wrong-uri-other-call" | "wrong-uri-midas1" => "other-path",
            "wrong-uppercase-hex" => "uppercase-hex",
            "wrong-base64" => "base64",
            "wrong-key-is-session" => "session-key-as-app-key",
            "wrong-key-of-other-environment" | "wrong-signature-app-key" => "wrong-app-key",
            "wrong-body-respaced"
            | "wrong-body-escaped"
            | "signed-without-the-newline-sent"
            | "signed-without-the-newline-sent-signature" => "body-respelled",
            "wrong-sha1" | "wrong-plain-sha256" => "hash-function",
            "wrong-signature-with-uri" => "uri-in-signature",
            "wrong-signature-decoded-session" => "session-key-decoded",
            // Signed other values than were sent.
            "wrong-signature-midas1" | "signed-with-html-escapes-not-sent" => "no-known-mistake",
            other => panic!("{other} is not expected"),
        };
        assert_eq!(finding.name(), expected, "{name}: {shown}");
    }
}

#[test]
fn right_signature_is_verified() {
    let all = vectors();
    for case in all["requests"].as_array().unwrap() {
        if case["app_key"] != "12345" {
            continue;
        }
        let (finding, _) = explain(case, "pay_sig", text(&case["pay_sig"]), DialectPolicy::Strict);
        assert_eq!(finding, RawFinding::Verified, "{}", case["name"]);
        let (finding, _) = explain(case, "signature", text(&case["pay_sig"]), DialectPolicy::Strict);
        assert_eq!(finding.name(), "signatures-swapped", "{}", case["name"]);
    }
}

#[test]
fn signed_text_shows_length_and_digest_of_the_body() {
    let all = vectors();
    let case = &all["requests"][0];
    let (_, shown) = explain(case, "pay_sig", "00", DialectPolicy::Strict);
    assert!(shown.contains("/wxa/game/getbalance&(body of 97 bytes, SHA-256 "), "{shown}");
}

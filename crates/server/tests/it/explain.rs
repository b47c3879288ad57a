//! Diagnosis of signature mistakes: each known one, made by a client of this test, is named. The sandbox names it in
//! the reply; live, only the operator API does.
//!
//! Nothing here signs with the bank's code. Texts are written out and hashed, so the mistakes are the client's own.
//! Read next: `explain/sig_mistakes.rs`, the mistakes.

mod keys;
mod mistakes;
mod mp_sig_mistakes;
mod sig_mistakes;
mod signing_client;

use std::collections::BTreeSet;
use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::DialectPolicy;
use pactolus_server::AppSettings;
use pactolus_types::Environment;
use serde_json::Value;

use self::mistakes::MistakeCase;
use self::mp_sig_mistakes::MP_SIG_MISTAKES;
use self::sig_mistakes::SIG_MISTAKES;
use self::signing_client::{PAY, PRESENT, SampleCall, SigningClient, hmac, mp_pairs};
use crate::bank::{
    APPID, MIDAS_KEY, OPERATOR, PLAYER, SANDBOX_KEY, SECRET, SESSION_KEY, TOKEN, TestBank, assert_refused,
    sample_app,
};

const OLD_SESSION_KEY: &str = "AAECAwQFBgcICQoLDA0ODw==";

/// A bank whose player logged in twice.
async fn start_after_two_logins(app: AppSettings) -> TestBank {
    let bank = TestBank::with_app(app).await;
    let path = format!("/api/v1/apps/{APPID}/players/{PLAYER}/session");
    let old = format!(r#"{{"session_key":"{OLD_SESSION_KEY}","expires_in":60}}"#);
    assert_eq!(bank.operator_request(Method::PUT, &path, old).await.0, StatusCode::OK);
    bank.log_in(PLAYER).await;
    bank
}

/// Sends a request that is refused. Returns the reply and the operator API's rejection.
async fn send_refused(
    bank: &TestBank,
    client: SigningClient,
    sample: SampleCall,
    extra: &str,
    sig: &str,
    mp_sig: &str,
) -> (Value, Value) {
    let body = format!(r#"{{{}{extra},"sig":"{sig}","mp_sig":"{mp_sig}"}}"#, sample.0);
    let reply = bank.post(&format!("{}?access_token={TOKEN}", client.path(sample)), body).await;
    let rejection = fetch_rejection(bank, &reply).await;
    assert_eq!((&rejection["errcode"], &rejection["errmsg"]), (&reply["errcode"], &reply["errmsg"]));
    assert_no_secret(&reply);
    assert_no_secret(&rejection);
    (reply, rejection)
}

/// The operator API's rejection for a refused request.
async fn fetch_rejection(bank: &TestBank, reply: &Value) -> Value {
    let (_, rid) = reply["errmsg"].as_str().unwrap().split_once(" rid: ").unwrap();
    let (status, rejection) =
        bank.operator_request(Method::GET, &format!("/api/v1/rejections/{rid}"), "").await;
    assert_eq!((status, &rejection["rid"]), (StatusCode::OK, &rid.into()), "{rejection}");
    rejection
}

#[track_caller]
fn assert_no_secret(shown: &Value) {
    let text = shown.to_string();
    for secret in
        [MIDAS_KEY, SANDBOX_KEY, SECRET, OPERATOR, TOKEN, SESSION_KEY, OLD_SESSION_KEY, "OTHERTOKEN"]
    {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

/// Asserts that a mistake is named: in the sandbox also in the reply, live in the rejection only.
#[track_caller]
fn assert_finding(
    client: SigningClient,
    case: &MistakeCase,
    made: &str,
    (code, bare): (i64, &str),
    (reply, rejection): &(Value, Value),
) {
    let words = case.words.replace("OTHERPATH", &client.other().path(case.sample));
    let words = words.replace("GETBALANCE", &client.path(case.sample).replace("/pay", "/getbalance"));
    let words = words.replace("OTHER", client.other().0.as_str());
    let finding = &rejection["findings"][0];
    assert_eq!(
        (&finding["name"], &finding["finding"]),
        (&case.name.into(), &words.clone().into()),
        "{rejection}"
    );
    assert!(!finding["fix"].as_str().unwrap().is_empty());
    if client.is_live() {
        let is_hex = made.len() == 64 && made.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bare = if is_hex { bare.to_owned() } else { format!("{bare}: it must be 64 hex digits") };
        assert_refused(reply, code, &bare);
    } else {
        assert_refused(reply, code, &format!("{bare}: {words}"));
    }
}

#[tokio::test]
async fn every_mistake_in_sig_is_named() {
    let bank = start_after_two_logins(sample_app()).await;
    for client in Environment::ALL.map(SigningClient) {
        for case in SIG_MISTAKES.iter().chain(keys::SIG_MISTAKES) {
            // Live diagnoses are rate-limited.
            bank.clock.advance(Duration::from_secs(1));
            let sig = (case.make)(client, "");
            let refused = send_refused(&bank, client, case.sample, case.extra, &sig, &"0".repeat(64)).await;
            assert_finding(client, case, &sig, (90011, "sig error"), &refused);
            let text = refused.1["signed_text"].as_str().unwrap();
            let right = client.text(case.sample, case.sample.1).replace(client.key(), "***");
            assert_eq!(text, right, "signed_text is the documented text");
        }
    }
}

#[tokio::test]
async fn every_mistake_in_mp_sig_is_named() {
    let bank = start_after_two_logins(sample_app()).await;
    for client in Environment::ALL.map(SigningClient) {
        for case in MP_SIG_MISTAKES.iter().chain(keys::MP_SIG_MISTAKES) {
            bank.clock.advance(Duration::from_secs(1));
            let sig = client.sign(case.sample, case.sample.1);
            let mp_sig = (case.make)(client, &sig);
            let refused = send_refused(&bank, client, case.sample, case.extra, &sig, &mp_sig).await;
            assert_finding(client, case, &mp_sig, (90009, "mp_sig error"), &refused);
            let rejection = refused.1.to_string();
            assert!(!rejection.contains(&sig), "a correct signature is shown in full: {rejection}");
            assert!(refused.1["signed_text"].as_str().unwrap().contains(&format!("&sig={}…&", &sig[..8])));
        }
    }
    let old = &MP_SIG_MISTAKES[0];
    assert_eq!(old.name, "old-session-key");
    let client = SigningClient(Environment::Live);
    let sig = client.sign(old.sample, old.sample.1);
    bank.clock.advance(Duration::from_secs(1));
    let (_, rejection) = send_refused(&bank, client, old.sample, "", &sig, &(old.make)(client, &sig)).await;
    assert_eq!(rejection["findings"][1]["name"], "login-replaced");
    assert_eq!(
        rejection["findings"][1]["finding"],
        "a newer login replaced this session at 2017-10-09T06:32:17Z"
    );
}

#[tokio::test]
async fn swapped_signatures_are_named() {
    let bank = start_after_two_logins(sample_app()).await;
    let client = SigningClient(Environment::Sandbox);
    let sig = client.sign(PRESENT, PRESENT.1);
    let mp_sig = client.mp_sign(PRESENT, &mp_pairs(PRESENT.1, &sig));
    let (reply, rejection) = send_refused(&bank, client, PRESENT, "", &mp_sig, &sig).await;
    assert_refused(&reply, 90011, "sig error: sig and mp_sig stand in each other's place");
    assert_eq!(rejection["findings"][0]["name"], "signatures-swapped");
}

#[tokio::test]
async fn forged_signature_matches_no_mistake() {
    let bank = start_after_two_logins(sample_app()).await;
    for client in Environment::ALL.map(SigningClient) {
        let right = client.sign(PRESENT, PRESENT.1);
        let mut last = right.chars().last().unwrap().to_digit(16).unwrap();
        last ^= 1;
        let flipped = format!("{}{last:x}", &right[..63]);
        for forged in [flipped, "0".repeat(64), hmac("guess", client.text(PRESENT, PRESENT.1))] {
            for (sig, code, bare) in [(&forged, 90011, "sig error"), (&right, 90009, "mp_sig error")] {
                let (reply, rejection) = send_refused(&bank, client, PRESENT, "", sig, &forged).await;
                let words = "no known mistake makes this signature";
                assert_eq!(rejection["findings"][0]["finding"], words);
                assert_eq!(rejection["findings"][0]["name"], "no-known-mistake");
                let bare = if client.is_live() { bare.to_owned() } else { format!("{bare}: {words}") };
                assert_refused(&reply, code, &bare);
            }
        }
        let (reply, _) = send_refused(&bank, client, PRESENT, "", "not hex", "not hex").await;
        assert_refused(&reply, 90011, "sig error: it must be 64 hex digits");
    }
}

#[tokio::test]
async fn strict_app_rejection_names_the_dialect() {
    let bank = start_after_two_logins(AppSettings { dialects: DialectPolicy::Strict, ..sample_app() }).await;
    let client = SigningClient(Environment::Sandbox);
    let only = "but this app accepts only the documented one";
    for (sample, extra, pairs, dialect) in [
        (PRESENT, r#","extra":"x""#, PRESENT.1.replace("&offer_id", "&extra=x&offer_id"), "every-field"),
        (PAY, "", PAY.1.replace("宝 1", "%E5%AE%9D+1").replace("a/b", "a%2Fb"), "form-encoded"),
        (PRESENT, r#","user_ip":"""#, PRESENT.1.to_owned(), "without-empty"),
    ] {
        let sig = client.sign(sample, &pairs);
        let (reply, rejection) = send_refused(&bank, client, sample, extra, &sig, &"0".repeat(64)).await;
        assert_refused(&reply, 90011, &format!("sig error: signed in the dialect {dialect}, {only}"));
        assert_eq!(rejection["findings"][0]["name"], "dialect");
    }
}

#[tokio::test]
async fn signing_the_called_host_is_named() {
    let bank = start_after_two_logins(sample_app()).await;
    let client = SigningClient(Environment::Sandbox);
    let text = client.text(PRESENT, PRESENT.1).replace("=/cgi", &format!("={}/cgi", bank.base));
    let (reply, _) = send_refused(&bank, client, PRESENT, "", &hmac(client.key(), text), "").await;
    assert_refused(&reply, 90011, "sig error: signed with the host before the path");
}

#[test]
fn docs_list_exactly_the_tested_mistakes() {
    let page = include_str!("../../../../docs/operating/rejections.md");
    let signatures = page.split("\n## ").find(|section| section.starts_with("Signatures")).unwrap();
    let named = |line: &'static str| line.strip_prefix("| `")?.split('`').next();
    let documented: BTreeSet<_> = signatures.lines().filter_map(named).collect();
    // These have their own tests.
    let others = ["dialect", "signatures-swapped"];
    let cases = [SIG_MISTAKES, MP_SIG_MISTAKES, keys::SIG_MISTAKES, keys::MP_SIG_MISTAKES];
    let tested: BTreeSet<_> = cases.into_iter().flatten().map(|case| case.name).chain(others).collect();
    assert_eq!(documented, tested);
}

//! Order of checks, which is part of the contract: of two errors in one request, the earlier check's is returned.

use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::{DialectPolicy, MidasKey, MpSig, Present, signed_body};
use pactolus_types::Environment;
use serde_json::Value;

use crate::bank::{
    MIDAS_KEY, PLAYER, SANDBOX_KEY, TestBank, assert_refused, gift, sample_app, sign, sign_with,
};

const LIVE: Environment = Environment::Live;
const PATH: &str = "/cgi-bin/midas/present";
const WITH_TOKEN: &str = "/cgi-bin/midas/present?access_token=ACCESSTOKEN";

/// The sample's body with one field changed and the signature unchanged.
fn body_with(field: &str, value: impl Into<Value>) -> String {
    let mut body: Value = serde_json::from_str(&sign(&gift("b", 5), LIVE)).unwrap();
    body[field] = value.into();
    body.to_string()
}

#[tokio::test]
async fn checks_run_in_contract_order() {
    let bank = TestBank::start().await;
    let refused = async |method: Method, path: &str, body: &str, errcode, words: &str| {
        let (status, _, reply) = bank.send(method, path, &[], body.to_owned()).await;
        assert_eq!(status, StatusCode::OK);
        assert_refused(&serde_json::from_slice(&reply).unwrap(), errcode, words);
    };

    // Everything is wrong at first. Each line corrects one error.
    refused(Method::GET, PATH, "", 43002, "require POST method").await;
    refused(Method::PUT, PATH, "", 43002, "require POST method").await;
    refused(Method::POST, PATH, "", 41001, "access_token missing").await;
    let unknown = format!("{PATH}?access_token=another");
    let invalid = "invalid credential, access_token is invalid or not latest";
    refused(Method::POST, &unknown, "", 40001, invalid).await;
    refused(Method::POST, WITH_TOKEN, "", 44002, "empty post data").await;
    refused(Method::POST, WITH_TOKEN, "[]", 47001, "data format error: the body is not a JSON object").await;

    let mut body: Value = serde_json::from_str(&sign(&gift("b", 5), LIVE)).unwrap();
    let right = body.clone();
    body["present_counts"] = 0.into();
    body["pf"] = "ios".into();
    body["appid"] = "wx7654321".into();
    body["offer_id"] = "87654321".into();
    body["sig"] = "00".into();
    body["openid"] = "stranger".into();
    body["mp_sig"] = "00".into();
    let zero = "invalid parameter: present_counts is 0; it must be at least 1";
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90018, zero).await;
    body["present_counts"] = 5.into();
    let platform = "invalid parameter: pf is not a platform of this app; it allows android";
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90018, platform).await;
    body["pf"] = "android".into();
    let app = "no privilege: appid is not the app of the access_token";
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90017, app).await;
    body["appid"] = right["appid"].clone();
    let offer = "no privilege: offer_id is not the offer of this app";
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90017, offer).await;
    body["offer_id"] = right["offer_id"].clone();
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90011, "sig error: it must be 64 hex digits").await;
    body["sig"] = right["sig"].clone();
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90011, "sig error").await;
    let mut stranger = gift("b", 5);
    stranger.caller.openid = "stranger".parse().unwrap();
    let mut body: Value = serde_json::from_str(&sign(&stranger, LIVE)).unwrap();
    body["mp_sig"] = "00".into();
    let no_session = "no session: the player is not logged in";
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90010, no_session).await;
    bank.log_in("stranger").await;
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90009, "mp_sig error: it must be 64 hex digits")
        .await;
    body["mp_sig"] = right["mp_sig"].clone();
    refused(Method::POST, WITH_TOKEN, &body.to_string(), 90009, "mp_sig error").await;
    assert_eq!(bank.balance(LIVE).await, 0);
    assert_eq!(bank.post(WITH_TOKEN, right.to_string()).await["errcode"], 0);
}

#[tokio::test]
async fn foreign_signature_is_refused() {
    let bank = TestBank::start().await;
    let sandbox = Environment::Sandbox;
    let (live_key, sandbox_key) = (MidasKey::new(MIDAS_KEY).unwrap(), MidasKey::new(SANDBOX_KEY).unwrap());
    // Signed for the other environment's path, with the other environment's key, and both.
    for body in [
        sign_with(&gift("b", 5), sandbox, &live_key),
        sign_with(&gift("b", 5), LIVE, &sandbox_key),
        sign_with(&gift("b", 5), sandbox, &sandbox_key),
    ] {
        assert_refused(&bank.call::<Present>(LIVE, body).await, 90011, "sig error");
    }
    assert_refused(&bank.call::<Present>(LIVE, body_with("present_counts", 6)).await, 90011, "sig error");
    assert_refused(&bank.call::<Present>(LIVE, body_with("bill_no", "c")).await, 90011, "sig error");
    assert_eq!((bank.balance(LIVE).await, bank.balance(sandbox).await), (0, 0));
}

#[tokio::test]
async fn expired_or_replaced_login_is_refused() {
    let bank = TestBank::start().await;
    bank.clock.advance(Duration::from_secs(86_399));
    assert_eq!(bank.present(&gift("in-time", 5)).await["errcode"], 0);
    bank.clock.advance(Duration::from_secs(1));
    let over = "no session: the player's session has expired";
    assert_refused(&bank.present(&gift("late", 5)).await, 90010, over);
    // A new login with another key replaces the previous one.
    let path = format!("/api/v1/apps/wx1234567/players/{PLAYER}/session");
    let other = r#"{"session_key":"AAAAAAAAAAAAAAAAAAAAAA==","expires_in":60}"#;
    assert_eq!(bank.operator_request(Method::PUT, &path, other).await.0, StatusCode::OK);
    assert_refused(&bank.present(&gift("replaced", 5)).await, 90009, "mp_sig error");
    bank.log_in(PLAYER).await;
    assert_eq!(bank.present(&gift("late", 5)).await["balance"], 10);
}

#[tokio::test]
async fn mp_sig_policy_is_set_per_app() {
    let unsigned = |bill_no: &str| {
        let mut stranger = gift(bill_no, 5);
        stranger.caller.openid = "stranger".parse().unwrap();
        signed_body(&stranger, LIVE, &MidasKey::new(MIDAS_KEY).unwrap(), None)
    };
    let wrong = |bill_no: &str| {
        let mut body: Value = serde_json::from_str(&unsigned(bill_no)).unwrap();
        body["mp_sig"] = "00".into();
        body.to_string()
    };
    let bank = TestBank::start().await;
    let missing = bank.call::<Present>(LIVE, unsigned("a")).await;
    assert_refused(
        &missing,
        90018,
        "invalid parameter: mp_sig is missing; sign the call with the player's session key too, or set mp_sig = \"if-present\" for the app",
    );

    let bank =
        TestBank::with_app(pactolus_server::AppSettings { mp_sig: MpSig::IfPresent, ..sample_app() }).await;
    assert_eq!(bank.call::<Present>(LIVE, unsigned("a")).await["errcode"], 0);
    assert_eq!(bank.call::<Present>(LIVE, wrong("b")).await["errcode"], 90010);

    let bank = TestBank::with_app(pactolus_server::AppSettings { mp_sig: MpSig::Off, ..sample_app() }).await;
    assert_eq!(bank.call::<Present>(LIVE, unsigned("a")).await["errcode"], 0);
    assert_eq!(bank.call::<Present>(LIVE, wrong("b")).await["errcode"], 0);
}

#[tokio::test]
async fn strict_app_accepts_documented_form_only() {
    // The signed text has an undocumented field, as some clients do it.
    let mut body: Value = serde_json::from_str(&sign(&gift("b", 5), LIVE)).unwrap();
    let text = "appid=wx1234567&bill_no=b&extra=x&offer_id=12345678&openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&pf=android&present_counts=5&ts=1507530737&zone_id=1";
    let hmac = |key: &str, text: &str| {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let digest = mac.finalize().into_bytes();
        digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    let sig = hmac(MIDAS_KEY, &format!("{text}&org_loc={PATH}&method=POST&secret={MIDAS_KEY}"));
    body["extra"] = "x".into();
    body["sig"] = sig.into();
    for (dialects, mp_sig, errcode) in
        [(DialectPolicy::Lenient, MpSig::Off, 0), (DialectPolicy::Strict, MpSig::Off, 90011)]
    {
        let bank =
            TestBank::with_app(pactolus_server::AppSettings { dialects, mp_sig, ..sample_app() }).await;
        assert_eq!(bank.post(WITH_TOKEN, body.to_string()).await["errcode"], errcode);
    }
}

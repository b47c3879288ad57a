//! Stable token: returned again while valid, replaced on expiry or on request, kept across a restart.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::{AppSecret, MidasKey, MpSig, signed_body};
use pactolus_server::AppSettings;
use pactolus_test_support::files::any_file_contains;
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::bank::{APPID, MIDAS_KEY, SECRET, START, TestBank, assert_refused, gift, sample_app};

const PATH: &str = "/cgi-bin/stable_token";
const INVALID: &str = "invalid credential, access_token is invalid or not latest";

fn request() -> Value {
    json!({ "grant_type": "client_credential", "appid": APPID, "secret": SECRET })
}

/// The token in the reply, and its remaining seconds.
async fn request_token(bank: &TestBank, request: Value) -> (String, u64) {
    let reply = bank.post(PATH, request.to_string()).await;
    assert!(reply.get("errcode").is_none(), "{reply}");
    (reply["access_token"].as_str().unwrap().to_owned(), reply["expires_in"].as_u64().unwrap())
}

async fn current_token(bank: &TestBank) -> (String, u64) {
    request_token(bank, request()).await
}

fn forced_request() -> Value {
    let mut request = request();
    request["force_refresh"] = true.into();
    request
}

/// The reply to a present with this token.
async fn present(bank: &TestBank, token: &str, bill_no: &str) -> Value {
    let body = signed_body(&gift(bill_no, 1), Environment::Live, &MidasKey::new(MIDAS_KEY).unwrap(), None);
    bank.post(&format!("/cgi-bin/midas/present?access_token={token}"), body).await
}

fn app_without_mp_sig() -> AppSettings {
    AppSettings { mp_sig: MpSig::Off, ..sample_app() }
}

#[tokio::test]
async fn live_stable_token_is_returned_again() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let (first, left) = current_token(&bank).await;
    assert_eq!((first.len(), left), (64, 7200));
    bank.clock.advance(Duration::from_millis(7_198_500));
    let mut not_forcing = request();
    not_forcing["force_refresh"] = false.into();
    assert_eq!(request_token(&bank, not_forcing).await, (first.clone(), 1), "1.5 s are left, rounded down");
    assert_eq!(present(&bank, &first, "a").await["errcode"], 0);

    bank.clock.advance(Duration::from_millis(1500));
    assert_refused(&present(&bank, &first, "b").await, 42001, "access_token expired");
    let (second, left) = current_token(&bank).await;
    assert_ne!(first, second);
    assert_eq!(left, 7200);
    assert_eq!(present(&bank, &second, "b").await["errcode"], 0);
    assert_refused(&present(&bank, &first, "c").await, 42001, "access_token expired");
}

/// Bug: a token that was made while the bank's clock was a year ahead lived a year, `expires_in` said so, and no
/// `force_refresh` replaced it. Clients cache a token for `expires_in`. It is never above 7,200 s now, and a refresh that
/// is dated in the future holds up none.
#[tokio::test]
async fn token_of_a_clock_ahead_can_be_replaced() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    bank.clock.advance(Duration::from_secs(365 * 24 * 3600));
    let (ahead, _) = request_token(&bank, forced_request()).await;
    let path = "/api/v1/clock";
    let put_right = json!({ "now_ms": START.get() }).to_string();
    assert_eq!(bank.operator_request(Method::POST, path, put_right).await.0, StatusCode::OK);
    assert_eq!(current_token(&bank).await, (ahead.clone(), 7200));
    let (replaced, left) = request_token(&bank, forced_request()).await;
    assert_ne!(replaced, ahead);
    assert_eq!(left, 7200);
    assert_refused(&present(&bank, &ahead, "a").await, 40001, INVALID);
    assert_eq!(present(&bank, &replaced, "b").await["errcode"], 0);
}

#[tokio::test]
async fn forced_refresh_revokes_the_token() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let (first, _) = current_token(&bank).await;
    assert_eq!(present(&bank, &first, "a").await["errcode"], 0);
    let (second, left) = request_token(&bank, forced_request()).await;
    assert_ne!(first, second);
    assert_eq!(left, 7200);
    assert_refused(&present(&bank, &first, "b").await, 40001, INVALID);
    assert_eq!(present(&bank, &second, "b").await["errcode"], 0);
    assert_eq!(current_token(&bank).await, (second, 7200));
}

#[tokio::test]
async fn refresh_within_30_seconds_is_ignored() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let (first, _) = request_token(&bank, forced_request()).await;
    bank.clock.advance(Duration::from_millis(29_999));
    assert_eq!(request_token(&bank, forced_request()).await, (first.clone(), 7170));
    bank.clock.advance(Duration::from_millis(1));
    let (second, left) = request_token(&bank, forced_request()).await;
    assert_ne!(first, second);
    assert_eq!(left, 7200);
}

#[tokio::test]
async fn forced_refreshes_are_capped_at_20_a_day() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let mut tokens = HashSet::new();
    for _ in 0..20 {
        let (token, _) = request_token(&bank, forced_request()).await;
        assert_eq!(
            request_token(&bank, forced_request()).await,
            (token.clone(), 7200),
            "within 30 s, so not counted"
        );
        tokens.insert(token);
        bank.clock.advance(Duration::from_secs(30));
    }
    assert_eq!(tokens.len(), 20);
    let words = "reach max api daily quota limit: force_refresh works 20 times a day; without it the current token is returned";
    assert_refused(&bank.post(PATH, forced_request().to_string()).await, 45009, words);
    let (token, left) = current_token(&bank).await;
    assert!(tokens.contains(&token), "the token did not change");
    assert_eq!(left, 7170);
    assert_eq!(present(&bank, &token, "a").await["errcode"], 0);

    let day_ms = 24 * 3600 * 1000;
    let to_midnight = day_ms - (START.get() + 20 * 30_000) % day_ms;
    bank.clock.advance(Duration::from_millis(to_midnight - 1));
    assert_eq!(bank.post(PATH, forced_request().to_string()).await["errcode"], 45009);
    bank.clock.advance(Duration::from_millis(1));
    assert!(!tokens.contains(&request_token(&bank, forced_request()).await.0));
}

#[tokio::test]
async fn stable_and_plain_tokens_are_independent() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let ordinary = async || {
        let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
        let (_, _, body) = bank.send(Method::GET, &path, &[], "").await;
        let reply: Value = serde_json::from_slice(&body).unwrap();
        reply["access_token"].as_str().unwrap().to_owned()
    };
    let (stable_token, _) = current_token(&bank).await;
    let ordinary_token = ordinary().await;
    ordinary().await;
    bank.clock.advance(Duration::from_secs(299));
    request_token(&bank, forced_request()).await;
    assert_refused(&present(&bank, &stable_token, "a").await, 40001, INVALID);
    assert_eq!(
        present(&bank, &ordinary_token, "a").await["errcode"],
        0,
        "within its overlap of five minutes"
    );

    let (stable_token, _) = current_token(&bank).await;
    ordinary().await;
    ordinary().await;
    bank.clock.advance(Duration::from_secs(301));
    assert_refused(&present(&bank, &ordinary_token, "b").await, 40001, INVALID);
    assert_eq!(present(&bank, &stable_token, "b").await["errcode"], 0, "plain tokens do not replace it");
}

#[tokio::test]
async fn concurrent_refreshes_return_one_token() {
    let bank = Arc::new(TestBank::with_app(app_without_mp_sig()).await);
    let (before, _) = current_token(&bank).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { request_token(&bank, forced_request()).await.0 })
        })
        .collect();
    let mut tokens = HashSet::new();
    for task in tasks {
        tokens.insert(task.await.unwrap());
    }
    assert_eq!(tokens.len(), 1, "the first request refreshes it; the others are within 30 s");
    assert!(!tokens.contains(&before));
}

#[tokio::test]
async fn stable_token_errors_follow_contract_order() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    for method in [Method::GET, Method::PUT] {
        let (status, _, body) = bank.send(method, PATH, &[], "").await;
        assert_eq!(status, StatusCode::OK);
        assert_refused(&serde_json::from_slice(&body).unwrap(), 43002, "require POST method");
    }
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
    let unread = [
        ("", 44002, "empty post data"),
        ("[]", 47001, "data format error: the body is not a JSON object"),
        (&large, 47001, "data format error: the body is larger than 16384 bytes"),
        (r#"{"secret":"a","secret":"b"}"#, 90018, "invalid parameter: an undocumented field is sent twice"),
    ];
    for (body, errcode, words) in unread {
        assert_refused(&bank.post(PATH, body.to_owned()).await, errcode, words);
    }
    // Each line corrects one error.
    let mut request = json!({
        "appid": "", "secret": "", "grant_type": "password", "force_refresh": "yes",
    });
    let mended = [
        (
            "force_refresh",
            json!(true),
            47001,
            "data format error: force_refresh is a string; it must be true or false",
        ),
        ("appid", json!("wx7654321"), 41002, "appid missing"),
        ("secret", json!("guess"), 41004, "appsecret missing"),
        ("grant_type", json!("client_credential"), 40002, "invalid grant_type: it must be client_credential"),
        ("appid", json!(APPID), 40013, "invalid appid"),
        ("secret", json!(SECRET), 40125, "invalid appsecret"),
    ];
    for (field, right, errcode, words) in mended {
        assert_refused(&bank.post(PATH, request.to_string()).await, errcode, words);
        request[field] = right;
    }
    request_token(&bank, request).await;
}

#[tokio::test]
async fn token_survives_restart_but_not_new_secret() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |app| TestBank::start_in(folder.path(), app).await;

    let bank = start(app_without_mp_sig()).await;
    let mut stored = String::new();
    for _ in 0..20 {
        stored = request_token(&bank, forced_request()).await.0;
        bank.clock.advance(Duration::from_secs(30));
    }
    bank.shut_down().await;

    let bank = start(app_without_mp_sig()).await;
    bank.clock.advance(Duration::from_secs(20 * 30));
    assert_eq!(current_token(&bank).await, (stored.clone(), 7170));
    assert_eq!(present(&bank, &stored, "a").await["errcode"], 0);
    assert_eq!(bank.post(PATH, forced_request().to_string()).await["errcode"], 45009);
    bank.shut_down().await;
    assert!(!any_file_contains(folder.path(), &stored), "the store holds the token in plaintext");

    let other = "ffffffffffffffffffffffffffffffff";
    let bank =
        start(AppSettings { app_secret: AppSecret::new(other).unwrap(), ..app_without_mp_sig() }).await;
    bank.clock.advance(Duration::from_secs(20 * 30));
    assert_refused(&present(&bank, &stored, "b").await, 40001, INVALID);
    let mut request = request();
    request["secret"] = other.into();
    let (token, left) = request_token(&bank, request).await;
    assert_ne!(token, stored);
    assert_eq!(left, 7200);
    bank.shut_down().await;
}

//! The stable token: told again, replaced when it is over or on demand, kept over a restart.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::{AppSecret, MidasKey, MpSig, signed_body};
use pactolus_server::AppSettings;
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::bank::{APPID, MIDAS_KEY, SECRET, START, TestBank, assert_refused, gift, sample_app};

const PATH: &str = "/cgi-bin/stable_token";
const INVALID: &str = "invalid credential, access_token is invalid or not latest";

fn request() -> Value {
    json!({ "grant_type": "client_credential", "appid": APPID, "secret": SECRET })
}

/// The token that a request is answered with, and the seconds left to it.
async fn told(bank: &TestBank, request: Value) -> (String, u64) {
    let reply = bank.post(PATH, request.to_string()).await;
    assert!(reply.get("errcode").is_none(), "{reply}");
    (reply["access_token"].as_str().unwrap().to_owned(), reply["expires_in"].as_u64().unwrap())
}

async fn stable(bank: &TestBank) -> (String, u64) {
    told(bank, request()).await
}

fn forcing() -> Value {
    let mut request = request();
    request["force_refresh"] = true.into();
    request
}

/// What a present with this token comes to.
async fn present(bank: &TestBank, token: &str, bill_no: &str) -> Value {
    let body = signed_body(&gift(bill_no, 1), Environment::Live, &MidasKey::new(MIDAS_KEY).unwrap(), None);
    bank.post(&format!("/cgi-bin/midas/present?access_token={token}"), body).await
}

fn app() -> AppSettings {
    AppSettings { mp_sig: MpSig::Off, ..sample_app() }
}

#[tokio::test]
async fn the_same_token_is_told_while_it_lives() {
    let bank = TestBank::with(app()).await;
    let (first, left) = stable(&bank).await;
    assert_eq!((first.len(), left), (64, 7200));
    bank.clock.turn(Duration::from_millis(7_198_500));
    let mut not_forcing = request();
    not_forcing["force_refresh"] = false.into();
    assert_eq!(told(&bank, not_forcing).await, (first.clone(), 1), "a second and a half are left");
    assert_eq!(present(&bank, &first, "a").await["errcode"], 0);

    bank.clock.turn(Duration::from_millis(1500));
    assert_refused(&present(&bank, &first, "b").await, 42001, "access_token expired");
    let (second, left) = stable(&bank).await;
    assert_ne!(first, second);
    assert_eq!(left, 7200);
    assert_eq!(present(&bank, &second, "b").await["errcode"], 0);
    assert_refused(&present(&bank, &first, "c").await, 42001, "access_token expired");
}

#[tokio::test]
async fn a_forced_refresh_ends_the_token_at_once() {
    let bank = TestBank::with(app()).await;
    let (first, _) = stable(&bank).await;
    assert_eq!(present(&bank, &first, "a").await["errcode"], 0);
    let (second, left) = told(&bank, forcing()).await;
    assert_ne!(first, second);
    assert_eq!(left, 7200);
    assert_refused(&present(&bank, &first, "b").await, 40001, INVALID);
    assert_eq!(present(&bank, &second, "b").await["errcode"], 0);
    assert_eq!(stable(&bank).await, (second, 7200));
}

#[tokio::test]
async fn within_thirty_seconds_nothing_is_replaced() {
    let bank = TestBank::with(app()).await;
    let (first, _) = told(&bank, forcing()).await;
    bank.clock.turn(Duration::from_millis(29_999));
    assert_eq!(told(&bank, forcing()).await, (first.clone(), 7170));
    bank.clock.turn(Duration::from_millis(1));
    let (second, left) = told(&bank, forcing()).await;
    assert_ne!(first, second);
    assert_eq!(left, 7200);
}

#[tokio::test]
async fn a_day_has_twenty_forced_refreshes() {
    let bank = TestBank::with(app()).await;
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let (token, _) = told(&bank, forcing()).await;
        assert_eq!(told(&bank, forcing()).await, (token.clone(), 7200), "too soon, and not counted");
        seen.insert(token);
        bank.clock.turn(Duration::from_secs(30));
    }
    assert_eq!(seen.len(), 20);
    let words =
        "reach max api daily quota limit: force_refresh is for 20 times a day; without it the token is told";
    assert_refused(&bank.post(PATH, forcing().to_string()).await, 45009, words);
    let (token, left) = stable(&bank).await;
    assert!(seen.contains(&token), "the token is as it was");
    assert_eq!(left, 7170);
    assert_eq!(present(&bank, &token, "a").await["errcode"], 0);

    let day_ms = 24 * 3600 * 1000;
    let to_midnight = day_ms - (START.get() + 20 * 30_000) % day_ms;
    bank.clock.turn(Duration::from_millis(to_midnight - 1));
    assert_eq!(bank.post(PATH, forcing().to_string()).await["errcode"], 45009);
    bank.clock.turn(Duration::from_millis(1));
    assert!(!seen.contains(&told(&bank, forcing()).await.0));
}

#[tokio::test]
async fn the_two_kinds_of_token_do_not_end_each_other() {
    let bank = TestBank::with(app()).await;
    let ordinary = async || {
        let path = format!("/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={SECRET}");
        let (_, _, body) = bank.send(Method::GET, &path, &[], "").await;
        let reply: Value = serde_json::from_slice(&body).unwrap();
        reply["access_token"].as_str().unwrap().to_owned()
    };
    let (stable_token, _) = stable(&bank).await;
    let ordinary_token = ordinary().await;
    ordinary().await;
    bank.clock.turn(Duration::from_secs(299));
    told(&bank, forcing()).await;
    assert_refused(&present(&bank, &stable_token, "a").await, 40001, INVALID);
    assert_eq!(present(&bank, &ordinary_token, "a").await["errcode"], 0, "within its five minutes");

    let (stable_token, _) = stable(&bank).await;
    ordinary().await;
    ordinary().await;
    bank.clock.turn(Duration::from_secs(301));
    assert_refused(&present(&bank, &ordinary_token, "b").await, 40001, INVALID);
    assert_eq!(present(&bank, &stable_token, "b").await["errcode"], 0, "though others came after it");
}

#[tokio::test]
async fn many_at_once_are_told_one_token() {
    let bank = Arc::new(TestBank::with(app()).await);
    let (before, _) = stable(&bank).await;
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { told(&bank, forcing()).await.0 })
        })
        .collect();
    let mut tokens = HashSet::new();
    for task in asked {
        tokens.insert(task.await.unwrap());
    }
    assert_eq!(tokens.len(), 1, "the first replaces it, and the others come too soon");
    assert!(!tokens.contains(&before));
}

#[tokio::test]
async fn what_is_wrong_with_asking_is_told_in_its_order() {
    let bank = TestBank::with(app()).await;
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
        (r#"{"secret":"a","secret":"b"}"#, 90018, "invalid parameter: \"secret\" is sent twice"),
    ];
    for (body, errcode, words) in unread {
        assert_refused(&bank.post(PATH, body.to_owned()).await, errcode, words);
    }
    // From line to line one thing is mended.
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
    told(&bank, request).await;
}

#[tokio::test]
async fn the_token_and_its_count_outlive_the_server_but_not_the_apps_secret() {
    let folder = tempfile::tempdir().unwrap();
    let started = async |app| TestBank::started_in(folder.path(), app).await;

    let bank = started(app()).await;
    let mut kept = String::new();
    for _ in 0..20 {
        kept = told(&bank, forcing()).await.0;
        bank.clock.turn(Duration::from_secs(30));
    }
    bank.ended().await;

    let bank = started(app()).await;
    bank.clock.turn(Duration::from_secs(20 * 30));
    assert_eq!(stable(&bank).await, (kept.clone(), 7170));
    assert_eq!(present(&bank, &kept, "a").await["errcode"], 0);
    assert_eq!(bank.post(PATH, forcing().to_string()).await["errcode"], 45009);
    bank.ended().await;
    no_file_holds(folder.path(), &kept);

    let other = "ffffffffffffffffffffffffffffffff";
    let bank = started(AppSettings { app_secret: AppSecret::new(other).unwrap(), ..app() }).await;
    bank.clock.turn(Duration::from_secs(20 * 30));
    assert_refused(&present(&bank, &kept, "b").await, 40001, INVALID);
    let mut request = request();
    request["secret"] = other.into();
    let (token, left) = told(&bank, request).await;
    assert_ne!(token, kept);
    assert_eq!(left, 7200);
    bank.ended().await;
}

/// Asserts that the store does not hold a token in the clear.
fn no_file_holds(folder: &std::path::Path, token: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            no_file_holds(&path, token);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(token.len()).any(|window| window == token.as_bytes());
            assert!(!found, "{} holds the token", path.display());
        }
    }
}

//! Access tokens: issue, use, replacement, expiry, and persistence across a restart.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use pactolus_protocol::{AppSecret, MidasKey, MpSig, signed_body};
use pactolus_server::AppSettings;
use pactolus_types::Environment;
use serde_json::Value;

use crate::bank::{APPID, MIDAS_KEY, SECRET, TestBank, assert_refused, gift, sample_app};

async fn request_token(bank: &TestBank, query: &str) -> Value {
    let (status, kind, body) = bank.send(Method::GET, &format!("/cgi-bin/token?{query}"), &[], "").await;
    assert_eq!((status.as_u16(), &*kind), (200, "application/json; encoding=utf-8"));
    serde_json::from_slice(&body).unwrap()
}

async fn fetch_token(bank: &TestBank) -> String {
    let reply =
        request_token(bank, &format!("grant_type=client_credential&appid={APPID}&secret={SECRET}")).await;
    assert_eq!(reply["expires_in"], 7200);
    assert!(reply.get("errcode").is_none(), "the vendor sends none with a token");
    reply["access_token"].as_str().unwrap().to_owned()
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
async fn token_expires_after_two_hours() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let token = fetch_token(&bank).await;
    assert_eq!(present(&bank, &token, "a").await["errcode"], 0);
    bank.clock.advance(Duration::from_secs(7199));
    assert_eq!(present(&bank, &token, "b").await["errcode"], 0);
    bank.clock.advance(Duration::from_secs(1));
    assert_refused(&present(&bank, &token, "c").await, 42001, "access_token expired");
}

#[tokio::test]
async fn replaced_token_stays_valid_for_five_minutes() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let first = fetch_token(&bank).await;
    let second = fetch_token(&bank).await;
    assert_ne!(first, second);
    bank.clock.advance(Duration::from_secs(299));
    assert_eq!(present(&bank, &first, "a").await["errcode"], 0);
    bank.clock.advance(Duration::from_secs(1));
    let words = "invalid credential, access_token is invalid or not latest";
    assert_refused(&present(&bank, &first, "b").await, 40001, words);
    assert_eq!(present(&bank, &second, "b").await["errcode"], 0);
}

#[tokio::test]
async fn only_the_latest_token_outlives_the_overlap() {
    let bank = Arc::new(TestBank::with_app(app_without_mp_sig()).await);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { fetch_token(&bank).await })
        })
        .collect();
    let mut tokens = Vec::new();
    for task in tasks {
        tokens.push(task.await.unwrap());
    }
    bank.clock.advance(Duration::from_secs(301));
    let mut good = 0;
    for (number, token) in tokens.iter().enumerate() {
        good += u32::from(present(&bank, token, &number.to_string()).await["errcode"] == 0);
    }
    assert_eq!(good, 1);
}

#[tokio::test]
async fn token_errors_follow_contract_order() {
    let bank = TestBank::with_app(app_without_mp_sig()).await;
    let all = format!("grant_type=client_credential&appid={APPID}&secret={SECRET}");
    let cases = [
        (String::new(), 41002, "appid missing"),
        (format!("appid={APPID}"), 41004, "appsecret missing"),
        (format!("appid={APPID}&secret={SECRET}"), 40002, "invalid grant_type: it must be client_credential"),
        (
            all.replace("client_credential", "password"),
            40002,
            "invalid grant_type: it must be client_credential",
        ),
        (all.replace(APPID, "wx7654321"), 40013, "invalid appid"),
        (all.replace(SECRET, "guess"), 40125, "invalid appsecret"),
    ];
    for (query, errcode, words) in cases {
        assert_refused(&request_token(&bank, &query).await, errcode, words);
    }
}

#[tokio::test]
async fn tokens_survive_restart_but_not_new_secret() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |app| TestBank::start_in(folder.path(), app).await;

    let bank = start(sample_app()).await;
    bank.log_in(crate::bank::PLAYER).await;
    let stored = fetch_token(&bank).await;
    bank.shut_down().await;

    let bank = start(sample_app()).await;
    assert_eq!(bank.present(&gift("login", 1)).await["errcode"], 0, "the login survives the restart");
    let refused = present(&bank, &stored, "token").await;
    assert_refused(
        &refused,
        90018,
        "invalid parameter: mp_sig is missing; sign the call with the player's session key too, or set mp_sig = \"if-present\" for the app",
    );
    bank.shut_down().await;

    let app_secret = AppSecret::new("ffffffffffffffffffffffffffffffff").unwrap();
    let bank = start(AppSettings { app_secret, ..app_without_mp_sig() }).await;
    assert_eq!(present(&bank, &stored, "secret").await["errcode"], 40001);
    bank.shut_down().await;
}

//! Access tokens: asked for, shown, replaced, expired, kept over a restart.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use pactolus_protocol::{AppSecret, MidasKey, MpSig, signed_body};
use pactolus_server::AppSettings;
use pactolus_types::Environment;
use serde_json::Value;

use crate::bank::{APPID, MIDAS_KEY, SECRET, TestBank, assert_refused, gift, sample_app};

async fn ask(bank: &TestBank, query: &str) -> Value {
    let (status, kind, body) = bank.send(Method::GET, &format!("/cgi-bin/token?{query}"), &[], "").await;
    assert_eq!((status.as_u16(), &*kind), (200, "application/json; encoding=utf-8"));
    serde_json::from_slice(&body).unwrap()
}

async fn token(bank: &TestBank) -> String {
    let reply = ask(bank, &format!("grant_type=client_credential&appid={APPID}&secret={SECRET}")).await;
    assert_eq!(reply["expires_in"], 7200);
    assert!(reply.get("errcode").is_none(), "the vendor sends none with a token");
    reply["access_token"].as_str().unwrap().to_owned()
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
async fn a_token_is_good_for_two_hours() {
    let bank = TestBank::with(app()).await;
    let token = token(&bank).await;
    assert_eq!(present(&bank, &token, "a").await["errcode"], 0);
    bank.clock.turn(Duration::from_secs(7199));
    assert_eq!(present(&bank, &token, "b").await["errcode"], 0);
    bank.clock.turn(Duration::from_secs(1));
    assert_refused(&present(&bank, &token, "c").await, 42001, "access_token expired");
}

#[tokio::test]
async fn a_replaced_token_stays_good_for_five_minutes() {
    let bank = TestBank::with(app()).await;
    let first = token(&bank).await;
    let second = token(&bank).await;
    assert_ne!(first, second);
    bank.clock.turn(Duration::from_secs(299));
    assert_eq!(present(&bank, &first, "a").await["errcode"], 0);
    bank.clock.turn(Duration::from_secs(1));
    let words = "invalid credential, access_token is invalid or not latest";
    assert_refused(&present(&bank, &first, "b").await, 40001, words);
    assert_eq!(present(&bank, &second, "b").await["errcode"], 0);
}

#[tokio::test]
async fn of_many_tokens_asked_for_at_once_only_the_latest_outlives_the_overlap() {
    let bank = Arc::new(TestBank::with(app()).await);
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { token(&bank).await })
        })
        .collect();
    let mut tokens = Vec::new();
    for task in asked {
        tokens.push(task.await.unwrap());
    }
    bank.clock.turn(Duration::from_secs(301));
    let mut good = 0;
    for (number, token) in tokens.iter().enumerate() {
        good += u32::from(present(&bank, token, &number.to_string()).await["errcode"] == 0);
    }
    assert_eq!(good, 1);
}

#[tokio::test]
async fn what_is_wrong_with_asking_is_told() {
    let bank = TestBank::with(app()).await;
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
        assert_refused(&ask(&bank, &query).await, errcode, words);
    }
}

#[tokio::test]
async fn tokens_and_logins_outlive_the_server_but_not_the_apps_secret() {
    let folder = tempfile::tempdir().unwrap();
    let started = async |app| TestBank::started_in(folder.path(), app).await;

    let bank = started(sample_app()).await;
    bank.log_in(crate::bank::PLAYER).await;
    let kept = token(&bank).await;
    bank.ended().await;

    let bank = started(sample_app()).await;
    assert_eq!(bank.present(&gift("login", 1)).await["errcode"], 0, "the login was kept");
    let refused = present(&bank, &kept, "token").await;
    assert_refused(&refused, 90018, "invalid parameter: mp_sig is missing");
    bank.ended().await;

    let app_secret = AppSecret::new("ffffffffffffffffffffffffffffffff").unwrap();
    let bank = started(AppSettings { app_secret, ..app() }).await;
    assert_eq!(present(&bank, &kept, "secret").await["errcode"], 40001);
    bank.ended().await;
}

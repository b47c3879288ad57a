//! Limits of an app: rate limits of the app and of each player, and gift limits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::{GetBalance, Present};
use pactolus_server::AppSettings;
use pactolus_types::{Amount, Environment};
use serde_json::Value;

use crate::bank::{PLAYER, TestBank, assert_refused, caller, gift, sample_app, sign};

const LIVE: Environment = Environment::Live;
const SANDBOX: Environment = Environment::Sandbox;
const DAY: Duration = Duration::from_secs(86_400);

/// Sends 100 presents of one coin concurrently. Returns the counts of errcodes 0, 45009 and 90018.
async fn present_hundred_at_once(bank: &Arc<TestBank>, bill_no: &str) -> [usize; 3] {
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let (bank, gift) = (Arc::clone(bank), gift(&format!("{bill_no}-{number}"), 1));
            tokio::spawn(async move { bank.present(&gift).await["errcode"].as_i64().unwrap() })
        })
        .collect();
    let mut counts = [0; 3];
    for task in tasks {
        let code = task.await.unwrap();
        counts[[0, 45009, 90018].iter().position(|known| *known == code).unwrap()] += 1;
    }
    counts
}

async fn balance_call(bank: &TestBank, environment: Environment, openid: &str) -> Value {
    let mut call = GetBalance { caller: caller() };
    call.caller.openid = openid.parse().unwrap();
    bank.call::<GetBalance>(environment, sign(&call, environment)).await
}

fn app_with_rate_limits(per_app: u32, per_player: u32) -> AppSettings {
    AppSettings {
        rate_limit_per_second: NonZeroU32::new(per_app),
        rate_limit_per_player_per_second: NonZeroU32::new(per_player),
        ..sample_app()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn app_rate_limit_admits_only_its_quota() {
    let bank = Arc::new(TestBank::with_app(app_with_rate_limits(10, 0)).await);
    assert_eq!(present_hundred_at_once(&bank, "first").await, [10, 90, 0]);
    bank.clock.advance(Duration::from_millis(500));
    assert_eq!(present_hundred_at_once(&bank, "half").await, [5, 95, 0]);
    bank.clock.advance(DAY);
    bank.log_in(PLAYER).await;
    assert_eq!(present_hundred_at_once(&bank, "tomorrow").await, [10, 90, 0]);
    let words =
        "reach max api daily quota limit: this app may make 10 calls a second in the live environment";
    assert_refused(&balance_call(&bank, LIVE, PLAYER).await, 45009, words);
    assert_eq!(
        balance_call(&bank, SANDBOX, PLAYER).await["errcode"],
        0,
        "the sandbox has a separate rate limit"
    );
    assert_eq!(bank.balance(LIVE).await, 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn player_rate_limit_admits_only_its_quota() {
    let bank = Arc::new(TestBank::with_app(app_with_rate_limits(0, 10)).await);
    assert_eq!(present_hundred_at_once(&bank, "first").await, [10, 90, 0]);
    let words = "reach max api daily quota limit: this app may make 10 calls a second about one player in the live environment";
    assert_refused(&balance_call(&bank, LIVE, PLAYER).await, 45009, words);
    bank.log_in("another").await;
    assert_eq!(balance_call(&bank, LIVE, "another").await["errcode"], 0);
    assert_eq!(balance_call(&bank, SANDBOX, PLAYER).await["errcode"], 0);
    bank.clock.advance(Duration::from_secs(1));
    assert_eq!(present_hundred_at_once(&bank, "second").await, [10, 90, 0]);
}

#[tokio::test]
async fn rate_limits_count_in_check_order() {
    let bank = TestBank::with_app(app_with_rate_limits(3, 2)).await;
    let path = "/cgi-bin/midas/present?access_token=";
    // A call without a valid token uses no quota. A malformed call with one does.
    for _ in 0..5 {
        assert_eq!(bank.post(&format!("{path}another"), "").await["errcode"], 40001);
    }
    for _ in 0..3 {
        assert_eq!(bank.post(&format!("{path}ACCESSTOKEN"), "").await["errcode"], 44002);
    }
    assert_eq!(bank.post(&format!("{path}ACCESSTOKEN"), "").await["errcode"], 45009);

    // A call without a valid signature uses none of the player's quota.
    let bank = TestBank::with_app(app_with_rate_limits(0, 2)).await;
    for _ in 0..5 {
        assert_eq!(bank.call::<Present>(LIVE, sign(&gift("b", 5), SANDBOX)).await["errcode"], 90011);
    }
    let stranger = async || balance_call(&bank, LIVE, "stranger").await["errcode"].as_i64().unwrap();
    assert_eq!([stranger().await, stranger().await, stranger().await], [90010, 90010, 45009]);
    assert_eq!(bank.present(&gift("b", 5)).await["errcode"], 0);
    assert_eq!(bank.present(&gift("b", 5)).await["errcode"], 90012);
    assert_eq!(bank.present(&gift("b", 5)).await["errcode"], 45009, "a replay is a call like any other");
}

fn app_with_gift_limits(per_order: u64, per_day: u64) -> AppSettings {
    AppSettings {
        present_max: Amount::new(per_order).ok(),
        present_max_per_player_per_day: Amount::new(per_day).ok(),
        ..sample_app()
    }
}

fn daily_limit_message(max: u64, left: u64) -> String {
    format!(
        "invalid parameter: present_counts is too large; this app gives a player at most {max} coins a day in a zone, and {left} are left"
    )
}

#[tokio::test]
async fn present_over_order_limit_is_refused() {
    let bank = TestBank::with_app(app_with_gift_limits(100, 0)).await;
    let words =
        "invalid parameter: present_counts is too large; this app gives at most 100 coins in one order";
    assert_refused(&bank.present(&gift("b", 101)).await, 90018, words);
    assert_eq!(
        bank.present(&gift("b", 100)).await["balance"],
        100,
        "a refused order does not use up its bill number"
    );
    let sandbox = bank.call::<Present>(SANDBOX, sign(&gift("b", 101), SANDBOX)).await;
    assert_refused(&sandbox, 90018, words);
    // The operator is not bound by the limits of the app.
    let orders = "/api/v1/apps/wx1234567/orders";
    let order = format!(r#"{{"kind":"present","env":"live","openid":"{PLAYER}","bill_no":"o","coins":101}}"#);
    assert_eq!(bank.operator_request(Method::POST, orders, order).await.0, StatusCode::CREATED);
    assert_eq!(bank.balance(LIVE).await, 201);
}

#[tokio::test]
async fn daily_gift_limit_holds_until_midnight() {
    let bank = TestBank::with_app(app_with_gift_limits(0, 10)).await;
    assert_eq!(bank.present(&gift("a", 6)).await["balance"], 6);
    assert_refused(&bank.present(&gift("a", 6)).await, 90012, "order exist");
    assert_refused(&bank.present(&gift("b", 5)).await, 90018, &daily_limit_message(10, 4));
    let mut elsewhere = gift("elsewhere", 10);
    elsewhere.caller.zone_id = "2".parse().unwrap();
    assert_eq!(bank.present(&elsewhere).await["errcode"], 0, "the limit is per zone");
    assert_eq!(bank.present(&gift("b", 4)).await["balance"], 10);
    assert_refused(&bank.present(&gift("c", 1)).await, 90018, &daily_limit_message(10, 0));
    // START is at 06:32:17 UTC.
    bank.clock.advance(Duration::from_secs(17 * 3600 + 27 * 60 + 42));
    assert_refused(&bank.present(&gift("c", 1)).await, 90018, &daily_limit_message(10, 0));
    bank.clock.advance(Duration::from_secs(1));
    assert_eq!(bank.present(&gift("c", 10)).await["balance"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_gift_limit_holds_under_concurrency() {
    let bank = Arc::new(TestBank::with_app(app_with_gift_limits(0, 10)).await);
    assert_eq!(present_hundred_at_once(&bank, "gift").await, [10, 0, 90]);
    assert_eq!(bank.balance(LIVE).await, 10);
}

#[tokio::test]
async fn daily_gift_limit_survives_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |app| TestBank::start_in(folder.path(), app).await;
    let bank = start(app_with_gift_limits(0, 10)).await;
    bank.log_in(PLAYER).await;
    assert_eq!(bank.present(&gift("a", 7)).await["errcode"], 0);
    bank.shut_down().await;

    let bank = start(app_with_gift_limits(0, 10)).await;
    assert_refused(&bank.present(&gift("b", 4)).await, 90018, &daily_limit_message(10, 3));
    bank.shut_down().await;

    // Lowering the limit keeps the sum of today's gifts.
    let bank = start(app_with_gift_limits(1, 5)).await;
    assert_refused(&bank.present(&gift("b", 1)).await, 90018, &daily_limit_message(5, 0));
    assert_refused(&bank.present(&gift("a", 7)).await, 90012, "order exist");
    bank.shut_down().await;
}

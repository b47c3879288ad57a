//! The window of `ts`.
//!
//! Bug: a signed call never expired. A call that was recorded, or that a queue held back, was applied days later. An app
//! may set a window; outside of it nothing is applied, and an order that was applied before is answered as a replay.

use std::time::Duration;

use hyper::Method;
use pactolus_protocol::{CancelPay, GetBalance, Pay, Present};
use pactolus_server::AppSettings;
use pactolus_types::{Amount, Environment};
use serde_json::Value;

use crate::bank::{TestBank, assert_refused, caller, gift, sample_app, sign};

const LIVE: Environment = Environment::Live;
const BEHIND: &str = "invalid parameter: ts is 301 s behind the bank's clock; this app takes at most 300 s";

async fn bank_with_window() -> TestBank {
    TestBank::with_app(AppSettings { ts_window: Some(Duration::from_secs(300)), ..sample_app() }).await
}

fn pay(bill_no: &str) -> Pay {
    let (amt, bill_no) = (Amount::new(4).unwrap(), bill_no.parse().unwrap());
    Pay { caller: caller(), amt, bill_no, pay_item: None, app_remark: None }
}

async fn findings(bank: &TestBank, reply: &Value) -> Vec<String> {
    let (_, rid) = reply["errmsg"].as_str().unwrap().split_once(" rid: ").unwrap();
    let rejection = bank.operator_request(Method::GET, &format!("/api/v1/rejections/{rid}"), "").await.1;
    let names = rejection["findings"].as_array().unwrap().iter();
    names.map(|finding| finding["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn call_outside_window_applies_nothing() {
    let bank = bank_with_window().await;
    bank.present(&gift("gift", 10)).await;
    let paid = bank.call::<Pay>(LIVE, sign(&pay("paid"), LIVE)).await;
    let kept = bank.call::<Pay>(LIVE, sign(&pay("kept"), LIVE)).await;
    assert_eq!((&paid["balance"], &kept["balance"]), (&6.into(), &2.into()));
    let cancel =
        |bill_no: &str| CancelPay { caller: caller(), bill_no: bill_no.parse().unwrap(), pay_item: None };
    assert_eq!(bank.call::<CancelPay>(LIVE, sign(&cancel("paid"), LIVE)).await["errcode"], 0);

    bank.clock.advance(Duration::from_secs(300));
    assert_eq!(bank.present(&gift("in-time", 1)).await["errcode"], 0);
    bank.clock.advance(Duration::from_secs(1));
    let stale = bank.present(&gift("late", 1)).await;
    assert_refused(&stale, 90018, BEHIND);
    assert_eq!(findings(&bank, &stale).await, ["ts-outside-window"]);
    assert_refused(&bank.call::<Pay>(LIVE, sign(&pay("late"), LIVE)).await, 90018, BEHIND);
    assert_refused(&bank.call::<CancelPay>(LIVE, sign(&cancel("kept"), LIVE)).await, 90018, BEHIND);
    let balance = bank.call::<GetBalance>(LIVE, sign(&GetBalance { caller: caller() }, LIVE)).await;
    assert_refused(&balance, 90018, BEHIND);
    assert_eq!(bank.balance(LIVE).await, 7);

    // Replays of applied orders keep their answers.
    assert_refused(&bank.present(&gift("gift", 10)).await, 90012, "order exist");
    let again = bank.call::<Pay>(LIVE, sign(&pay("paid"), LIVE)).await;
    assert_refused(&again, 90012, "order exist");
    assert_eq!(again["used_gen_amt"], 4);
    let cancelled = bank.call::<CancelPay>(LIVE, sign(&cancel("paid"), LIVE)).await;
    assert_refused(&cancelled, 90015, "order has been canceled");
    let differs = "order exist: present_counts differs from that of the order with this bill_no";
    assert_refused(&bank.present(&gift("gift", 11)).await, 90012, differs);
    assert_eq!(bank.balance(LIVE).await, 7);
}

#[tokio::test]
async fn clock_ahead_and_milliseconds_are_named() {
    let bank = bank_with_window().await;
    let at = |ts: u64| {
        let mut gift = gift("b", 1);
        gift.caller.ts = pactolus_protocol::UnixSeconds::new(ts).unwrap();
        gift
    };
    let ahead = bank.present(&at(1_507_531_038)).await;
    let words = "invalid parameter: ts is 301 s ahead of the bank's clock; this app takes at most 300 s";
    assert_refused(&ahead, 90018, words);
    let in_ms = bank.present(&at(1_507_530_737_000)).await;
    assert_refused(&in_ms, 90018, "invalid parameter: ts is in milliseconds; it must be seconds");
    assert_eq!(findings(&bank, &in_ms).await, ["ts-in-milliseconds"]);
    assert_eq!(bank.balance(LIVE).await, 0);
}

/// Without a window any `ts` is taken; a refusal names milliseconds, in the sandbox in its errmsg too.
#[tokio::test]
async fn milliseconds_are_named_without_a_window() {
    let bank = TestBank::start().await;
    let mut gift = gift("b", 1);
    gift.caller.ts = pactolus_protocol::UnixSeconds::new(1_507_530_737_000).unwrap();
    assert_eq!(bank.present(&gift).await["errcode"], 0);
    let sandbox = Environment::Sandbox;
    let mut body: Value = serde_json::from_str(&sign(&gift, sandbox)).unwrap();
    body["sig"] = "0".repeat(64).into();
    let refused = bank.call::<Present>(sandbox, body.to_string()).await;
    let words =
        "sig error: no known mistake makes this signature; ts is in milliseconds, a thousand times too large";
    assert_refused(&refused, 90011, words);
    assert_eq!(findings(&bank, &refused).await, ["no-known-mistake", "ts-in-milliseconds"]);
}

//! The clock that the operator turns, and what it makes come to an end.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use pactolus_protocol::{CancelPay, FreeText, Pay};
use pactolus_types::{Amount, Environment};
use serde_json::{Value, json};

use crate::bank::{PLAYER, START, TestBank, assert_refused, caller, gift, sign};

const PATH: &str = "/api/v1/clock";
const LIVE: Environment = Environment::Live;

async fn told(bank: &TestBank) -> Value {
    let (status, clock) = bank.operate(Method::GET, PATH, "").await;
    assert_eq!(status, StatusCode::OK);
    clock
}

async fn turn(bank: &TestBank, turn: Value) -> u64 {
    let (status, clock) = bank.operate(Method::POST, PATH, turn.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{clock}");
    assert_eq!(clock, told(bank).await);
    clock["now_ms"].as_u64().unwrap()
}

#[tokio::test]
async fn the_clock_stands_still_until_it_is_turned() {
    let bank = TestBank::start().await;
    let start = START.get();
    assert_eq!(told(&bank).await, json!({ "clock": "manual", "now_ms": start }));
    assert_eq!(turn(&bank, json!({ "advance_s": 90 })).await, start + 90_000);
    assert_eq!(turn(&bank, json!({ "advance_s": -100 })).await, start - 10_000);
    assert_eq!(turn(&bank, json!({ "now_ms": 1_600_000_000_123_u64 })).await, 1_600_000_000_123);
    let refusal = bank.post("/cgi-bin/midas/present", "").await;
    assert!(refusal["errmsg"].as_str().unwrap().contains(" rid: 5f5e1000-"), "{refusal}");
}

#[tokio::test]
async fn what_lasts_comes_to_its_end() {
    let bank = TestBank::start().await;
    bank.present(&gift("gift", 10)).await;
    let pay = Pay {
        caller: caller(),
        amt: Amount::new(4).unwrap(),
        bill_no: "pay".parse().unwrap(),
        pay_item: None::<FreeText>,
        app_remark: None,
    };
    assert_eq!(bank.call::<Pay>(LIVE, sign(&pay, LIVE)).await["balance"], 6);
    turn(&bank, json!({ "advance_s": 86_400 })).await;
    let over = "no session: the player's login is over";
    assert_refused(&bank.present(&gift("b", 1)).await, 90010, over);
    turn(&bank, json!({ "advance_s": 86_401 })).await;
    bank.log_in(PLAYER).await;
    let cancel = CancelPay { caller: caller(), bill_no: pay.bill_no, pay_item: None };
    let cancel = async || bank.call::<CancelPay>(LIVE, sign(&cancel, LIVE)).await;
    assert_refused(&cancel().await, 90014, "order has been confirmed");
    turn(&bank, json!({ "advance_s": -1 })).await;
    assert_eq!(cancel().await["errcode"], 0);
}

#[tokio::test]
async fn a_clock_turned_back_leaves_the_books_right() {
    let bank = TestBank::start().await;
    assert_eq!(bank.present(&gift("a", 1)).await["balance"], 1);
    turn(&bank, json!({ "advance_s": -400 * 86_400 })).await;
    assert_eq!(bank.present(&gift("b", 1)).await["balance"], 2);
    assert_eq!(bank.present(&gift("a", 1)).await["errcode"], 90012);
    turn(&bank, json!({ "now_ms": 0 })).await;
    assert_eq!(bank.present(&gift("c", 1)).await["balance"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_turns_at_once_none_is_lost() {
    let bank = Arc::new(TestBank::start().await);
    let mut turns = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let bank = Arc::clone(&bank);
        turns.spawn(async move { bank.operate(Method::POST, PATH, r#"{"advance_s":1}"#).await.0 });
    }
    assert!(turns.join_all().await.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(told(&bank).await["now_ms"], START.get() + 50_000);
}

#[tokio::test]
async fn what_is_no_turn_is_refused_and_turns_nothing() {
    let bank = TestBank::start().await;
    let either = "one of advance_s and now_ms must be given, not both";
    let range = "would turn the clock out of its range, which is 0 to 253402300799999 in milliseconds";
    let cases = [
        ("{}", 422, either),
        (r#"{"advance_s":null}"#, 422, either),
        (r#"{"advance_s":1,"now_ms":1}"#, 422, either),
        (r#"{"advance_s":-1507530738}"#, 422, range),
        (r#"{"advance_s":9223372036854775807}"#, 422, range),
        (r#"{"now_ms":253402300800000}"#, 422, range),
        (r#"{"now_ms":-1}"#, 422, "now_ms"),
        (r#"{"advance_s":1.5}"#, 422, "advance_s"),
        (r#"{"advance_h":1}"#, 422, "unknown field `advance_h`"),
        ("", 400, "EOF"),
    ];
    for (body, status, detail) in cases {
        let (found, problem) = bank.operate(Method::POST, PATH, body).await;
        assert_eq!(found.as_u16(), status, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{body}: {problem}");
    }
    for method in [Method::GET, Method::POST] {
        let (status, _, _) = bank.send(method, PATH, &[], r#"{"advance_s":1}"#).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(told(&bank).await["now_ms"], START.get());
}

#[tokio::test]
async fn the_machines_clock_is_not_turned() {
    let bank = TestBank::on_system_clock().await;
    let before = told(&bank).await;
    assert_eq!(before["clock"], "system");
    let (status, problem) = bank.operate(Method::POST, PATH, r#"{"advance_s":3600}"#).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("--clock manual"), "{problem}");
    let gone = told(&bank).await["now_ms"].as_u64().unwrap() - before["now_ms"].as_u64().unwrap();
    assert!(gone < 3_600_000, "{gone}");
}

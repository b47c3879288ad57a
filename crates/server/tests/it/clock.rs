//! Manual clock of the operator API, and the expiries that depend on it.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use pactolus_protocol::{CancelPay, FreeText, Pay};
use pactolus_types::{Amount, Environment};
use serde_json::{Value, json};

use crate::bank::{PLAYER, START, TestBank, assert_refused, caller, gift, sign};

const PATH: &str = "/api/v1/clock";
const LIVE: Environment = Environment::Live;

async fn read_clock(bank: &TestBank) -> Value {
    let (status, clock) = bank.operator_request(Method::GET, PATH, "").await;
    assert_eq!(status, StatusCode::OK);
    clock
}

async fn change_clock(bank: &TestBank, change: Value) -> u64 {
    let (status, clock) = bank.operator_request(Method::POST, PATH, change.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{clock}");
    assert_eq!(clock, read_clock(bank).await);
    clock["now_ms"].as_u64().unwrap()
}

#[tokio::test]
async fn manual_clock_moves_only_on_request() {
    let bank = TestBank::start().await;
    let start = START.get();
    assert_eq!(read_clock(&bank).await, json!({ "clock": "manual", "now_ms": start }));
    assert_eq!(change_clock(&bank, json!({ "advance_s": 90 })).await, start + 90_000);
    assert_eq!(change_clock(&bank, json!({ "advance_s": -100 })).await, start - 10_000);
    assert_eq!(change_clock(&bank, json!({ "now_ms": 1_600_000_000_123_u64 })).await, 1_600_000_000_123);
    let refusal = bank.post("/cgi-bin/midas/present", "").await;
    assert!(refusal["errmsg"].as_str().unwrap().contains(" rid: 5f5e1000-"), "{refusal}");
}

#[tokio::test]
async fn sessions_and_cancel_windows_expire() {
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
    change_clock(&bank, json!({ "advance_s": 86_400 })).await;
    let over = "no session: the player's session has expired";
    assert_refused(&bank.present(&gift("b", 1)).await, 90010, over);
    change_clock(&bank, json!({ "advance_s": 86_401 })).await;
    bank.log_in(PLAYER).await;
    let cancel = CancelPay { caller: caller(), bill_no: pay.bill_no, pay_item: None };
    let cancel = async || bank.call::<CancelPay>(LIVE, sign(&cancel, LIVE)).await;
    assert_refused(&cancel().await, 90014, "order has been confirmed");
    change_clock(&bank, json!({ "advance_s": -1 })).await;
    assert_eq!(cancel().await["errcode"], 0);
}

#[tokio::test]
async fn clock_set_back_keeps_the_ledger_right() {
    let bank = TestBank::start().await;
    assert_eq!(bank.present(&gift("a", 1)).await["balance"], 1);
    change_clock(&bank, json!({ "advance_s": -400 * 86_400 })).await;
    assert_eq!(bank.present(&gift("b", 1)).await["balance"], 2);
    assert_eq!(bank.present(&gift("a", 1)).await["errcode"], 90012);
    change_clock(&bank, json!({ "now_ms": 0 })).await;
    assert_eq!(bank.present(&gift("c", 1)).await["balance"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_clock_changes_all_apply() {
    let bank = Arc::new(TestBank::start().await);
    let mut changes = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let bank = Arc::clone(&bank);
        changes.spawn(async move { bank.operator_request(Method::POST, PATH, r#"{"advance_s":1}"#).await.0 });
    }
    assert!(changes.join_all().await.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(read_clock(&bank).await["now_ms"], START.get() + 50_000);
}

#[tokio::test]
async fn invalid_clock_change_is_refused() {
    let bank = TestBank::start().await;
    let either = "one of advance_s and now_ms must be given, not both";
    let range = "would set the clock outside its range, which is 0 to 253402300799999 in milliseconds";
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
        let (found, problem) = bank.operator_request(Method::POST, PATH, body).await;
        assert_eq!(found.as_u16(), status, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{body}: {problem}");
    }
    for method in [Method::GET, Method::POST] {
        let (status, _, _) = bank.send(method, PATH, &[], r#"{"advance_s":1}"#).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(read_clock(&bank).await["now_ms"], START.get());
}

#[tokio::test]
async fn system_clock_cannot_be_changed() {
    let bank = TestBank::on_system_clock().await;
    let before = read_clock(&bank).await;
    assert_eq!(before["clock"], "system");
    let (status, problem) = bank.operator_request(Method::POST, PATH, r#"{"advance_s":3600}"#).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("--clock manual"), "{problem}");
    let elapsed_ms = read_clock(&bank).await["now_ms"].as_u64().unwrap() - before["now_ms"].as_u64().unwrap();
    assert!(elapsed_ms < 3_600_000, "{elapsed_ms}");
}

//! Orders of the operator API: idempotent by bill number, which they share with the app's own calls.

use std::sync::Arc;

use hyper::{Method, StatusCode};
use pactolus_protocol::{CancelPay, Pay};
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::bank::{APPID, OFFER, PLAYER, START, TestBank, caller, gift, sign};

const ORDERS: &str = "/api/v1/apps/wx1234567/orders";

fn order(bill_no: &str, kind: &str, coins: u64) -> Value {
    json!({ "kind": kind, "env": "live", "openid": PLAYER, "bill_no": bill_no, "coins": coins })
}

/// A copy of the order with one field changed.
fn with_field(order: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut order = order.clone();
    order[field] = value.into();
    order
}

async fn post_order(bank: &TestBank, order: &Value) -> (StatusCode, Value) {
    bank.operator_request(Method::POST, ORDERS, order.to_string()).await
}

async fn get_order(bank: &TestBank, bill_no: &str, query: &str) -> (StatusCode, Value) {
    bank.operator_request(Method::GET, &format!("{ORDERS}/{bill_no}{query}"), "").await
}

#[tokio::test]
async fn replay_returns_the_first_receipt() {
    let bank = TestBank::start().await;
    let gift =
        with_field(&with_field(&order("b", "present", 7), "item", "sword"), "remark", "after the outage");
    let (status, first) = post_order(&bank, &gift).await;
    assert_eq!(status, StatusCode::CREATED);
    let after = json!({
        "balance": 7, "paid": 0, "gifted": 7, "saved": 0, "presented": 7, "spent": 0, "debited": 0, "orders": 1,
    });
    let receipt = json!({
        "appid": APPID, "env": "live", "offer_id": OFFER, "openid": PLAYER, "zone_id": "1", "bill_no": "b",
        "numbering": "app", "pay_bill_no": null,
        "kind": "present", "coins": 7, "gifted": 7, "requested": 7, "item": "sword", "remark": "after the outage",
        "at_ms": START.get(), "after": after,
    });
    assert_eq!(first, json!({ "replayed": false, "receipt": receipt }));

    bank.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(post_order(&bank, &order("c", "save", 100)).await.0, StatusCode::CREATED);
    // The remark is not part of the idempotency check. The first remark stays.
    let (status, again) = post_order(&bank, &with_field(&gift, "remark", "")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(again, json!({ "replayed": true, "receipt": receipt }));
    let account = bank.account(Environment::Live).await;
    assert_eq!((&account["balance"], &account["saved"]), (&107.into(), &100.into()));
}

#[tokio::test]
async fn bill_no_conflict_names_the_field() {
    let bank = TestBank::start().await;
    let first = order("b", "present", 7);
    assert_eq!(post_order(&bank, &first).await.0, StatusCode::CREATED);
    let cases = [
        with_field(&first, "openid", "other"),
        with_field(&first, "zone_id", "2"),
        with_field(&first, "kind", "save"),
        with_field(&first, "coins", 8),
    ];
    for (other, field) in cases.iter().zip(["openid", "zone_id", "kind", "coins"]) {
        let (status, problem) = post_order(&bank, other).await;
        assert_eq!((status, &problem["field"]), (StatusCode::CONFLICT, &field.into()), "{problem}");
        assert_eq!(
            problem["detail"],
            format!("the order with bill_no b has another {field}; nothing changed")
        );
        assert_eq!(problem["retryable"], false);
    }
    assert_eq!(bank.balance(Environment::Live).await, 7);
    // The sandbox has bill numbers of its own.
    assert_eq!(post_order(&bank, &with_field(&first, "env", "sandbox")).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn operator_and_app_share_bill_numbers() {
    let bank = TestBank::start().await;
    bank.present(&gift("app", 233)).await;
    let (status, reply) = post_order(&bank, &order("app", "present", 233)).await;
    assert_eq!((status, &reply["replayed"]), (StatusCode::OK, &true.into()));
    post_order(&bank, &order("operator", "present", 5)).await;
    let order_reply = bank.present(&gift("operator", 5)).await;
    assert_eq!((&order_reply["errcode"], &order_reply["balance"]), (&90012.into(), &238.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_orders_apply_once() {
    let bank = Arc::new(TestBank::start().await);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move { post_order(&bank, &order("one", "save", 3)).await.0 })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        match task.await.unwrap() {
            StatusCode::CREATED => created += 1,
            other => assert_eq!(other, StatusCode::OK),
        }
    }
    assert_eq!((created, bank.balance(Environment::Live).await), (1, 3));
}

#[tokio::test]
async fn invalid_field_is_named() {
    let bank = TestBank::start().await;
    let good = order("b", "present", 7);
    let long = "x".repeat(1025);
    let named = [
        (with_field(&good, "env", "prod"), "env", "env is neither live nor sandbox"),
        (with_field(&good, "openid", "a b"), "openid", "openid holds ' '"),
        (with_field(&good, "zone_id", ""), "zone_id", "zone_id is empty"),
        (with_field(&good, "bill_no", "x".repeat(64)), "bill_no", "bill_no is 64 bytes long"),
        (with_field(&good, "coins", 0), "coins", "coins is 0; it must be at least 1"),
        (with_field(&good, "coins", 1_u64 << 53), "coins", "coins is too large"),
        (with_field(&good, "item", &*long), "item", "item is longer than 1024 bytes"),
        (with_field(&good, "remark", &*long), "remark", "remark is longer than 1024 bytes"),
    ];
    for (order, field, detail) in named {
        let (status, problem) = post_order(&bank, &order).await;
        assert_eq!(
            (status, &problem["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &field.into()),
            "{problem}"
        );
        assert!(problem["detail"].as_str().unwrap().starts_with(detail), "{problem}");
    }
    let unnamed = [
        (
            with_field(&good, "kind", "pay"),
            "kind: unknown variant `pay`, expected one of `save`, `present`, `debit`, `cancel`",
        ),
        (with_field(&good, "coins", -1), "coins: invalid value: integer `-1`"),
        (with_field(&good, "coins", 1.5), "coins: invalid type: floating point `1.5`"),
        (with_field(&good, "coins", "7"), "coins: invalid type: string"),
        (with_field(&good, "bill_no", Value::Null), "bill_no: invalid type: null"),
        (with_field(&good, "bill", "b"), "unknown field `bill`"),
        (json!({ "kind": "save" }), "missing field `env`"),
        (json!(["present", "live", PLAYER, "1", "b", 7, "", ""]), "the body must be a JSON object"),
    ];
    for (order, detail) in unnamed {
        let (status, problem) = post_order(&bank, &order).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    for unreadable in ["", "{", "\u{1}"] {
        assert_eq!(bank.operator_request(Method::POST, ORDERS, unreadable).await.0, StatusCode::BAD_REQUEST);
    }
    let twice = good.to_string().replacen('{', r#"{"coins":1,"#, 1);
    assert_eq!(bank.operator_request(Method::POST, ORDERS, twice).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bank.account(Environment::Live).await["orders"], 0);
}

#[tokio::test]
async fn refused_overflow_frees_the_bill_no() {
    let bank = TestBank::start().await;
    let max = (1_u64 << 53) - 1;
    assert_eq!(post_order(&bank, &order("all", "save", max)).await.0, StatusCode::CREATED);
    let (status, problem) = post_order(&bank, &order("more", "present", 1)).await;
    assert_eq!((status, &problem["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &"coins".into()), "{problem}");
    assert_eq!(get_order(&bank, "more", "?env=live").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn bill_no_shows_its_order_and_cancel() {
    let bank = TestBank::start().await;
    post_order(&bank, &order("top|up*@1", "save", 10)).await;
    let (status, body) = get_order(&bank, "top%7Cup%2A%401", "?env=live").await;
    assert_eq!((status, &body["cancel"]), (StatusCode::OK, &Value::Null));
    assert_eq!(
        (&body["receipt"]["kind"], &body["receipt"]["bill_no"]),
        (&"save".into(), &"top|up*@1".into())
    );

    let bill_no = "p".parse().unwrap();
    let amt = pactolus_types::Amount::new(4).unwrap();
    let pay = Pay { caller: caller(), amt, bill_no, pay_item: None, app_remark: None };
    let cancel = CancelPay { caller: caller(), bill_no, pay_item: None };
    assert_eq!(bank.call::<Pay>(Environment::Live, sign(&pay, Environment::Live)).await["errcode"], 0);
    assert_eq!(get_order(&bank, "p", "?env=live").await.1["cancel"], Value::Null);
    let cancelled = bank.call::<CancelPay>(Environment::Live, sign(&cancel, Environment::Live)).await;
    assert_eq!(cancelled["errcode"], 0);
    let (_, order_reply) = get_order(&bank, "p", "?env=live").await;
    assert_eq!(
        (&order_reply["receipt"]["kind"], &order_reply["cancel"]["kind"]),
        (&"pay".into(), &"cancel".into())
    );
    assert_eq!(
        (&order_reply["cancel"]["coins"], &order_reply["cancel"]["after"]["balance"]),
        (&4.into(), &10.into())
    );

    let missing = [
        ("none", "?env=live", StatusCode::NOT_FOUND),
        ("p", "?env=sandbox", StatusCode::NOT_FOUND),
        ("p", "", StatusCode::UNPROCESSABLE_ENTITY),
        ("p", "?env=prod", StatusCode::UNPROCESSABLE_ENTITY),
        ("a%20b", "?env=live", StatusCode::UNPROCESSABLE_ENTITY),
        ("%FF", "?env=live", StatusCode::BAD_REQUEST),
    ];
    for (bill_no, query, expected) in missing {
        let (status, problem) = get_order(&bank, bill_no, query).await;
        assert_eq!((status, &problem["status"]), (expected, &expected.as_u16().into()), "{problem}");
    }
}

#[tokio::test]
async fn closed_ledger_is_retryable() {
    let bank = TestBank::start().await;
    bank.close_ledger().await;
    let (status, problem) = post_order(&bank, &order("b", "save", 1)).await;
    assert_eq!((status, &problem["retryable"]), (StatusCode::SERVICE_UNAVAILABLE, &true.into()), "{problem}");
}

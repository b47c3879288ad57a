//! Debits and cancels by the operator: idempotent by bill number, never below zero, counted apart from spending.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::{GetBalance, Pay};
use pactolus_types::{Amount, Environment};
use serde_json::{Value, json};

use crate::bank::{PLAYER, TestBank, caller, gift, sign};

const ORDERS: &str = "/api/v1/apps/wx1234567/orders";
const LIVE: Environment = Environment::Live;

fn debit(bill_no: &str, coins: u64) -> Value {
    json!({ "kind": "debit", "env": "live", "openid": PLAYER, "bill_no": bill_no, "coins": coins })
}

fn save(bill_no: &str, coins: u64) -> Value {
    with(&debit(bill_no, coins), "kind", "save")
}

fn cancel(bill_no: &str) -> Value {
    json!({ "kind": "cancel", "env": "live", "openid": PLAYER, "bill_no": bill_no })
}

fn with(order: &Value, field: &str, value: impl Into<Value>) -> Value {
    let mut order = order.clone();
    order[field] = value.into();
    order
}

async fn post(bank: &TestBank, order: &Value) -> (StatusCode, Value) {
    bank.operator_request(Method::POST, ORDERS, order.to_string()).await
}

/// Posts an order that applies now. Returns its coins, its gifted coins and the balance after it.
async fn apply(bank: &TestBank, order: &Value) -> [u64; 3] {
    let (status, reply) = post(bank, order).await;
    assert_eq!(status, StatusCode::CREATED, "{reply}");
    let receipt = &reply["receipt"];
    [&receipt["coins"], &receipt["gifted"], &receipt["after"]["balance"]].map(|coins| coins.as_u64().unwrap())
}

async fn assert_conflict(bank: &TestBank, order: &Value, field: &str, detail: &str) {
    let (status, problem) = post(bank, order).await;
    assert_eq!((status, &problem["field"]), (StatusCode::CONFLICT, &field.into()), "{problem}");
    assert_eq!(problem["retryable"], false, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
}

async fn pay(bank: &TestBank, bill_no: &str, coins: u64) -> Value {
    let (bill_no, amt) = (bill_no.parse().unwrap(), Amount::new(coins).unwrap());
    let pay = Pay { caller: caller(), amt, bill_no, pay_item: None, app_remark: None };
    bank.call::<Pay>(LIVE, sign(&pay, LIVE)).await
}

#[tokio::test]
async fn debit_replays_its_first_receipt() {
    let bank = TestBank::start().await;
    apply(&bank, &save("top-up", 5)).await;
    bank.present(&gift("gift", 233)).await;
    let order = with(&debit("d", 200), "remark", "233 were meant to be 33");
    let (status, first) = post(&bank, &order).await;
    assert_eq!((status, &first["replayed"]), (StatusCode::CREATED, &false.into()), "{first}");
    let after = json!({
        "balance": 38, "paid": 5, "gifted": 33, "saved": 5, "presented": 233, "spent": 0, "debited": 200, "orders": 3,
    });
    let receipt = &first["receipt"];
    assert_eq!((&receipt["kind"], &receipt["after"]), (&"debit".into(), &after));
    assert_eq!(
        [&receipt["coins"], &receipt["gifted"], &receipt["requested"]],
        [&Value::from(200), &200.into(), &200.into()]
    );
    assert_eq!(receipt["remark"], "233 were meant to be 33");

    // The balance no longer covers it, and the replay says what happened first.
    apply(&bank, &debit("e", 38)).await;
    let (status, again) = post(&bank, &order).await;
    assert_eq!((status, &again["replayed"], &again["receipt"]), (StatusCode::OK, &true.into(), receipt));
    assert_eq!(bank.balance(LIVE).await, 0);
}

#[tokio::test]
async fn other_debit_under_the_same_number_conflicts() {
    let bank = TestBank::start().await;
    bank.present(&gift("gift", 100)).await;
    let first = debit("d", 10);
    apply(&bank, &first).await;
    let cases = [
        (with(&first, "openid", "other"), "openid"),
        (with(&first, "zone_id", "2"), "zone_id"),
        (with(&first, "kind", "save"), "kind"),
        (with(&first, "coins", 11), "coins"),
        (with(&first, "shortfall", "take_available"), "shortfall"),
        (with(&first, "take_first", "paid"), "take_first"),
        (with(&first, "bill_no", "gift"), "kind"),
    ];
    for (other, field) in cases {
        assert_conflict(&bank, &other, field, "nothing changed").await;
    }
    // The defaults, written out, are the same order.
    let same = with(&with(&first, "shortfall", "refuse"), "take_first", "gifted");
    assert_eq!(post(&bank, &same).await.0, StatusCode::OK);
    assert_eq!(bank.balance(LIVE).await, 90);
}

#[tokio::test]
async fn shortfall_is_refused_or_takes_what_is_there() {
    let bank = TestBank::start().await;
    let available = |bill_no, coins| with(&debit(bill_no, coins), "shortfall", "take_available");
    assert_conflict(&bank, &debit("d", 1), "coins", "the balance is 0").await;
    assert_conflict(&bank, &available("d", 1), "coins", "nothing to take").await;
    apply(&bank, &save("top-up", 30)).await;
    bank.present(&gift("gift", 20)).await;
    assert_conflict(&bank, &debit("d", 51), "coins", "the balance is 50").await;
    // A refused debit leaves its number unused. Gifted coins go first, or paid ones where that is asked.
    assert_eq!(apply(&bank, &debit("d", 25)).await, [25, 20, 25]);
    bank.present(&gift("more", 10)).await;
    assert_eq!(apply(&bank, &with(&debit("p", 20), "take_first", "paid")).await, [20, 0, 15]);
    let all = available("all", 1_000_000);
    assert_eq!(apply(&bank, &all).await, [15, 10, 0]);
    let (_, replay) = post(&bank, &all).await;
    assert_eq!(replay["receipt"]["requested"], 1_000_000);
    assert_conflict(&bank, &available("again", 1), "coins", "nothing to take").await;
}

/// The wire keeps its members, and a debit is no spending: `cost_sum` stays.
#[tokio::test]
async fn wire_and_sums_tell_debits_from_spending() {
    let bank = TestBank::start().await;
    apply(&bank, &save("top-up", 100)).await;
    bank.present(&gift("gift", 20)).await;
    assert_eq!(pay(&bank, "pay", 30).await["errcode"], 0);
    apply(&bank, &debit("d", 7)).await;
    let reply = bank.call::<GetBalance>(LIVE, sign(&GetBalance { caller: caller() }, LIVE)).await;
    let members: Vec<_> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        [
            "balance",
            "cost_sum",
            "errcode",
            "errmsg",
            "first_save",
            "gen_balance",
            "present_sum",
            "save_amt",
            "save_sum"
        ]
    );
    assert_eq!(
        ["balance", "cost_sum", "save_sum", "present_sum"].map(|member| reply[member].as_u64().unwrap()),
        [83, 30, 120, 20]
    );
    assert_eq!(pay(&bank, "too-much", 84).await["errcode"], 90013, "the coins are gone");

    let path = "/api/v1/apps/wx1234567/totals?env=live&from=2017-10-09&to=2017-10-09";
    let (_, totals) = bank.operator_request(Method::GET, path, "").await;
    let total = &totals["totals"][0];
    assert_eq!(total["debit"], json!({ "orders": 1, "coins": "7" }));
    assert_eq!(total["pay"], json!({ "orders": 1, "coins": "30" }));
    let statement = format!("/api/v1/apps/wx1234567/statement?env=live&openid={PLAYER}&limit=1");
    let (_, page) = bank.operator_request(Method::GET, &statement, "").await;
    assert_eq!((&page["orders"][0]["kind"], &page["orders"][0]["coins"]), (&"debit".into(), &7.into()));
}

/// Debits at once, of every rule: together they take the balance and no more, and no balance goes below zero.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_debits_never_go_below_zero() {
    let bank = Arc::new(TestBank::start().await);
    apply(&bank, &save("top-up", 40)).await;
    bank.present(&gift("gift", 60)).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60 {
        let shortfall = if number % 2 == 0 { "refuse" } else { "take_available" };
        // Each debit is sent twice at once, and counts once.
        let order = with(&debit(&format!("d{number}"), 7), "shortfall", shortfall);
        for _ in 0..2 {
            let (bank, order) = (Arc::clone(&bank), order.clone());
            tasks.spawn(async move {
                let (status, reply) = post(&bank, &order).await;
                match status {
                    StatusCode::CREATED => reply["receipt"]["coins"].as_u64().unwrap(),
                    StatusCode::OK => 0,
                    other => {
                        assert_eq!(
                            (other, &reply["field"]),
                            (StatusCode::CONFLICT, &"coins".into()),
                            "{reply}"
                        );
                        0
                    }
                }
            });
        }
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<u64>(), 100);
    let account = bank.account(LIVE).await;
    assert_eq!((&account["balance"], &account["debited"]), (&0.into(), &100.into()));
}

#[tokio::test]
async fn operator_cancels_a_pay_once() {
    let bank = TestBank::start().await;
    bank.present(&gift("gift", 50)).await;
    assert_eq!(pay(&bank, "pay", 20).await["balance"], 30);
    assert_conflict(&bank, &cancel("none"), "bill_no", "no pay has bill_no none").await;
    assert_conflict(&bank, &cancel("gift"), "bill_no", "is not a pay").await;
    assert_conflict(&bank, &with(&cancel("pay"), "openid", "other"), "openid", "another openid").await;
    assert_eq!(apply(&bank, &cancel("pay")).await, [20, 20, 50]);
    let (status, again) = post(&bank, &cancel("pay")).await;
    assert_eq!((status, &again["receipt"]["kind"]), (StatusCode::OK, &"cancel".into()));

    assert_eq!(pay(&bank, "old", 20).await["balance"], 30);
    bank.clock.advance(Duration::from_secs(48 * 3600 + 1));
    assert_conflict(&bank, &cancel("old"), "bill_no", "cancel window").await;
    assert_eq!(bank.balance(LIVE).await, 30);
}

#[tokio::test]
async fn field_without_effect_is_refused() {
    let bank = TestBank::start().await;
    let cases = [
        (with(&save("b", 1), "shortfall", "refuse"), "shortfall", "has an effect on a debit only"),
        (with(&save("b", 1), "take_first", "paid"), "take_first", "has an effect on a debit only"),
        (with(&cancel("b"), "coins", 1), "coins", "has no effect on a cancel"),
        (with(&save("b", 1), "coins", Value::Null), "coins", "is missing"),
        (with(&debit("b", 1), "coins", 0), "coins", "is 0"),
    ];
    for (order, field, detail) in cases {
        let (status, problem) = post(&bank, &order).await;
        assert_eq!(
            (status, &problem["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &field.into()),
            "{problem}"
        );
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    for (field, value) in [("shortfall", "maybe"), ("take_first", "free")] {
        let (status, problem) = post(&bank, &with(&debit("b", 1), field, value)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(problem["detail"].as_str().unwrap().contains("unknown variant"), "{problem}");
    }
    assert_eq!(bank.account(LIVE).await["orders"], 0);
}

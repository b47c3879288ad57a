//! Statements: every order of an account once, newest first, even if orders arrive between two pages.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::bank::{PLAYER, TestBank};

async fn save(bank: &TestBank, openid: &str, bill_no: &str) {
    let order = json!({ "kind": "save", "env": "live", "openid": openid, "bill_no": bill_no, "coins": 1 });
    let (status, _) =
        bank.operator_request(Method::POST, "/api/v1/apps/wx1234567/orders", order.to_string()).await;
    assert_eq!(status, StatusCode::CREATED);
}

async fn page(bank: &TestBank, openid: &str, query: &str) -> (StatusCode, Value) {
    let path = format!("/api/v1/apps/wx1234567/statement?env=live&openid={openid}{query}");
    bank.operator_request(Method::GET, &path, "").await
}

fn bill_numbers(page: &Value) -> Vec<String> {
    let orders = page["orders"].as_array().unwrap();
    orders.iter().map(|order| order["bill_no"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_are_complete_while_orders_arrive() {
    for (orders, limit) in [(1, 1), (21, 7), (50, 8), (100, 100), (101, 100)] {
        let bank = TestBank::start().await;
        for number in 0..orders {
            save(&bank, PLAYER, &format!("old{number}")).await;
            save(&bank, "other-player", &format!("theirs{number}")).await;
        }
        let mut listed = Vec::new();
        let mut after = String::new();
        loop {
            let (status, page) = page(&bank, PLAYER, &format!("&limit={limit}{after}")).await;
            assert_eq!(status, StatusCode::OK, "{page}");
            assert!(page["orders"].as_array().unwrap().len() <= limit);
            listed.extend(bill_numbers(&page));
            save(&bank, PLAYER, &format!("new{}", listed.len())).await;
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let expected: Vec<_> = (0..orders).rev().map(|number| format!("old{number}")).collect();
        assert_eq!(listed, expected);
    }
}

#[tokio::test]
async fn an_account_without_orders_has_an_empty_statement() {
    let bank = TestBank::start().await;
    save(&bank, PLAYER, "b").await;
    let empty = json!({ "orders": [], "next": null });
    assert_eq!(page(&bank, "stranger", "").await, (StatusCode::OK, empty.clone()));
    assert_eq!(page(&bank, PLAYER, "&zone_id=2").await.1, empty);
}

#[tokio::test]
async fn default_page_size_is_twenty() {
    let bank = TestBank::start().await;
    for number in 0..21 {
        save(&bank, PLAYER, &format!("{number}")).await;
    }
    let (_, first) = page(&bank, PLAYER, "").await;
    assert_eq!(bill_numbers(&first).len(), 20);
    let second = page(&bank, PLAYER, &format!("&after={}", first["next"].as_str().unwrap())).await.1;
    assert_eq!((bill_numbers(&second), &second["next"]), (vec!["0".to_owned()], &Value::Null));
}

#[tokio::test]
async fn foreign_cursor_is_refused() {
    let bank = TestBank::start().await;
    for number in 0..3 {
        save(&bank, PLAYER, &format!("{number}")).await;
        save(&bank, "other", &format!("other{number}")).await;
    }
    let theirs = page(&bank, "other", "&limit=1").await.1["next"].as_str().unwrap().to_owned();
    let (cut, upper) = (theirs[1..].to_owned(), theirs.to_uppercase());
    for after in [&*theirs, &cut, &upper, "", "0", "000000000000000000000000", "ffffffffffffffffffffffff"] {
        let (status, problem) = page(&bank, PLAYER, &format!("&after={after}")).await;
        assert_eq!(
            (status, &problem["field"]),
            (StatusCode::UNPROCESSABLE_ENTITY, &"after".into()),
            "{after}"
        );
    }
    assert_eq!(page(&bank, "other", &format!("&after={theirs}")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn invalid_limit_is_refused() {
    let bank = TestBank::start().await;
    for limit in ["0", "101", "-1", "x", "", "18446744073709551616"] {
        let (status, problem) = page(&bank, PLAYER, &format!("&limit={limit}")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("limit"), "{problem}");
    }
}

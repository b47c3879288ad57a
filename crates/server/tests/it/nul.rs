//! U+0000 in any text of a call is refused with the parameter's name, on every engine.
//!
//! The bug: a remark with `\u0000` was taken, and on PostgreSQL its order failed the whole batch, again and again: of
//! 420 honest orders beside it 115 were answered -1. The fix: the wire refuses it, once and for all.

use hyper::{Method, StatusCode};
use pactolus_protocol::{FreeText, Pay};
use pactolus_types::Environment;
use serde_json::{Value, json};

use crate::bank::{PLAYER, TestBank, assert_refused, caller, gift, sign};

const ORDERS: &str = "/api/v1/apps/wx1234567/orders";

#[tokio::test]
async fn nul_in_a_call_names_its_parameter() {
    let bank = TestBank::start().await;
    let pay = Pay {
        caller: caller(),
        amt: pactolus_types::Amount::new(1).unwrap(),
        bill_no: "pay".parse().unwrap(),
        pay_item: Some(FreeText::new("sword").unwrap()),
        app_remark: Some(FreeText::new("note").unwrap()),
    };
    let sent: Value = serde_json::from_str(&sign(&pay, Environment::Live)).unwrap();
    for field in
        ["pay_item", "app_remark", "openid", "appid", "offer_id", "zone_id", "pf", "bill_no", "user_ip"]
    {
        for text in ["\0", "a\0", "\0b", "a\0b"] {
            let mut body = sent.clone();
            body[field] = text.into();
            for _ in 0..2 {
                let reply = bank.call::<Pay>(Environment::Live, body.to_string()).await;
                assert_eq!(reply["errcode"], 90018, "{field}: {reply}");
                let start = format!("invalid parameter: {field} ");
                assert!(reply["errmsg"].as_str().unwrap().starts_with(&start), "{reply}");
            }
        }
    }
    let mut body = sent.clone();
    body["app_remark"] = "a\0b".into();
    let reply = bank.call::<Pay>(Environment::Live, body.to_string()).await;
    assert_refused(&reply, 90018, "invalid parameter: app_remark holds U+0000, which no text may hold");
    assert_eq!(bank.present(&gift("honest", 5)).await["errcode"], 0);
}

#[tokio::test]
async fn nul_in_an_operator_order_names_its_field() {
    let bank = TestBank::start().await;
    for field in ["item", "remark"] {
        let mut order = json!({
            "kind": "save", "env": "live", "openid": PLAYER, "bill_no": "b", "coins": 5, "item": "a", "remark": "b",
        });
        order[field] = "a\0b".into();
        let (status, problem) = bank.operator_request(Method::POST, ORDERS, order.to_string()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["field"], field, "{problem}");
        order[field] = "ab".into();
        order["bill_no"] = field.into();
        let (status, _) = bank.operator_request(Method::POST, ORDERS, order.to_string()).await;
        assert_eq!(status, StatusCode::CREATED);
    }
    assert_eq!(bank.balance(Environment::Live).await, 10);
}

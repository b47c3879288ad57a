//! Order of checks on the raw wires, which is part of the contract: of two errors in one request, the earlier check's is
//! returned.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{BOTH, GAME, LIVE, Vocabulary, start};
use crate::bank::{OFFER, PLAYER, TestBank};

async fn refused(bank: &TestBank, method: Method, path: &str, body: &str, errcode: i64, words: &str) {
    let (status, _, reply) = bank.send(method, path, &[], body.to_owned()).await;
    assert_eq!(status, StatusCode::OK);
    let reply: Value = serde_json::from_slice(&reply).unwrap();
    assert_eq!(reply["errcode"], errcode, "{reply} instead of {words}");
    assert!(reply["errmsg"].as_str().unwrap().contains(words), "{reply} without {words}");
}

/// Everything is wrong at first. Each line corrects one error.
#[tokio::test]
async fn raw_checks_run_in_contract_order() {
    for words in BOTH {
        check_order(words).await;
    }
}

async fn check_order(words: Vocabulary) {
    let bank = start().await;
    let path = words.pay.as_str();
    let post = |query: &str, body: &str, code: i64, text: &str| {
        let (path, body, text) = (format!("{path}{query}"), body.to_owned(), text.to_owned());
        let bank = &bank;
        async move { refused(bank, Method::POST, &path, &body, code, &text).await }
    };
    refused(&bank, Method::GET, path, "", 43002, "require POST method").await;
    post("", "", 41001, "access_token missing").await;
    post("?access_token=another", "", 40001, "invalid credential").await;
    let token = "?access_token=ACCESSTOKEN";
    post(token, "", 44002, "empty post data").await;
    post(token, "[]", 47001, "the body is not a JSON object").await;
    post(token, "{}", words.invalid, "env is missing").await;
    post(token, r#"{"env":2}"#, words.invalid, "env is neither 0 (live) nor 1 (sandbox)").await;
    let mut body = json!({ "env": 0, "openid": "a b" });
    if words.wire == GAME.wire {
        post(token, &body.to_string(), words.invalid, "sig_method must be hmac_sha256").await;
    }
    let method = format!("{token}&sig_method=hmac_sha256");
    post(&method, &body.to_string(), words.invalid, "pay_sig is missing from the query").await;
    let with_pay_sig = format!("{method}&pay_sig=00");
    post(&with_pay_sig, &body.to_string(), words.invalid, "signature is missing from the query").await;
    let signed = format!("{with_pay_sig}&signature=00");
    let openid_code = if words.wire == GAME.wire { 90018 } else { 268_490_001 };
    post(&signed, &body.to_string(), openid_code, "openid holds a space").await;
    body["openid"] = "stranger".into();
    if words.wire == GAME.wire {
        post(&signed, &body.to_string(), words.invalid, "offer_id is missing").await;
        body["offer_id"] = "87654321".into();
        post(&signed, &body.to_string(), words.invalid, "ts is missing").await;
        body["ts"] = 1_668_136_271.into();
        post(&signed, &body.to_string(), words.invalid, "zone_id is missing").await;
        body["zone_id"] = "1".into();
    }
    post(&signed, &body.to_string(), words.invalid, "amount is missing").await;
    body["amount"] = 5.into();
    post(&signed, &body.to_string(), words.invalid, &format!("{} is missing", words.number)).await;
    body[words.number] = "b".into();
    if words.wire == GAME.wire {
        post(&signed, &body.to_string(), words.invalid, "offer_id is not the offer of this app").await;
        body["offer_id"] = OFFER.into();
    }
    post(&signed, &body.to_string(), words.bad_pay_sig, "pay_sig must be 64 hex digits").await;

    let mut call = words.pay("b", 5);
    call.body = body;
    call.pay_sig = Some("0".repeat(64));
    call.signature = Some("00".to_owned());
    let reply = call.send(&bank).await;
    assert_eq!(reply["errcode"], words.bad_pay_sig, "{reply}");
    call.pay_sig = None;
    let reply = call.send(&bank).await;
    assert_eq!(reply["errcode"], words.no_session, "{reply}");
    bank.log_in("stranger").await;
    let reply = call.send(&bank).await;
    assert_eq!(reply["errcode"], words.bad_signature, "{reply}");
    assert!(reply["errmsg"].as_str().unwrap().contains("signature must be 64 hex digits"), "{reply}");
    call.signature = None;
    let reply = call.send(&bank).await;
    assert_eq!(reply["errcode"], words.not_enough, "{reply}");
    call.body["openid"] = PLAYER.into();
    let reply = words.present("gift", 5).send(&bank).await;
    assert_eq!(reply["errcode"], 0, "{reply}");
    assert_eq!(call.send(&bank).await["errcode"], 0);
    assert_eq!(bank.balance(LIVE).await, 0);
}

/// A body that arrives with a token of no wire's app is not even parsed.
#[tokio::test]
async fn platform_errors_precede_the_wires() {
    let bank = TestBank::start().await;
    for words in BOTH {
        let mut call = words.balance();
        call.token = None;
        assert_eq!(call.send_bytes(&bank, b"[".to_vec()).await["errcode"], 41001);
        call.token = Some("x".to_owned());
        assert_eq!(call.send_bytes(&bank, b"[".to_vec()).await["errcode"], 40001);
    }
    let reply = super::client::XPAY.balance().send_bytes(&bank, b"[".to_vec()).await;
    assert_eq!(reply["errcode"], 48001, "the app does not speak it: {reply}");
}

//! Faults of the sandbox on the raw wires, by their own codes, and none in the live environment.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::{BOTH, GAME, SANDBOX, Vocabulary, XPAY, start};
use crate::bank::TestBank;

const FAULTS: &str = "/api/v1/apps/wx1234567/faults";

async fn put(bank: &TestBank, rules: Value) -> (StatusCode, Value) {
    bank.operator_request(Method::PUT, FAULTS, rules.to_string()).await
}

fn codes(words: Vocabulary) -> &'static [i64] {
    if words.wire == GAME.wire {
        &[-1, 40001, 42001, 90016]
    } else {
        &[-1, 40001, 42001, 268_490_009, 268_490_014, 268_490_015]
    }
}

#[tokio::test]
async fn answer_is_a_code_of_the_rules_wire() {
    let bank = start().await;
    for words in BOTH {
        for code in codes(words) {
            let rule = json!([{ "wire": words.wire.name(), "call": "present", "fault": { "answer": code } }]);
            let (status, rules) = put(&bank, rule).await;
            assert_eq!(status, StatusCode::OK, "{rules}");
            assert_eq!(rules[0]["wire"], words.wire.name());
            let reply = words.present("faulty", 5).sandbox().send(&bank).await;
            assert_eq!(reply["errcode"], *code, "{reply}");
            assert!(reply["errmsg"].as_str().unwrap().contains("a fault rule of the sandbox"), "{reply}");
            // Other calls, other wires and the live environment have none.
            assert_eq!(words.balance().sandbox().send(&bank).await["errcode"], 0);
            let other = if words.wire == GAME.wire { XPAY } else { GAME };
            assert_eq!(other.balance().sandbox().send(&bank).await["errcode"], 0);
            assert_eq!(words.present(&format!("{}{code}", words.number), 1).send(&bank).await["errcode"], 0);
        }
    }
    assert_eq!(bank.balance(SANDBOX).await, 0);
}

#[tokio::test]
async fn code_of_another_wire_is_refused() {
    let bank = start().await;
    for (wire, code) in [("game", 90010), ("game", 268_490_014), ("xpay", 90016), ("midas", 268_490_009)] {
        let rule = json!([{ "wire": wire, "call": "any", "fault": { "answer": code } }]);
        let (status, problem) = put(&bank, rule).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wire} {code}: {problem}");
    }
}

#[tokio::test]
async fn dropped_reply_leaves_the_order_applied() {
    for words in BOTH {
        let bank = start().await;
        let drop_reply =
            json!([{ "wire": words.wire.name(), "call": "pay", "fault": "close_after", "times": 1 }]);
        assert_eq!(put(&bank, drop_reply).await.0, StatusCode::OK);
        words.present("gift", 9).sandbox().send(&bank).await;
        let call = words.pay("pay", 4).sandbox();
        let path = format!("{}?{}", call.path, call.query_of(call.bytes().as_bytes()));
        let url = bank.base.trim_start_matches("http://").to_owned();
        let body = call.bytes();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: bank\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(url).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert_eq!(reply, "", "no reply");
        // The client repeats the same number, as the vendor's guide says.
        assert_eq!(call.send(&bank).await["errcode"], words.taken);
        assert_eq!(bank.balance(SANDBOX).await, 5);
    }
}

//! Rejections on the raw wires: the mistake is named, and the body is never shown.

use hyper::Method;
use pactolus_protocol::raw::sign;
use pactolus_protocol::{MidasKey, SessionKey};
use serde_json::Value;

use super::client::{BOTH, GAME, RawCall, SANDBOX, start};
use crate::bank::{MIDAS_KEY, PLAYER, SANDBOX_KEY, SECRET, SESSION_KEY, TOKEN, TestBank};

async fn rejection(bank: &TestBank, reply: &Value) -> Value {
    let rid = reply["errmsg"].as_str().unwrap().split_once(" rid: ").unwrap().1.to_owned();
    bank.operator_request(Method::GET, &format!("/api/v1/rejections/{rid}"), "").await.1
}

fn pay_sig(uri: &str, body: &str, key: &str) -> String {
    sign::pay_sig(uri, body.as_bytes(), &MidasKey::new(key).unwrap()).to_string()
}

/// The mistakes of clients, each with its name: a `pay_sig` made wrongly.
fn wrong_pay_sigs(call: &RawCall) -> Vec<(String, &'static str)> {
    let (path, body) = (call.path.as_str(), call.bytes());
    let key = SANDBOX_KEY;
    let spaced = body.replace(',', ", ").replace(':', ": ");
    vec![
        (pay_sig(&path[1..], &body, key), "uri-form"),
        (pay_sig(&format!("{path}/"), &body, key), "uri-form"),
        (pay_sig(&format!("https://api.weixin.qq.com{path}"), &body, key), "uri-form"),
        (pay_sig(&format!("http://127.0.0.1{path}"), &body, key), "no-known-mistake"),
        (pay_sig(&format!("{path}?access_token={TOKEN}"), &body, key), "uri-form"),
        (pay_sig(&format!("{path}&POST"), &body, key), "uri-form"),
        (pay_sig("/cgi-bin/midas/pay", &body, key), "other-path"),
        (pay_sig("/xpay/present_currency", &body, key), "other-path"),
        (pay_sig(path, &spaced, key), "body-respelled"),
        (pay_sig(path, &format!("{body}\n"), key), "body-respelled"),
        (pay_sig(path, &body, MIDAS_KEY), "wrong-app-key"),
        (pay_sig(path, &body, SECRET), "app-secret-as-key"),
        (pay_sig(path, &body, SESSION_KEY), "session-key-as-app-key"),
        (pay_sig(path, &body, "another-key"), "no-known-mistake"),
    ]
}

#[tokio::test]
async fn mistakes_in_pay_sig_are_named() {
    let bank = start().await;
    for words in BOTH {
        let mut call = words.pay("secret-number", 4).sandbox();
        for (pay_sig, name) in wrong_pay_sigs(&call) {
            call.pay_sig = Some(pay_sig);
            let reply = call.send(&bank).await;
            assert_eq!(reply["errcode"], words.bad_pay_sig, "{reply}");
            let kept = rejection(&bank, &reply).await;
            assert_eq!(kept["findings"][0]["name"], name, "{kept}");
            assert_eq!(
                (&kept["env"], &kept["path"]),
                (&"sandbox".into(), &call.path.as_str().into()),
                "{kept}"
            );
            let text = kept["signed_text"].as_str().unwrap();
            let start = format!("{}&(body of {} bytes, SHA-256 ", call.path, call.bytes().len());
            assert!(text.starts_with(&start), "{text}");
            let shown = kept.to_string();
            for secret in [TOKEN, SANDBOX_KEY, MIDAS_KEY, SECRET, SESSION_KEY] {
                assert!(!shown.contains(secret), "{shown}");
            }
            // The sandbox names the mistake in the reply.
            if name != "no-known-mistake" {
                let finding = kept["findings"][0]["finding"].as_str().unwrap();
                assert!(reply["errmsg"].as_str().unwrap().contains(finding), "{reply}");
            }
        }
    }
    assert_eq!(bank.balance(SANDBOX).await, 0);
}

#[tokio::test]
async fn mistakes_in_signature_are_named() {
    let bank = start().await;
    for words in BOTH {
        let mut call = words.pay("b", 4).sandbox();
        let body = call.bytes();
        let with_key = |text: &str, key: &str| {
            sign::signature(text.as_bytes(), &SessionKey::new(key).unwrap()).to_string()
        };
        for (signature, name) in [
            (with_key(&format!("{}&{body}", call.path), SESSION_KEY), "uri-in-signature"),
            (with_key(&format!("{body}\n"), SESSION_KEY), "body-respelled"),
            (pay_sig(call.path.as_str(), &body, SANDBOX_KEY), "signatures-swapped"),
            (with_key(&body, "AAAAAAAAAAAAAAAAAAAAAA=="), "no-known-mistake"),
        ] {
            call.signature = Some(signature);
            let reply = call.send(&bank).await;
            assert_eq!(reply["errcode"], words.bad_signature, "{reply}");
            let kept = rejection(&bank, &reply).await;
            assert_eq!(kept["findings"][0]["name"], name, "{kept}");
            assert!(kept["signed_text"].as_str().unwrap().starts_with("(body of "), "{kept}");
        }
    }
    // An earlier login's key.
    let path = format!("/api/v1/apps/wx1234567/players/{PLAYER}/session");
    let newer = r#"{"session_key":"AAAAAAAAAAAAAAAAAAAAAA==","expires_in":60}"#;
    bank.operator_request(Method::PUT, &path, newer).await;
    let reply = GAME.balance().send(&bank).await;
    let kept = rejection(&bank, &reply).await;
    let names: Vec<_> = kept["findings"].as_array().unwrap().iter().map(|found| &found["name"]).collect();
    assert_eq!(names, ["old-session-key", "login-replaced"], "{kept}");
}

#[tokio::test]
async fn missing_login_and_early_refusals_are_kept() {
    let bank = start().await;
    for words in BOTH {
        let kept = rejection(&bank, &words.balance().of("stranger").send(&bank).await).await;
        assert_eq!(kept["findings"][0]["name"], "never-logged-in", "{kept}");
        assert_eq!(kept["env"], "live");
        let mut call = words.balance();
        call.body["env"] = "x".into();
        let kept = rejection(&bank, &call.send(&bank).await).await;
        assert_eq!(kept.get("env"), None, "it is not known: {kept}");
        assert_eq!(kept["errcode"], words.invalid);
    }
}

/// Parameters of one family on a path of another.
#[tokio::test]
async fn members_of_another_family_are_named() {
    let bank = start().await;
    let old = crate::bank::sign(&crate::bank::gift("b", 5), super::client::LIVE);
    let reply = GAME.present("b", 5).send_bytes(&bank, old.into_bytes()).await;
    assert!(reply["errmsg"].as_str().unwrap().contains("the body has pf"), "{reply}");
    let newer = GAME.present("b", 5).bytes();
    let path = format!("/cgi-bin/midas/present?access_token={TOKEN}");
    let reply = bank.post(&path, newer).await;
    assert_eq!(reply["errcode"], 90018);
    assert!(reply["errmsg"].as_str().unwrap().contains("/wxa/game"), "{reply}");
}

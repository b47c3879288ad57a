//! Settings of an app on the raw wires: which it speaks, which signatures a present needs, which hex it accepts.

use hyper::Method;
use pactolus_protocol::raw::PresentSignature;
use pactolus_protocol::{DialectPolicy, RawWire, Wire};
use pactolus_server::AppSettings;
use serde_json::Value;

use super::client::{BOTH, GAME, LIVE, XPAY, app_of_all_wires, start};
use crate::bank::{TestBank, gift, sample_app};

#[tokio::test]
async fn app_speaks_only_its_wires() {
    // By default a mini game has both of its vocabularies, and none of mini programs.
    let bank = TestBank::start().await;
    assert_eq!(GAME.present("a", 5).send(&bank).await["errcode"], 0);
    assert_eq!(bank.present(&gift("b", 5)).await["errcode"], 0);
    let reply = XPAY.present("c", 5).send(&bank).await;
    assert_eq!(reply["errcode"], 48001, "{reply}");
    let words = "api unauthorized: the wires of this app in the bank's settings do not have \"xpay\" rid: ";
    assert!(reply["errmsg"].as_str().unwrap().starts_with(words), "{reply}");

    let wires = vec![Wire::Raw(RawWire::Xpay)];
    let bank = TestBank::with_app(AppSettings { wires, ..sample_app() }).await;
    assert_eq!(bank.present(&gift("b", 5)).await["errcode"], 48001);
    assert_eq!(GAME.present("a", 5).send(&bank).await["errcode"], 48001);
    assert_eq!(XPAY.present("c", 5).send(&bank).await["errcode"], 0);
}

#[tokio::test]
async fn present_signature_is_set_per_app() {
    use PresentSignature::{IfPresent, Off, Required};
    for words in BOTH {
        let is_game = words.wire == RawWire::Game;
        let bad = if is_game { words.bad_signature } else { words.bad_pay_sig };
        // Setting, errcode with a right one, a wrong one, and none.
        for (setting, right, wrong, none) in
            [(Required, 0, bad, words.invalid), (IfPresent, 0, bad, 0), (Off, 0, 0, 0)]
        {
            let bank =
                TestBank::with_app(AppSettings { present_signature: setting, ..app_of_all_wires() }).await;
            for (number, sent, expected) in [
                ("right", None, right),
                ("wrong", Some("0".repeat(64)), wrong),
                ("none", Some(String::new()), none),
            ] {
                let mut call = words.present(number, 5);
                *(if is_game { &mut call.signature } else { &mut call.pay_sig }) = sent;
                let reply = call.send(&bank).await;
                assert_eq!(reply["errcode"], expected, "{:?} {setting:?} {number}: {reply}", words.wire);
            }
            // No other call is affected.
            let mut call = words.balance();
            call.signature = Some(String::new());
            assert_eq!(call.send(&bank).await["errcode"], words.invalid);
        }
    }
}

/// A gift of `/xpay/*` needs no session, so a signature that is sent all over is not looked at.
#[tokio::test]
async fn unneeded_signature_is_not_looked_at() {
    let bank = start().await;
    let mut call = XPAY.present("a", 5).of("stranger");
    call.signature = Some("0".repeat(64));
    call.sig_method = Some("md5");
    assert_eq!(call.send(&bank).await["errcode"], 0);
}

#[tokio::test]
async fn uppercase_hex_is_accepted_by_a_lenient_app() {
    for (dialects, accepted) in [(DialectPolicy::Lenient, true), (DialectPolicy::Strict, false)] {
        let bank = TestBank::with_app(AppSettings { dialects, ..app_of_all_wires() }).await;
        for words in BOTH {
            let mut call = words.balance();
            let query = call.query_of(call.bytes().as_bytes());
            let pay_sig = query.split('&').find_map(|pair| pair.strip_prefix("pay_sig=")).unwrap();
            call.pay_sig = Some(pay_sig.to_uppercase());
            let expected = if accepted { 0 } else { words.bad_pay_sig };
            assert_eq!(call.send(&bank).await["errcode"], expected);
        }
    }
}

/// What is signed is what was sent, whatever its spelling.
#[tokio::test]
async fn any_spelling_of_a_body_is_signed_as_sent() {
    let bank = start().await;
    for (number, spelling) in [
        ("a", "{\n \"env\": 0, \"openid\": OPENID, \"amount\": 2, \"order_id\": NUMBER\r\n}\n"),
        (
            "b",
            "{\"order_id\":NUMBER,\"amount\":\"2\",\"openid\":OPENID,\"env\":\"0\",\"remark\":\"a\\/b \\u5b9d\"}",
        ),
        (
            "c",
            "{\"x\":[{}],\"order_id\":NUMBER,\"amount\":2,\"openid\":OPENID,\"env\":0,\"device_type\":\"0\"}",
        ),
    ] {
        let body = spelling
            .replace("OPENID", &format!("\"{}\"", crate::bank::PLAYER))
            .replace("NUMBER", &format!("\"{number}\""));
        let reply = XPAY.present("unused", 1).send_bytes(&bank, body.into_bytes()).await;
        assert_eq!(reply["errcode"], 0, "{number}: {reply}");
    }
    assert_eq!(bank.balance(LIVE).await, 6);
    // A byte order mark is signed and is no JSON.
    for words in BOTH {
        let body = format!("\u{feff}{}", words.balance().bytes());
        assert_eq!(words.balance().send_bytes(&bank, body.into_bytes()).await["errcode"], words.invalid);
    }
}

#[tokio::test]
async fn unserved_calls_say_so_in_the_vendors_shape() {
    let bank = start().await;
    for (path, words) in [
        ("/xpay/query_order", "a coin bank does not have this call, which is about goods and cash orders"),
        ("/xpay/get_complaint_list", "a coin bank does not have this call, which is about complaints"),
        ("/wxa/game/pays", "the nearest path is /wxa/game/pay"),
    ] {
        let (status, _, reply) = bank.send(Method::POST, path, &[], "{}").await;
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        assert_eq!((status.as_u16(), &reply["errcode"]), (200, &40066.into()), "{reply}");
        assert!(reply["errmsg"].as_str().unwrap().contains(words), "{reply}");
    }
    // Slashes are merged before the path is signed, as on the first wire.
    let call = GAME.balance();
    let path = format!("//wxa/game//getbalance/?{}", call.query_of(call.bytes().as_bytes()));
    assert_eq!(bank.post(&path, call.bytes()).await["errcode"], 0);
}

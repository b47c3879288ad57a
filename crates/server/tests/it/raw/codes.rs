//! Every code of each raw wire is answered to some request.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use hyper::Method;
use pactolus_protocol::{GameCode, PlatformCode, XpayCode};
use pactolus_server::AppSettings;
use pactolus_types::Amount;
use serde_json::{Value, json};

use super::client::{BOTH, RawCall, Vocabulary, app_of_all_wires, start};
use crate::bank::{APPID, PLAYER, TestBank, sample_app};
use pactolus_protocol::{RawPath, RawWire};

/// Platform codes that a call of a wire can answer; the others are of tokens, logins and unknown paths.
const PLATFORM: [PlatformCode; 9] = [
    PlatformCode::SystemError,
    PlatformCode::InvalidCredential,
    PlatformCode::AccessTokenMissing,
    PlatformCode::AccessTokenExpired,
    PlatformCode::RequirePost,
    PlatformCode::EmptyPostData,
    PlatformCode::DataFormat,
    PlatformCode::ApiUnauthorized,
    PlatformCode::QuotaReached,
];

fn expected(words: Vocabulary) -> BTreeSet<i64> {
    let platform = PLATFORM.iter().map(|code| code.code());
    let own: Vec<i32> = match words.wire {
        RawWire::Game => GameCode::ALL.iter().map(|code| code.code()).collect(),
        RawWire::Xpay => XpayCode::ALL.iter().map(|code| code.code()).collect(),
    };
    // `/xpay/*` has a code of its own for a rate limit.
    let is_of_wire = |code: &i32| words.wire == RawWire::Game || *code != PlatformCode::QuotaReached.code();
    platform.filter(is_of_wire).chain(own).map(i64::from).collect()
}

fn code(reply: &Value) -> i64 {
    let code = reply["errcode"].as_i64().unwrap();
    let errmsg = reply["errmsg"].as_str().unwrap();
    assert_eq!(code == 0, errmsg == "ok", "{reply}");
    assert!(code == 0 || errmsg.contains(" rid: "), "{reply}");
    code
}

#[tokio::test]
async fn every_code_of_each_wire_is_answered() {
    for words in BOTH {
        let mut seen = BTreeSet::new();
        platform_codes(words, &mut seen).await;
        request_codes(words, &mut seen).await;
        order_codes(words, &mut seen).await;
        limit_codes(words, &mut seen).await;
        assert_eq!(seen, expected(words), "{:?}", words.wire);
    }
}

async fn platform_codes(words: Vocabulary, seen: &mut BTreeSet<i64>) {
    let bank = start().await;
    let path = format!("{}?access_token=ACCESSTOKEN", words.balance);
    let (_, _, reply) = bank.send(Method::GET, &path, &[], "").await;
    seen.insert(code(&serde_json::from_slice(&reply).unwrap()));
    let mut call = words.balance();
    seen.insert(code(&call.send_bytes(&bank, Vec::new()).await));
    seen.insert(code(&call.send_bytes(&bank, b"[]".to_vec()).await));
    call.token = None;
    seen.insert(code(&call.send(&bank).await));
    call.token = Some("unknown".to_owned());
    seen.insert(code(&call.send(&bank).await));
    let (_, _, reply) = bank
        .send(
            Method::GET,
            &format!(
                "/cgi-bin/token?grant_type=client_credential&appid={APPID}&secret={}",
                crate::bank::SECRET
            ),
            &[],
            "",
        )
        .await;
    let reply: Value = serde_json::from_slice(&reply).unwrap();
    call.token = Some(reply["access_token"].as_str().unwrap().to_owned());
    bank.clock.advance(Duration::from_secs(7201));
    seen.insert(code(&call.send(&bank).await));
    bank.close_ledger().await;
    seen.insert(code(&words.balance().send(&bank).await.take_or(words.present("a", 1), &bank).await));

    let bank = TestBank::with_app(AppSettings { wires: Vec::new(), ..sample_app() }).await;
    seen.insert(code(&words.balance().send(&bank).await));
}

/// A closed ledger may still answer reads; a present never succeeds on it.
trait TakeOr {
    async fn take_or(self, call: RawCall, bank: &TestBank) -> Value;
}

impl TakeOr for Value {
    async fn take_or(self, call: RawCall, bank: &TestBank) -> Value {
        if self["errcode"] == 0 { call.send(bank).await } else { self }
    }
}

async fn request_codes(words: Vocabulary, seen: &mut BTreeSet<i64>) {
    let bank = start().await;
    let mut call = words.balance();
    call.body["env"] = 2.into();
    seen.insert(code(&call.send(&bank).await));
    seen.insert(code(&words.balance().of("a b").send(&bank).await));
    let mut call = words.balance();
    call.pay_sig = Some("0".repeat(64));
    assert_eq!(code(&call.send(&bank).await), words.bad_pay_sig);
    seen.insert(words.bad_pay_sig);
    let mut call = words.balance();
    call.signature = Some("0".repeat(64));
    assert_eq!(code(&call.send(&bank).await), words.bad_signature);
    seen.insert(words.bad_signature);
    seen.insert(code(&words.balance().of("stranger").send(&bank).await));
}

async fn order_codes(words: Vocabulary, seen: &mut BTreeSet<i64>) {
    let bank = start().await;
    words.present("gift", 9).send(&bank).await;
    words.pay("pay", 4).send(&bank).await;
    words.pay("old", 1).send(&bank).await;
    seen.insert(code(&words.present("gift", 9).send(&bank).await));
    seen.insert(code(&words.pay("poor", 99).send(&bank).await));
    seen.insert(code(&words.refund("r", "none", 1).send(&bank).await));
    seen.insert(code(&words.refund("r", "pay", 9).send(&bank).await));
    words.refund("whole", "pay", 4).send(&bank).await;
    seen.insert(code(&words.refund("r", "pay", 1).send(&bank).await));
    if words.wire == RawWire::Game {
        bank.clock.advance(Duration::from_secs(48 * 3600 + 1));
        bank.log_in(PLAYER).await;
        seen.insert(code(&words.refund("r", "old", 1).send(&bank).await));
        let query = json!({ "out_trade_no": "none", "biz_id": 1 });
        seen.insert(code(&RawCall::new(RawPath::GameQueryOrderInfo, query).send(&bank).await));
    } else {
        let rules = json!([{ "wire": "xpay", "call": "cancelpay", "fault": { "answer": 268_490_014 } }]);
        let path = format!("/api/v1/apps/{APPID}/faults");
        let (status, reply) = bank.operator_request(Method::PUT, &path, rules.to_string()).await;
        assert_eq!(status.as_u16(), 200, "{reply}");
        seen.insert(code(&words.refund("r", "pay", 1).sandbox().send(&bank).await));
    }
}

async fn limit_codes(words: Vocabulary, seen: &mut BTreeSet<i64>) {
    let one = NonZeroU32::new(1);
    for app in [
        AppSettings { rate_limit_per_second: one, ..app_of_all_wires() },
        AppSettings { rate_limit_per_player_per_second: one, ..app_of_all_wires() },
    ] {
        let bank = TestBank::with_app(app).await;
        assert_eq!(code(&words.balance().send(&bank).await), 0);
        assert_eq!(code(&words.balance().send(&bank).await), words.too_often);
        assert_eq!(code(&words.balance().sandbox().send(&bank).await), 0, "an environment of its own");
        seen.insert(words.too_often);
    }
    let max = Some(Amount::new(5).unwrap());
    for app in [
        AppSettings { present_max: max, ..app_of_all_wires() },
        AppSettings { present_max_per_player_per_day: max, ..app_of_all_wires() },
    ] {
        let bank = TestBank::with_app(app).await;
        assert_eq!(code(&words.present("a", 6).send(&bank).await), words.invalid);
        assert_eq!(code(&words.present("b", 5).send(&bank).await), 0);
    }
}

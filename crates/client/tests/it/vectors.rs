//! Test vectors: the client's requests, byte for byte, at any base URL.

use std::sync::Arc;

use pactolus_client::{
    AccessToken, Amount, App, AppSecret, BaseUrl, CancelPayRequest, Client, Clock, MidasKey, PayRequest,
    Player, PresentRequest, SessionKey, TokenSource, UnixMillis,
};
use pactolus_protocol::{self as wire};
use pactolus_protocol::{Body, Call as _, CallKind, CallPath, Caller};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::vendor::VendorHost;

struct FixedClock(u64);

impl Clock for FixedClock {
    fn now(&self) -> UnixMillis {
        UnixMillis::new(self.0 * 1000)
    }
}

/// The two cases that no client request produces: a present of 0, and an empty address in the body.
const UNSENDABLE_CASES: [&str; 2] =
    ["present 0 (signature only: 0 is no legal count)", "present with an empty user_ip sent and signed"];

#[tokio::test]
async fn requests_match_the_vectors() {
    let file: Value = serde_json::from_str(include_str!("../../../protocol/tests/vectors.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let answer = r#"{"errcode":-1,"errmsg":"system error"}"#;
    let host = VendorHost::start(&[answer], &[""]).await;
    let elsewhere = host.url.replace("127.0.0.1", "localhost") + "/behind/a/gateway/";
    let mut sent = 0;
    for case in file["cases"].as_array().unwrap() {
        if UNSENDABLE_CASES.contains(&case["name"].as_str().unwrap()) {
            continue;
        }
        let path = CallPath::parse(&text(&case["path"])).unwrap();
        let keys = ["midas_key", "session_key", "access_token"].map(|name| text(&file[name]));
        for url in [&host.url, &elsewhere] {
            send(url, path, &case["params"], &keys).await;
            let (asked, body) = host.requests().pop().unwrap();
            assert!(asked.ends_with(&format!("{path}?access_token={}", keys[2])), "{asked}");
            assert_eq!(body, expected(path.kind, case), "{}", case["name"]);
        }
        sent += 1;
    }
    assert_eq!(sent, 11);
}

/// The case's parameters in the vendor's order, and its signatures.
fn expected(kind: CallKind, case: &Value) -> String {
    let params = case["params"].as_object().unwrap();
    let mut fields: Vec<_> = kind
        .parameters()
        .map(|(parameter, _)| parameter.name())
        .filter(|name| params.contains_key(*name))
        .collect();
    // In the vendor's example the address is the last of the common parameters, before the order's own.
    assert_eq!(fields.len(), params.len());
    let mut json: Vec<_> =
        fields.drain(..).map(|name| format!("\"{name}\":{}", raw(&params[name]))).collect();
    for proof in ["sig", "mp_sig"] {
        json.push(format!("\"{proof}\":{}", raw(&case[proof])));
    }
    format!("{{{}}}", json.join(","))
}

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

/// Makes the case's call with the client, and ignores its result.
async fn send(url: &str, path: CallPath, params: &Value, keys: &[String; 3]) {
    let json = params.to_string();
    let body = Body::parse(json.as_bytes()).unwrap();
    match path.kind {
        CallKind::Present => {
            let wire::Present { caller, present_counts, bill_no } = wire::Present::from_body(&body).unwrap();
            let client = client(url, path, &caller, keys);
            let _ = client
                .present(&PresentRequest { player: player(&caller, keys), coins: present_counts, bill_no })
                .await;
        }
        CallKind::GetBalance => {
            let wire::GetBalance { caller } = wire::GetBalance::from_body(&body).unwrap();
            let _ = client(url, path, &caller, keys).get_balance(&player(&caller, keys)).await;
        }
        CallKind::Pay => {
            let wire::Pay { caller, amt, bill_no, pay_item, app_remark } =
                wire::Pay::from_body(&body).unwrap();
            let pay = PayRequest {
                player: player(&caller, keys),
                coins: Amount::new(amt.get()).unwrap(),
                bill_no,
                item: pay_item,
                remark: app_remark,
            };
            let _ = client(url, path, &caller, keys).pay(&pay).await;
        }
        CallKind::CancelPay => {
            let wire::CancelPay { caller, bill_no, pay_item } = wire::CancelPay::from_body(&body).unwrap();
            let cancel = CancelPayRequest { player: player(&caller, keys), bill_no, item: pay_item };
            let _ = client(url, path, &caller, keys).cancel_pay(&cancel).await;
        }
    }
}

fn client(url: &str, path: CallPath, caller: &Caller, [midas_key, _, token]: &[String; 3]) -> Client {
    let make = match path.environment {
        pactolus_client::Environment::Live => App::live,
        pactolus_client::Environment::Sandbox => App::sandbox,
    };
    let secret = AppSecret::new("never-sent").unwrap();
    let app = make(caller.appid, caller.offer_id, secret, MidasKey::new(midas_key).unwrap());
    Client::builder(app)
        .base_url(BaseUrl::new(url).unwrap())
        .token(TokenSource::Fixed(AccessToken::new(token).unwrap()))
        .clock(Arc::new(FixedClock(caller.ts.get())))
        .retry_policy(pactolus_client::RetryPolicy {
            attempts_max: 1.try_into().unwrap(),
            ..Default::default()
        })
        .build()
}

fn player(caller: &Caller, [_, session_key, _]: &[String; 3]) -> Player {
    Player {
        openid: caller.openid,
        zone_id: caller.zone_id,
        session_key: Some(SessionKey::new(session_key).unwrap()),
        pf: caller.pf,
        user_ip: caller.user_ip,
    }
}

//! One signature, two orders: a text of the player's choice must not become parameters.
//!
//! Bug: nothing in a signed text is escaped, so a remark of `x&appid=…&bill_no=…` made the studio sign a text that read
//! as two pays. Both were applied, the second to another player, whose coins were lost. The fix: a free text with `&`, a
//! parameter's name and `=` is refused.

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::{Method, StatusCode};
use pactolus_protocol::MpSig;
use pactolus_server::AppSettings;
use serde_json::{Value, json};

use crate::bank::{APPID, MIDAS_KEY, OFFER, TOKEN, TestBank, assert_refused, sample_app};

const PATH: &str = "/cgi-bin/midas/pay";

fn sign(pairs: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(MIDAS_KEY.as_bytes()).unwrap();
    mac.update(format!("{pairs}&org_loc={PATH}&method=POST&secret={MIDAS_KEY}").as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn pay(openid: &str, bill_no: &str, pay_item: &str, app_remark: &str, sig: &str) -> String {
    json!({
        "openid": openid, "appid": APPID, "offer_id": OFFER, "ts": 1_507_530_737, "zone_id": "1", "pf": "android",
        "amt": 5, "bill_no": bill_no, "pay_item": pay_item, "app_remark": app_remark, "sig": sig,
    })
    .to_string()
}

async fn balance(bank: &TestBank, openid: &str) -> Value {
    let path = format!("/api/v1/apps/{APPID}/accounts?env=live&openid={openid}&zone_id=1");
    bank.operator_request(Method::GET, &path, "").await.1["balance"].clone()
}

async fn give_coins(bank: &TestBank, openid: &str) {
    let gift = json!({
        "kind": "present", "env": "live", "openid": openid, "zone_id": "1", "bill_no": format!("gift-{openid}"),
        "coins": 100,
    });
    let path = format!("/api/v1/apps/{APPID}/orders");
    let (status, reply) = bank.operator_request(Method::POST, &path, gift.to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{reply}");
}

#[tokio::test]
async fn one_sig_covers_one_pay() {
    for mp_sig in [MpSig::Off, MpSig::IfPresent] {
        let bank = TestBank::with_app(AppSettings { mp_sig, ..sample_app() }).await;
        give_coins(&bank, "buyer").await;
        give_coins(&bank, "victim").await;
        let middle = |openid: &str, bill_no: &str| {
            format!("appid={APPID}&bill_no={bill_no}&offer_id={OFFER}&openid={openid}&pay_item=")
        };
        let (first, second) = (middle("victim", "b-1"), middle("buyer", "b-2"));
        let end = "&pf=android&ts=1507530737&zone_id=1";
        let sig = sign(&format!("amt=5&app_remark=x&{first}y&{second}z{end}"));
        let path = format!("{PATH}?access_token={TOKEN}");

        // The body that the studio sends for the buyer, and the body that an attacker reads into the same text.
        let sent = bank.post(&path, pay("buyer", "b-2", "z", &format!("x&{first}y"), &sig)).await;
        let what = "invalid parameter: app_remark holds &appid= in its text, which the signed text could not tell \
                    from the parameter appid";
        assert_refused(&sent, 90018, what);
        let forged = bank.post(&path, pay("victim", "b-1", &format!("y&{second}z"), "x", &sig)).await;
        let what = "invalid parameter: pay_item holds &appid= in its text, which the signed text could not tell \
                    from the parameter appid";
        assert_refused(&forged, 90018, what);
        assert_eq!((balance(&bank, "buyer").await, balance(&bank, "victim").await), (100.into(), 100.into()));

        // Any other text is taken, also one that looks like a query.
        let remark = "https://example.com/?a=1&b=2&bill_no";
        let pairs = format!("amt=5&app_remark={remark}&{}sword{end}", middle("buyer", "b-3"));
        let paid = bank.post(&path, pay("buyer", "b-3", "sword", remark, &sign(&pairs))).await;
        assert_eq!(paid["balance"], 95, "{paid}");
    }
}

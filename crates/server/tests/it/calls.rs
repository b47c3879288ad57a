//! The four calls, sent by a client that follows the documents.

use std::time::Duration;

use pactolus_protocol::{CancelPay, FreeText, GetBalance, Pay, Present};
use pactolus_test_support::sample::PRESENT_BODY;
use pactolus_types::{Amount, Environment};

use crate::bank::{TestBank, assert_refused, caller, gift, sign};

const LIVE: Environment = Environment::Live;
const SANDBOX: Environment = Environment::Sandbox;

fn pay(bill_no: &str, amt: u64) -> Pay {
    Pay {
        caller: caller(),
        amt: Amount::new(amt).unwrap(),
        bill_no: bill_no.parse().unwrap(),
        pay_item: Some(FreeText::new("剑*1").unwrap()),
        app_remark: None,
    }
}

fn cancel(bill_no: &str) -> CancelPay {
    CancelPay { caller: caller(), bill_no: bill_no.parse().unwrap(), pay_item: None }
}

#[tokio::test]
async fn documented_present_applies_once() {
    let bank = TestBank::start().await;
    let path = "/cgi-bin/midas/present?access_token=ACCESSTOKEN";
    let (_, _, reply) = bank.send(hyper::Method::POST, path, &[], PRESENT_BODY).await;
    assert_eq!(&*reply, br#"{"errcode":0,"errmsg":"ok","balance":233,"bill_no":"BillNo_123"}"#);

    let again = bank.post(path, PRESENT_BODY).await;
    assert_refused(&again, 90012, "order exist");
    assert_eq!((&again["balance"], &again["bill_no"]), (&233.into(), &"BillNo_123".into()));
    assert_eq!((bank.balance(LIVE).await, bank.balance(SANDBOX).await), (233, 0));
}

#[tokio::test]
async fn environments_are_isolated() {
    let bank = TestBank::start().await;
    assert_eq!(bank.call::<Present>(LIVE, sign(&gift("b", 5), LIVE)).await["balance"], 5);
    assert_eq!(bank.call::<Present>(SANDBOX, sign(&gift("b", 7), SANDBOX)).await["balance"], 7);
    assert_eq!((bank.balance(LIVE).await, bank.balance(SANDBOX).await), (5, 7));
}

#[tokio::test]
async fn reused_bill_no_names_the_differing_field() {
    let bank = TestBank::start().await;
    bank.log_in("another").await;
    bank.present(&gift("b", 5)).await;
    let differs =
        |name: &str| format!("order exist: {name} differs from that of the order with this bill_no");

    assert_refused(&bank.present(&gift("b", 6)).await, 90012, &differs("present_counts"));
    let mut other = gift("b", 5);
    other.caller.zone_id = "2".parse().unwrap();
    assert_refused(&bank.present(&other).await, 90012, &differs("zone_id"));
    let mut other = gift("b", 5);
    other.caller.openid = "another".parse().unwrap();
    assert_refused(&bank.present(&other).await, 90012, &differs("openid"));
    let paid = bank.call::<Pay>(LIVE, sign(&pay("b", 5), LIVE)).await;
    assert_refused(&paid, 90012, "order exist: the order with this bill_no is of another call");
    assert!(paid.get("balance").is_none(), "only a replay shows the balance");
    assert_eq!(bank.balance(LIVE).await, 5);
}

#[tokio::test]
async fn pay_cancel_and_balance_agree() {
    let bank = TestBank::start().await;
    bank.present(&gift("gift", 100)).await;
    let paid = bank.call::<Pay>(LIVE, sign(&pay("pay-1", 30), LIVE)).await;
    assert_eq!(
        paid.to_string(),
        r#"{"balance":70,"bill_no":"pay-1","errcode":0,"errmsg":"ok","used_gen_amt":30}"#
    );
    assert_refused(&bank.call::<Pay>(LIVE, sign(&pay("pay-1", 30), LIVE)).await, 90012, "order exist");
    let too_much = bank.call::<Pay>(LIVE, sign(&pay("pay-2", 71), LIVE)).await;
    assert_refused(&too_much, 90013, "balance not enough: the balance is 70");

    let balance = bank.call::<GetBalance>(LIVE, sign(&GetBalance { caller: caller() }, LIVE)).await;
    let expected = serde_json::json!({
        "errcode": 0, "errmsg": "ok", "balance": 70, "gen_balance": 70, "first_save": 1, "save_amt": 0,
        "save_sum": 100, "cost_sum": 30, "present_sum": 100,
    });
    assert_eq!(balance, expected);

    let cancelled = bank.call::<CancelPay>(LIVE, sign(&cancel("pay-1"), LIVE)).await;
    assert_eq!(cancelled.to_string(), r#"{"bill_no":"pay-1","errcode":0,"errmsg":"ok"}"#);
    assert_refused(
        &bank.call::<CancelPay>(LIVE, sign(&cancel("pay-1"), LIVE)).await,
        90015,
        "order has been canceled",
    );
    assert_refused(
        &bank.call::<CancelPay>(LIVE, sign(&cancel("pay-9"), LIVE)).await,
        90000,
        "order not exist: no pay has this bill_no",
    );
    assert_refused(
        &bank.call::<CancelPay>(LIVE, sign(&cancel("gift"), LIVE)).await,
        90000,
        "order not exist: the order with this bill_no is not a pay",
    );
    assert_eq!(bank.balance(LIVE).await, 100);
}

/// Bug: the 90012 of a repeated pay lacked `used_gen_amt`. A studio whose first reply was lost never learnt the split
/// of paid and gifted coins, and its revenue reports lacked the pay. The replay now carries that of the first reply.
#[tokio::test]
async fn replayed_pay_tells_the_gifted_part() {
    let bank = TestBank::start().await;
    bank.present(&gift("gift", 3)).await;
    let top_up = serde_json::json!({
        "kind": "save", "env": "live", "openid": crate::bank::PLAYER, "bill_no": "top-up", "coins": 10,
    });
    let path = format!("/api/v1/apps/{}/orders", crate::bank::APPID);
    let (status, saved) = bank.operator_request(hyper::Method::POST, &path, top_up.to_string()).await;
    assert_eq!(status, hyper::StatusCode::CREATED, "{saved}");
    let pays = [("mixed", 5, 3), ("paid", 1, 0)];
    for (bill_no, amt, gifted) in pays {
        let paid = bank.call::<Pay>(LIVE, sign(&pay(bill_no, amt), LIVE)).await;
        assert_eq!(paid["used_gen_amt"], gifted, "{paid}");
    }
    // Neither later orders nor a cancel change it.
    for step in 0..2 {
        for (bill_no, amt, gifted) in pays {
            let again = bank.call::<Pay>(LIVE, sign(&pay(bill_no, amt), LIVE)).await;
            assert_refused(&again, 90012, "order exist");
            assert_eq!((&again["used_gen_amt"], &again["bill_no"]), (&gifted.into(), &bill_no.into()));
            assert_eq!(again["balance"], bank.balance(LIVE).await);
            let other = bank.call::<Pay>(LIVE, sign(&pay(bill_no, amt + 1), LIVE)).await;
            assert!(other.get("used_gen_amt").is_none(), "only a replay has it: {other}");
        }
        if step == 0 {
            bank.present(&gift("later", 7)).await;
            assert_eq!(bank.call::<CancelPay>(LIVE, sign(&cancel("mixed"), LIVE)).await["errcode"], 0);
        }
    }
    let replayed = bank.present(&gift("gift", 3)).await;
    assert!(replayed.get("used_gen_amt").is_none(), "a present takes no coins: {replayed}");
}

#[tokio::test]
async fn pay_is_cancellable_for_48_hours() {
    let bank = TestBank::start().await;
    bank.present(&gift("gift", 100)).await;
    bank.call::<Pay>(LIVE, sign(&pay("in-time", 1), LIVE)).await;
    bank.call::<Pay>(LIVE, sign(&pay("too-late", 1), LIVE)).await;
    bank.clock.advance(Duration::from_secs(48 * 3600));
    bank.log_in(crate::bank::PLAYER).await;
    assert_eq!(bank.call::<CancelPay>(LIVE, sign(&cancel("in-time"), LIVE)).await["errcode"], 0);
    bank.clock.advance(Duration::from_secs(1));
    let late = bank.call::<CancelPay>(LIVE, sign(&cancel("too-late"), LIVE)).await;
    assert_refused(&late, 90014, "order has been confirmed");
}

#[tokio::test]
async fn present_past_maximum_coins_is_refused() {
    let bank = TestBank::start().await;
    let most = pactolus_types::Coins::MAX.get();
    assert_eq!(bank.present(&gift("most", most)).await["balance"], most);
    let refused = bank.present(&gift("one-more", 1)).await;
    assert_refused(
        &refused,
        90018,
        "invalid parameter: present_counts is too large; the player's coins ever received would pass 9007199254740991",
    );
    assert_eq!(bank.balance(LIVE).await, most);
}

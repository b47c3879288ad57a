//! Outcome of every error reply of present, pay and cancelpay: at the first attempt, after an unanswered attempt, and
//! in a retry call.
//!
//! The bug: a bare 90012 at the first attempt, and a 90013 after an unanswered one, were `NotApplied`. The loss: a
//! caller that takes a new number after `NotApplied` gives, or takes, twice. The fix: the table in `refusal`.

use pactolus_client::{Amount, CancelPayRequest, Client, OrderOutcome, PayRequest};

use crate::bank::{gift, player};
use crate::vendor::{BAD_GATEWAY, TOKEN, VendorHost};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Present,
    Pay,
    CancelPay,
}

use Call::{CancelPay, Pay, Present};

/// What the caller learns: `Done`, or the error's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Learnt {
    Done,
    Not,
    Unknown,
}

use Learnt::{Done, Not, Unknown};

/// The reply, the calls, and what is learnt at the first attempt, after an unanswered attempt, in a retry call.
type Case = (&'static str, &'static [Call], [Learnt; 3]);

const ALL: &[Call] = &[Present, Pay, CancelPay];

const CASES: &[Case] = &[
    // 90012: bare, with the same order, with another number's order, with a parameter that differs.
    (r#"{"errcode":90012,"errmsg":"order exist"}"#, &[Present, Pay], [Unknown, Done, Done]),
    (
        r#"{"errcode":90012,"errmsg":"order exist","bill_no":"number","balance":5}"#,
        &[Present, Pay],
        [Done, Done, Done],
    ),
    (
        r#"{"errcode":90012,"errmsg":"order exist","bill_no":"other","balance":5}"#,
        &[Present, Pay],
        [Unknown, Done, Done],
    ),
    (
        r#"{"errcode":90012,"errmsg":"order exist: openid differs from that of the order with this bill_no"}"#,
        &[Present, Pay],
        [Not, Not, Not],
    ),
    (r#"{"errcode":90012,"errmsg":"order exist"}"#, &[CancelPay], [Unknown, Unknown, Unknown]),
    (r#"{"errcode":90013,"errmsg":"balance not enough"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":90000,"errmsg":"order not exist"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":90014,"errmsg":"order has been confirmed"}"#, &[CancelPay], [Not, Unknown, Unknown]),
    (r#"{"errcode":90015,"errmsg":"order has been canceled"}"#, &[CancelPay], [Done, Done, Done]),
    (r#"{"errcode":90014,"errmsg":"confirmed"}"#, &[Present, Pay], [Unknown, Unknown, Unknown]),
    (r#"{"errcode":90015,"errmsg":"canceled"}"#, &[Present, Pay], [Unknown, Unknown, Unknown]),
    (r#"{"errcode":90016,"errmsg":"order is being processed"}"#, ALL, [Unknown, Unknown, Unknown]),
    (r#"{"errcode":-1,"errmsg":"system error"}"#, ALL, [Unknown, Unknown, Unknown]),
    // Refused before the order is looked at.
    (r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":40001,"errmsg":"invalid credential"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":40014,"errmsg":"invalid access_token"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":42001,"errmsg":"access_token expired"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":41001,"errmsg":"access_token missing"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":43002,"errmsg":"require POST method"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":44002,"errmsg":"empty post data"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":47001,"errmsg":"data format error"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":48001,"errmsg":"api unauthorized"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":90009,"errmsg":"mp_sig error"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":90010,"errmsg":"no session"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":90011,"errmsg":"sig error"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":90017,"errmsg":"no privilege"}"#, ALL, [Not, Unknown, Unknown]),
    (r#"{"errcode":90018,"errmsg":"invalid parameter"}"#, ALL, [Not, Unknown, Unknown]),
    // Numbers that this version does not know.
    (r#"{"errcode":90099,"errmsg":"something else"}"#, ALL, [Unknown, Unknown, Unknown]),
    (r#"{"errcode":-2,"errmsg":"something else"}"#, ALL, [Unknown, Unknown, Unknown]),
    // No reply of a bank.
    ("500", ALL, [Unknown, Unknown, Unknown]),
    ("408", ALL, [Unknown, Unknown, Unknown]),
    ("202", ALL, [Unknown, Unknown, Unknown]),
    ("302", ALL, [Not, Unknown, Unknown]),
    ("404", ALL, [Not, Unknown, Unknown]),
    ("429", ALL, [Not, Unknown, Unknown]),
    ("<html>", ALL, [Unknown, Unknown, Unknown]),
    (r#"{"errcode":0,"errmsg":"ok"}"#, ALL, [Unknown, Unknown, Unknown]),
];

#[tokio::test]
async fn refusal_outcomes_follow_the_table() {
    for (reply, calls, expected) in CASES {
        for call in *calls {
            let scripts: [(&[&'static str], bool); 3] =
                [(&[reply], false), (&[BAD_GATEWAY, reply], false), (&[reply], true)];
            for ((script, is_retry), expected) in scripts.into_iter().zip(expected) {
                let host = VendorHost::start(script, &[TOKEN]).await;
                let learnt = learn(&host.client(), *call, is_retry).await;
                assert_eq!(learnt, *expected, "{call:?} {script:?}, retry call: {is_retry}");
            }
        }
    }
}

async fn learn(client: &Client, call: Call, is_retry: bool) -> Learnt {
    let outcome = match call {
        Present => {
            let gift = gift(&player("one"), "number", 5);
            let given =
                if is_retry { client.retry_present(&gift).await } else { client.present(&gift).await };
            given.map_err(|error| error.outcome()).err()
        }
        Pay => {
            let pay = PayRequest::new(player("one"), Amount::new(5).unwrap(), "number".parse().unwrap());
            let paid = if is_retry { client.retry_pay(&pay).await } else { client.pay(&pay).await };
            paid.map_err(|error| error.outcome()).err()
        }
        CancelPay => {
            let cancel =
                CancelPayRequest { player: player("one"), bill_no: "number".parse().unwrap(), item: None };
            let cancelled = if is_retry {
                client.retry_cancel_pay(&cancel).await
            } else {
                client.cancel_pay(&cancel).await
            };
            cancelled.map_err(|error| error.outcome()).err()
        }
    };
    match outcome {
        None => Done,
        Some(OrderOutcome::NotApplied) => Not,
        Some(OrderOutcome::Unknown) => Unknown,
    }
}

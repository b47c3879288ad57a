//! Rules of the members of a request on the raw wires, and replies with exactly the documented members.

use pactolus_protocol::raw::{PayNote, RawBalance, RawObject, RawReply, RawRequest};
use pactolus_protocol::reply::error_to_json;
use pactolus_protocol::{ErrorCode, ErrorReply, GameCode, RawPath, RawWire, Rid, XpayCode};
use pactolus_types::{BillNo, Coins, UnixMillis};
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(path: RawPath, body: &Value) -> Result<RawRequest, ErrorReply> {
    let bytes = body.to_string();
    RawRequest::read(path, &RawObject::parse(path.wire(), bytes.as_bytes())?)
}

fn game(more: &Value) -> Value {
    let mut body =
        json!({"openid": "player", "offer_id": "1", "ts": 1_668_136_271, "zone_id": "1", "env": 0});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn refused_member(path: RawPath, body: &Value) -> String {
    let refusal = read(path, body).unwrap_err();
    let code = refusal.code().code();
    assert!([90018, 268_490_001, 268_490_002].contains(&code), "{refusal}");
    refusal.detail().unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn each_missing_member_is_named() {
    let calls = [
        (RawPath::GameGetBalance, game(&json!({})), vec![]),
        (RawPath::GamePay, game(&json!({"amount": 1, "bill_no": "a"})), vec!["amount", "bill_no"]),
        (
            RawPath::GameCancelPay,
            game(&json!({"amount": 1, "bill_no": "a", "pay_bill_no": "b"})),
            vec!["amount", "bill_no", "pay_bill_no"],
        ),
        (RawPath::GamePresent, game(&json!({"amount": 1, "bill_no": "a"})), vec!["amount", "bill_no"]),
        (
            RawPath::GameQueryOrderInfo,
            game(&json!({"out_trade_no": "a", "biz_id": 1})),
            vec!["out_trade_no", "biz_id"],
        ),
        (RawPath::XpayQueryUserBalance, json!({"openid": "a"}), vec![]),
        (
            RawPath::XpayCurrencyPay,
            json!({"openid": "a", "amount": 1, "order_id": "a"}),
            vec!["amount", "order_id"],
        ),
        (
            RawPath::XpayCancelCurrencyPay,
            json!({"openid": "a", "amount": 1, "order_id": "a", "pay_order_id": "b"}),
            vec!["amount", "order_id", "pay_order_id"],
        ),
        (
            RawPath::XpayPresentCurrency,
            json!({"openid": "a", "amount": 1, "order_id": "a"}),
            vec!["amount", "order_id"],
        ),
    ];
    assert_eq!(calls.len(), RawPath::ALL.len());
    for (path, whole, own) in calls {
        read(path, &whole).unwrap();
        let common: &[&str] = match path {
            RawPath::GameQueryOrderInfo => &["openid", "offer_id", "ts"],
            _ if path.wire() == RawWire::Game => &["openid", "offer_id", "ts", "zone_id"],
            _ => &["openid"],
        };
        for member in common.iter().copied().chain(own) {
            for absent in [None, Some(json!("")), Some(json!(null)), Some(json!([]))] {
                let mut body = whole.clone();
                match absent {
                    None => drop(body.as_object_mut().unwrap().remove(member)),
                    Some(value) => body[member] = value,
                }
                assert_eq!(refused_member(path, &body), member, "{path} {body}");
            }
        }
    }
}

#[test]
fn values_of_a_wrong_form_are_refused() {
    let pay = |more: Value| {
        let mut body = game(&json!({"amount": 1, "bill_no": "a"}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(RawPath::GamePay, &body).map(drop).map_err(|refusal| refusal.detail().unwrap().to_owned())
    };
    for good in [
        json!({"amount": "5"}),
        json!({"ts": "1668136271"}),
        json!({"zone_id": 1}),
        json!({"zone_id": "19999_1999902"}),
        json!({"user_ip": ""}),
        json!({"user_ip": 7}),
        json!({"device_type": "0"}),
        json!({"unknown": {"deep": []}}),
        json!({"amount": Coins::MAX.get()}),
        json!({"payitem": "x".repeat(1024), "remark": "宝"}),
        json!({"bill_no": "x".repeat(63)}),
    ] {
        assert_eq!(pay(good.clone()), Ok(()), "{good}");
    }
    for (bad, words) in [
        (json!({"amount": 0}), "amount is 0"),
        (json!({"amount": -1}), "amount is negative"),
        (json!({"amount": 1.5}), "amount has a fraction"),
        (json!({"amount": Coins::MAX.get() + 1}), "amount is too large"),
        (json!({"amount": true}), "amount is true"),
        (json!({"bill_no": 7}), "bill_no is a number; it must be a string"),
        (json!({"bill_no": "_a"}), "bill_no begins with _"),
        (json!({"bill_no": "a|b"}), "bill_no holds a character"),
        (json!({"bill_no": "x".repeat(64)}), "bill_no is 64 bytes long"),
        (json!({"payitem": "x".repeat(1025)}), "payitem is longer"),
        (json!({"remark": "a\u{0}"}), "remark is longer than 1024 bytes, or holds U+0000"),
        (json!({"offer_id": 1}), "offer_id is a number"),
        (json!({"zone_id": 1.5}), "zone_id is a number"),
        (json!({"ts": 0}), "ts is not unix seconds"),
    ] {
        let refused = pay(bad.clone()).unwrap_err();
        assert!(refused.starts_with(words), "{bad}: {refused}");
    }
    assert_eq!(refused_member(RawPath::GameGetBalance, &game(&json!({"coin_type": 1}))), "coin_type");
    assert!(read(RawPath::GameGetBalance, &game(&json!({"coin_type": 0}))).is_ok());
    let xpay = json!({"openid": "a", "amount": 1, "order_id": "_a|b"});
    assert!(read(RawPath::XpayCurrencyPay, &xpay).is_ok(), "the bank's own rule for numbers");
}

#[test]
fn success_replies_hold_the_documented_members() {
    let coins = |count| Coins::new(count).unwrap();
    let number = BillNo::new("a").unwrap();
    let balance = RawReply::Balance(RawBalance {
        balance: coins(11),
        present_balance: coins(1),
        sum_save: coins(10),
        sum_present: coins(1),
        sum_balance: coins(11),
        sum_cost: coins(0),
    });
    let sums =
        r#""balance":11,"present_balance":1,"sum_save":10,"sum_present":1,"sum_balance":11,"sum_cost":0"#;
    let pay = RawReply::Pay { number, balance: coins(9), used_present_amount: coins(1) };
    let present = RawReply::Present { number, balance: coins(15), present_balance: coins(5) };
    let refund = RawReply::Refund { number };
    let top_up = RawReply::TopUp { number, at: UnixMillis::new(1_669_364_790_123) };
    let cases = [
        (RawWire::Game, &balance, format!(r#"{sums},"first_save":false"#)),
        (RawWire::Xpay, &balance, format!(r#"{sums},"first_save_flag":false"#)),
        (RawWire::Game, &pay, r#""bill_no":"a","balance":9,"used_present_amount":1"#.to_owned()),
        (RawWire::Xpay, &pay, r#""order_id":"a","balance":9,"used_present_amount":1"#.to_owned()),
        (RawWire::Game, &present, r#""bill_no":"a","balance":15"#.to_owned()),
        (RawWire::Xpay, &present, r#""balance":15,"order_id":"a","present_balance":5"#.to_owned()),
        (RawWire::Game, &refund, r#""bill_no":"a""#.to_owned()),
        (RawWire::Xpay, &refund, r#""order_id":"a""#.to_owned()),
        (
            RawWire::Game,
            &top_up,
            r#""product_id":"","pay_state":2,"deliver_state":2,"pay_finish_time":1669364790,"out_trade_no":"a""#
                .to_owned(),
        ),
    ];
    for (wire, reply, members) in cases {
        let json = String::from_utf8(reply.to_json(wire)).unwrap();
        assert_eq!(json, format!(r#"{{"errcode":0,"errmsg":"ok",{members}}}"#));
    }
}

#[test]
fn repeat_carries_number_and_balance_under_the_wires_names() {
    let rid = Rid::new(UnixMillis::new(1_507_530_737_000), 0);
    let (number, balance) = (BillNo::new("a").unwrap(), Coins::new(10).unwrap());
    for (code, expected) in [
        (
            ErrorCode::Game(GameCode::OrderExist),
            r#""errcode":90012,"errmsg":"order exist rid: R","bill_no":"a","balance":10"#,
        ),
        (
            ErrorCode::Xpay(XpayCode::OrderExist),
            r#""errcode":268490004,"errmsg":"repeated operation rid: R","order_id":"a","balance":10"#,
        ),
    ] {
        let json = error_to_json(&ErrorReply::replayed_as(code, number, balance), rid);
        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, format!("{{{}}}", expected.replace('R', &rid.to_string())));
    }
}

proptest! {
    /// Any JSON object is read or refused with a named member, and never both ways.
    #[test]
    fn any_object_is_read_or_refused_by_name(
        values in proptest::collection::vec(
            prop_oneof![
                Just(json!(null)), Just(json!("1")), Just(json!(1)), Just(json!(-1)), Just(json!("a_b")),
                Just(json!([])), Just(json!("")), any::<u64>().prop_map(Value::from), "\\PC{0,8}".prop_map(Value::from),
            ],
            17,
        ),
        path in proptest::sample::select(RawPath::ALL),
    ) {
        let names = ["openid", "offer_id", "ts", "zone_id", "env", "user_ip", "amount", "bill_no", "pay_bill_no",
            "payitem", "remark", "coin_type", "out_trade_no", "biz_id", "order_id", "pay_order_id", "x"];
        let body: serde_json::Map<_, _> = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
        match read(path, &Value::Object(body)) {
            Ok(request) => prop_assert_eq!(request.offer_id.is_some(), path.wire() == RawWire::Game),
            Err(refusal) => {
                let detail = refusal.detail().unwrap();
                prop_assert!(names.iter().any(|name| detail.starts_with(name)), "{}", detail);
            }
        }
    }

    #[test]
    fn note_is_kept_as_sent(text in "\\PC{0,300}") {
        let note = PayNote::new(&text).unwrap();
        prop_assert_eq!(note.as_str(), text);
    }
}

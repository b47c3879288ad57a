//! Replies byte for byte, and their round trip.

use pactolus_protocol::reply::{ApiError, InvalidReply, error_to_json, parse_reply, to_json};
use pactolus_protocol::{
    BalanceReply, Call, CancelPay, CancelPayReply, ErrorCode, ErrorReply, ExistingOrder, GetBalance,
    Parameter, Pay, PayReply, Present, PresentReply, Reply, ReplyOutcome, Rid,
};
use pactolus_types::{BillNo, Coins, UnixMillis};

fn coins(count: u64) -> Coins {
    Coins::new(count).unwrap()
}

fn bill_no() -> BillNo {
    BillNo::new("BillNo_123").unwrap()
}

fn rid() -> Rid {
    Rid::new(UnixMillis::new(1_507_530_737_000), 0x0123_4567_89ab_cdef)
}

fn assert_round_trip<C: Call<Reply = R>, R: Reply + PartialEq + std::fmt::Debug>(reply: R, json: &str) {
    assert_eq!(String::from_utf8(to_json(&reply)).unwrap(), json);
    assert_eq!(parse_reply::<C>(json.as_bytes()), Ok(ReplyOutcome::Success(reply)));
}

#[test]
fn replies_match_the_documented_bytes() {
    assert_round_trip::<Present, _>(
        PresentReply { balance: coins(233), bill_no: bill_no() },
        r#"{"errcode":0,"errmsg":"ok","balance":233,"bill_no":"BillNo_123"}"#,
    );
    assert_round_trip::<GetBalance, _>(
        BalanceReply {
            balance: coins(30),
            gen_balance: coins(3),
            save_amt: coins(100),
            save_sum: coins(110),
            cost_sum: coins(80),
            present_sum: coins(10),
        },
        r#"{"errcode":0,"errmsg":"ok","balance":30,"gen_balance":3,"first_save":0,"save_amt":100,"save_sum":110,"cost_sum":80,"present_sum":10}"#,
    );
    assert_round_trip::<GetBalance, _>(
        BalanceReply {
            balance: Coins::MAX,
            gen_balance: Coins::MAX,
            save_amt: Coins::ZERO,
            save_sum: Coins::MAX,
            cost_sum: Coins::ZERO,
            present_sum: Coins::MAX,
        },
        r#"{"errcode":0,"errmsg":"ok","balance":9007199254740991,"gen_balance":9007199254740991,"first_save":1,"save_amt":0,"save_sum":9007199254740991,"cost_sum":0,"present_sum":9007199254740991}"#,
    );
    assert_round_trip::<Pay, _>(
        PayReply { bill_no: bill_no(), balance: coins(5), used_gen_amt: coins(2) },
        r#"{"errcode":0,"errmsg":"ok","bill_no":"BillNo_123","balance":5,"used_gen_amt":2}"#,
    );
    assert_round_trip::<CancelPay, _>(
        CancelPayReply { bill_no: bill_no() },
        r#"{"errcode":0,"errmsg":"ok","bill_no":"BillNo_123"}"#,
    );
}

#[test]
fn error_reply_ends_with_the_rid() {
    for code in ErrorCode::of_midas() {
        let json = error_to_json(&ErrorReply::new(code), rid());
        let errmsg = format!("{} rid: 59db17f1-01234567-89abcdef", code.errmsg());
        let expected = format!(r#"{{"errcode":{},"errmsg":"{errmsg}"}}"#, code.code());
        assert_eq!(String::from_utf8(json.clone()).unwrap(), expected);
        let refused = ApiError { errcode: code.code(), errmsg, existing: None };
        assert_eq!(refused.code(), Some(code));
        assert_eq!(parse_reply::<Present>(&json), Ok(ReplyOutcome::Refused(refused)));
    }
}

#[test]
fn error_reply_carries_detail_and_existing_order() {
    let cases = [
        (
            ErrorReply::invalid_parameter(Parameter::PresentCounts, "is 0; it must be at least 1"),
            r#"{"errcode":90018,"errmsg":"invalid parameter: present_counts is 0; it must be at least 1 rid: 59db17f1-01234567-89abcdef"}"#,
        ),
        (
            ErrorReply::replayed(ExistingOrder {
                bill_no: bill_no(),
                balance: coins(233),
                used_gen_amt: None,
            }),
            r#"{"errcode":90012,"errmsg":"order exist rid: 59db17f1-01234567-89abcdef","bill_no":"BillNo_123","balance":233}"#,
        ),
        (
            ErrorReply::replayed(ExistingOrder {
                bill_no: bill_no(),
                balance: coins(8),
                used_gen_amt: Some(coins(0)),
            }),
            r#"{"errcode":90012,"errmsg":"order exist rid: 59db17f1-01234567-89abcdef","bill_no":"BillNo_123","balance":8,"used_gen_amt":0}"#,
        ),
        (
            ErrorReply::order_mismatch(Parameter::Amt),
            r#"{"errcode":90012,"errmsg":"order exist: amt differs from that of the order with this bill_no rid: 59db17f1-01234567-89abcdef"}"#,
        ),
        (
            ErrorReply::with_detail(ErrorCode::DataFormat, "\"quoted\"\n"),
            r#"{"errcode":47001,"errmsg":"data format error: \"quoted\"\n rid: 59db17f1-01234567-89abcdef"}"#,
        ),
    ];
    for (refusal, expected) in cases {
        let json = error_to_json(&refusal, rid());
        assert_eq!(String::from_utf8(json.clone()).unwrap(), expected);
        let Ok(ReplyOutcome::Refused(refused)) = parse_reply::<Pay>(&json) else { panic!("{expected}") };
        assert_eq!(refused.existing.as_ref(), refusal.existing());
        let differs = refused.errmsg.contains(" differs ").then_some(Parameter::Amt);
        assert_eq!(refused.mismatched_parameter(), differs, "{expected}");
    }
}

#[test]
fn invalid_reply_is_reported() {
    let cases = [
        ("", InvalidReply::NotAReply),
        ("<html>", InvalidReply::NotAReply),
        ("{}", InvalidReply::NotAReply),
        (r#"{"errcode":0,"errmsg":"ok"}"#, InvalidReply::Field("balance")),
        (r#"{"errcode":0,"errmsg":"ok","balance":1}"#, InvalidReply::Field("bill_no")),
        (r#"{"errcode":0,"balance":9007199254740992,"bill_no":"a"}"#, InvalidReply::Field("balance")),
    ];
    for (json, error) in cases {
        assert_eq!(parse_reply::<Present>(json.as_bytes()), Err(error), "{json}");
    }
}

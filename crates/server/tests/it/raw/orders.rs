//! Orders of the raw wires: repeats, reused numbers, partial refunds, and one balance under all wires.

use std::time::Duration;

use hyper::Method;
use pactolus_protocol::RawPath;
use serde_json::{Value, json};

use super::client::{BOTH, GAME, LIVE, RawCall, SANDBOX, XPAY, save, start};
use crate::bank::{APPID, PLAYER, TestBank, gift};

fn without_errmsg(mut reply: Value) -> Value {
    reply.as_object_mut().unwrap().remove("errmsg");
    reply
}

fn sums(members: &str, reply: &Value) -> Vec<Value> {
    members.split(' ').map(|name| reply[name].clone()).collect()
}

const SUMS: &str = "balance present_balance sum_save sum_present sum_balance sum_cost";

#[tokio::test]
async fn documented_samples_are_answered() {
    let bank = start().await;
    save(&bank, "top-up", 10).await;
    assert_eq!(GAME.present("gift", 1).send(&bank).await["balance"], 11);
    let reply = GAME.balance().send(&bank).await;
    let expected = json!({
        "errcode": 0, "errmsg": "ok", "balance": 11, "present_balance": 1, "sum_save": 10, "sum_present": 1,
        "sum_balance": 11, "sum_cost": 0, "first_save": false,
    });
    assert_eq!(reply, expected);
    let paid = GAME.pay("BillNo_123", 1).send(&bank).await;
    let expected = json!({
        "errcode": 0, "errmsg": "ok", "bill_no": "BillNo_123", "balance": 10, "used_present_amount": 1,
    });
    assert_eq!(paid, expected);
    let again = GAME.pay("BillNo_123", 1).send(&bank).await;
    assert_eq!(without_errmsg(again), json!({ "errcode": 90012, "bill_no": "BillNo_123", "balance": 10 }));
    let refunded = GAME.refund("Refund_1", "BillNo_123", 1).send(&bank).await;
    assert_eq!(refunded, json!({ "errcode": 0, "errmsg": "ok", "bill_no": "Refund_1" }));
    let given = GAME.present("BillNo_124", 10).send(&bank).await;
    assert_eq!(given, json!({ "errcode": 0, "errmsg": "ok", "bill_no": "BillNo_124", "balance": 21 }));

    let reply = XPAY.balance().send(&bank).await;
    assert_eq!(reply["first_save_flag"], false, "{reply}");
    let given = XPAY.present("GIFT_000000001", 5).send(&bank).await;
    let expected = json!({
        "errcode": 0, "errmsg": "ok", "balance": 26, "order_id": "GIFT_000000001", "present_balance": 16,
    });
    assert_eq!(given, expected);
    let again = XPAY.present("GIFT_000000001", 5).send(&bank).await;
    let expected = json!({ "errcode": 268_490_004, "order_id": "GIFT_000000001", "balance": 26 });
    assert_eq!(without_errmsg(again), expected);
}

#[tokio::test]
async fn unknown_account_has_zeros() {
    let bank = start().await;
    for (words, first) in [(GAME, "first_save"), (XPAY, "first_save_flag")] {
        let reply = words.balance().send(&bank).await;
        assert_eq!((&reply["errcode"], &reply[first]), (&json!(0), &json!(true)), "{reply}");
        assert_eq!(sums(SUMS, &reply), vec![json!(0); 6]);
    }
}

/// The kind of loss: with one space of numbers per app, the second player's gift would answer "order exists", which the
/// vendor's guide tells games to take as success, and its coins would be lost.
#[tokio::test]
async fn reused_number_gives_both_players_their_coins() {
    for words in BOTH {
        let bank = start().await;
        bank.log_in("other").await;
        for player in [PLAYER, "other"] {
            let call = words.present("same-number", 7).of(player);
            assert_eq!(call.send(&bank).await["errcode"], 0, "{player}");
            for _ in 0..3 {
                assert_eq!(call.send(&bank).await["errcode"], words.taken, "{player}");
            }
            let reply = words.balance().of(player).send(&bank).await;
            assert_eq!(reply["balance"], 7, "one player, one number, one gift");
        }
        // A zone is an account of its own.
        assert_eq!(GAME.present("same-number", 7).in_zone("2").send(&bank).await["errcode"], 0);
        assert_eq!(bank.balance(LIVE).await, 7);
    }
}

/// A number of the first wire is none of the newer ones, and no wire cancels the other's pay.
#[tokio::test]
async fn numbers_of_the_first_wire_are_apart() {
    let bank = start().await;
    assert_eq!(bank.present(&gift("one", 5)).await["balance"], 5);
    let given = GAME.present("one", 5).send(&bank).await;
    assert_eq!(given["balance"], 10, "{given}");
    assert_eq!(bank.present(&gift("one", 5)).await["errcode"], 90012);
    assert_eq!(GAME.pay("pay", 4).send(&bank).await["errcode"], 0);
    let path = format!("/api/v1/apps/{APPID}/orders");
    let cancel = json!({ "kind": "cancel", "env": "live", "openid": PLAYER, "bill_no": "pay" });
    let (status, reply) = bank.operator_request(Method::POST, &path, cancel.to_string()).await;
    assert_eq!(status.as_u16(), 409, "{reply}");
    assert_eq!(bank.balance(LIVE).await, 6);
}

#[tokio::test]
async fn number_with_other_content_is_refused_and_named() {
    for words in BOTH {
        let bank = start().await;
        assert_eq!(words.present("a", 9).send(&bank).await["errcode"], 0);
        assert_eq!(words.pay("p", 3).send(&bank).await["errcode"], 0);
        assert_eq!(words.refund("r", "p", 1).send(&bank).await["errcode"], 0);
        let cases = [
            (
                words.present("a", 8),
                format!("amount differs from that of the order with this {}", words.number),
            ),
            (words.pay("a", 9), format!("the order with this {} is of another call", words.number)),
            (words.refund("a", "p", 1), format!("the order with this {} is of another call", words.number)),
            (
                words.refund("r", "p", 2),
                format!("amount differs from that of the order with this {}", words.number),
            ),
            (
                words.refund("r", "q", 1),
                format!("{} differs from that of the order with this {}", words.pay_number, words.number),
            ),
        ];
        for (call, detail) in cases {
            let reply = call.send(&bank).await;
            assert_eq!(reply["errcode"], words.taken, "{reply}");
            assert!(reply["errmsg"].as_str().unwrap().contains(&detail), "{reply}");
            assert_eq!(reply.as_object().unwrap().len(), 2, "no balance: it is no repeat");
        }
        assert_eq!(bank.balance(LIVE).await, 7);
    }
}

#[tokio::test]
async fn refunds_give_back_in_parts_and_never_more() {
    for words in BOTH {
        let bank = start().await;
        save(&bank, "top-up", 10).await;
        words.present("gift", 5).send(&bank).await;
        assert_eq!(words.pay("pay", 12).send(&bank).await["used_present_amount"], 5);
        assert_eq!(words.refund("r1", "pay", 6).send(&bank).await["errcode"], 0);
        let reply = words.balance().send(&bank).await;
        assert_eq!(sums(SUMS, &reply), [9, 0, 10, 5, 15, 6].map(|n| json!(n)), "paid coins first");
        let reply = words.refund("r2", "pay", 7).send(&bank).await;
        assert_eq!(reply["errcode"], words.more_than_left, "{reply}");
        assert!(reply["errmsg"].as_str().unwrap().contains("6 coins of the pay are left"), "{reply}");
        assert_eq!(words.refund("r2", "pay", 6).send(&bank).await["errcode"], 0);
        let reply = words.balance().send(&bank).await;
        assert_eq!(sums(SUMS, &reply), [15, 5, 10, 5, 15, 0].map(|n| json!(n)));
        assert_eq!(words.refund("r3", "pay", 1).send(&bank).await["errcode"], words.nothing_left);
        let repeat = words.refund("r1", "pay", 6).send(&bank).await;
        let expected = json!({ "errcode": words.taken, words.number: "r1", "balance": 15 });
        assert_eq!(without_errmsg(repeat), expected, "a repeat is never refused for what happened since");
        for (number, pay) in [("r4", "none"), ("r4", "gift"), ("r4", "r1")] {
            assert_eq!(words.refund(number, pay, 1).send(&bank).await["errcode"], words.no_pay, "{pay}");
        }
        bank.log_in("other").await;
        let others = words.refund("r4", "pay", 1).of("other").send(&bank).await;
        assert_eq!(others["errcode"], words.no_pay, "another player's pay");
    }
}

/// `/wxa/game/*` has the app's cancel window, `/xpay/*` none.
#[tokio::test]
async fn cancel_window_is_of_the_game_wire_alone() {
    let bank = start().await;
    GAME.present("gift", 9).send(&bank).await;
    GAME.pay("game-pay", 2).send(&bank).await;
    XPAY.pay("xpay-pay", 2).send(&bank).await;
    bank.clock.advance(Duration::from_secs(48 * 3600 + 1));
    bank.log_in(PLAYER).await;
    assert_eq!(GAME.refund("r1", "game-pay", 1).send(&bank).await["errcode"], 90014);
    assert_eq!(XPAY.refund("r2", "xpay-pay", 1).send(&bank).await["errcode"], 0);
}

#[tokio::test]
async fn environments_and_zones_have_books_of_their_own() {
    let bank = start().await;
    for words in BOTH {
        assert_eq!(words.present(words.number, 5).sandbox().send(&bank).await["errcode"], 0);
    }
    assert_eq!((bank.balance(LIVE).await, bank.balance(SANDBOX).await), (0, 10));
    // The other environment's key is no key.
    let mut call = GAME.present("x", 5).sandbox();
    call.environment = LIVE;
    assert_eq!(call.send(&bank).await["errcode"], 90011);
}

#[tokio::test]
async fn one_balance_answers_on_every_wire() {
    let bank = start().await;
    save(&bank, "top-up", 10).await;
    bank.present(&gift("gift", 5)).await;
    for words in BOTH {
        let reply = words.balance().send(&bank).await;
        assert_eq!(sums(SUMS, &reply), [15, 5, 10, 5, 15, 0].map(|n| json!(n)));
    }
    XPAY.pay("pay", 6).send(&bank).await;
    // The wires of the newer family share the numbering of an account.
    assert_eq!(GAME.refund("r", "pay", 2).send(&bank).await["errcode"], 0);
    let account = bank.account(LIVE).await;
    assert_eq!((&account["balance"], &account["gifted"]), (&json!(11), &json!(1)));
}

#[tokio::test]
async fn top_up_is_found_by_its_number() {
    let bank = start().await;
    save(&bank, "Order_1", 10).await;
    let query = |number: &str, biz: u64| {
        RawCall::new(RawPath::GameQueryOrderInfo, json!({ "out_trade_no": number, "biz_id": biz }))
    };
    let reply = query("Order_1", 1).send(&bank).await;
    let expected = json!({
        "errcode": 0, "errmsg": "ok", "product_id": "", "pay_state": 2, "deliver_state": 2,
        "pay_finish_time": 1_507_530_737, "out_trade_no": "Order_1",
    });
    assert_eq!(reply, expected);
    bank.log_in("other").await;
    bank.present(&gift("gift", 5)).await;
    for call in [
        query("none", 1),
        query("Order_1", 2),
        query("gift", 1),
        query("not a number of this bank", 1),
        query("Order_1", 1).of("other"),
    ] {
        assert_eq!(call.send(&bank).await["errcode"], 90019);
    }
}

#[tokio::test]
async fn operator_finds_orders_of_an_account() {
    let bank = start().await;
    GAME.present("gift", 9).send(&bank).await;
    GAME.pay("pay", 4).send(&bank).await;
    GAME.refund("r1", "pay", 1).send(&bank).await;
    GAME.refund("r2", "pay", 2).send(&bank).await;
    let find = async |number: &str, query: &str| {
        let path = format!("/api/v1/apps/{APPID}/orders/{number}?env=live{query}");
        bank.operator_request(Method::GET, &path, "").await
    };
    let (status, _) = find("pay", "").await;
    assert_eq!(status.as_u16(), 404, "the app has no such number");
    let (status, order) = find("pay", &format!("&openid={PLAYER}")).await;
    assert_eq!((status.as_u16(), &order["refunded"]), (200, &json!(3)), "{order}");
    assert_eq!(order["receipt"]["numbering"], "account");
    assert_eq!((&order["cancel"]["kind"], &order["cancel"]["bill_no"]), (&json!("refund"), &json!("r2")));
    let (_, order) = find("r1", &format!("&openid={PLAYER}&zone_id=1")).await;
    assert_eq!(
        (&order["receipt"]["kind"], &order["receipt"]["pay_bill_no"]),
        (&json!("refund"), &json!("pay"))
    );
    assert_eq!(find("pay", &format!("&openid={PLAYER}&zone_id=2")).await.0.as_u16(), 404);
    assert_eq!(find("pay", "&zone_id=1").await.0.as_u16(), 422);
    let path = format!("/api/v1/apps/{APPID}/statement?env=live&openid={PLAYER}");
    let (_, statement) = bank.operator_request(Method::GET, &path, "").await;
    let orders = statement["orders"].as_array().unwrap();
    let kinds: Vec<_> = orders.iter().map(|order| order["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["refund", "refund", "pay", "present"], "{statement}");
}

#[tokio::test]
async fn concurrent_repeats_give_once() {
    let bank = std::sync::Arc::new(start().await);
    for words in BOTH {
        let sends = (0..16).map(|_| {
            let bank = std::sync::Arc::clone(&bank);
            tokio::spawn(async move { words.present("raced", 3).send(&bank).await["errcode"].clone() })
        });
        let mut done = 0;
        for send in sends.collect::<Vec<_>>() {
            let code = send.await.unwrap();
            done += u64::from(code == 0);
            assert!(code == 0 || code == words.taken, "{code}");
        }
        // Both wires share the account's numbers.
        assert_eq!(done, u64::from(words.wire == GAME.wire));
    }
    assert_eq!(bank.balance(LIVE).await, 3);
}

/// A store of a bank survives with its refunds, as every order does.
#[tokio::test]
async fn refunds_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bank = TestBank::start_in(folder.path(), super::client::app_of_all_wires()).await;
    bank.log_in(PLAYER).await;
    GAME.present("gift", 9).send(&bank).await;
    GAME.pay("pay", 4).send(&bank).await;
    GAME.refund("r1", "pay", 3).send(&bank).await;
    bank.shut_down().await;
    let bank = TestBank::start_in(folder.path(), super::client::app_of_all_wires()).await;
    let reply = GAME.refund("r2", "pay", 2).send(&bank).await;
    assert!(reply["errmsg"].as_str().unwrap().contains("1 coins of the pay are left"), "{reply}");
    assert_eq!(GAME.refund("r1", "pay", 3).send(&bank).await["errcode"], 90012);
    assert_eq!(GAME.refund("r2", "pay", 1).send(&bank).await["errcode"], 0);
    assert_eq!(bank.balance(LIVE).await, 9);
}

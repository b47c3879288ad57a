//! Totals, compared with sums that the test computes.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_protocol::{Caller, CancelPay, Pay};
use pactolus_types::{Amount, Environment};
use serde_json::{Value, json};

use crate::bank::{PLAYER, TestBank, caller, sign};

const DAYS: [&str; 4] = ["2017-10-09", "2017-10-10", "2017-10-11", "2017-10-12"];
const KINDS: [&str; 4] = ["save", "present", "pay", "cancel"];

/// Orders and coins of each kind, by zone and day.
type ExpectedTotals = BTreeMap<(String, &'static str), [(u64, u64); 4]>;

async fn totals(bank: &TestBank, query: &str) -> (StatusCode, Value) {
    bank.operator_request(Method::GET, &format!("/api/v1/apps/wx1234567/totals?{query}"), "").await
}

async fn post_order(bank: &TestBank, kind: &str, zone_id: &str, bill_no: &str, coins: u64) {
    let order = json!({
        "kind": kind, "env": "live", "openid": PLAYER, "zone_id": zone_id, "bill_no": bill_no, "coins": coins,
    });
    let (status, _) =
        bank.operator_request(Method::POST, "/api/v1/apps/wx1234567/orders", order.to_string()).await;
    assert!(status.is_success());
}

async fn pay(bank: &TestBank, caller: &Caller, bill_no: &str, coins: u64) {
    let (caller, bill_no, amt) = (caller.clone(), bill_no.parse().unwrap(), Amount::new(coins).unwrap());
    let pay = Pay { caller, amt, bill_no, pay_item: None, app_remark: None };
    assert_eq!(bank.call::<Pay>(Environment::Live, sign(&pay, Environment::Live)).await["errcode"], 0);
}

async fn cancel(bank: &TestBank, caller: &Caller, bill_no: &str) {
    let cancel = CancelPay { caller: caller.clone(), bill_no: bill_no.parse().unwrap(), pay_item: None };
    let reply = bank.call::<CancelPay>(Environment::Live, sign(&cancel, Environment::Live)).await;
    assert_eq!(reply["errcode"], 0);
}

/// Converts the bank's totals to the test's form.
fn parse_totals(totals: &Value) -> ExpectedTotals {
    let tally = |total: &Value, kind| {
        let coins = total[kind]["coins"].as_str().unwrap().parse().unwrap();
        (total[kind]["orders"].as_u64().unwrap(), coins)
    };
    let totals = totals["totals"].as_array().unwrap().iter();
    totals
        .map(|total| {
            let zone = total["zone_id"].as_str().unwrap().to_owned();
            let day = DAYS.into_iter().find(|day| total["day"] == *day).unwrap();
            ((zone, day), KINDS.map(|kind| tally(total, kind)))
        })
        .collect()
}

#[tokio::test]
async fn totals_are_the_sums_of_the_orders() {
    let bank = TestBank::start().await;
    let mut sums = ExpectedTotals::new();
    for (round, day) in (0_u64..).zip(DAYS) {
        bank.log_in(PLAYER).await;
        for (zone_id, server) in [("1", "1"), ("1_mage", "1"), ("2", "2"), ("_", "_")] {
            // On the third day zone 2 has no orders.
            if (server, round) == ("2", 2) {
                continue;
            }
            let caller = Caller { zone_id: zone_id.parse().unwrap(), ..caller() };
            let sum = sums.entry((server.to_owned(), day)).or_default();
            for number in 1..=3 {
                let bill_no = |kind: &str| format!("{kind}|{zone_id}|{round}|{number}").replace('.', "");
                let coins = [1000 * number + round, 100 * number, 10 * number];
                // A replay is not counted.
                for _ in 0..2 {
                    post_order(&bank, "save", zone_id, &bill_no("s"), coins[0]).await;
                    post_order(&bank, "present", zone_id, &bill_no("g"), coins[1]).await;
                }
                pay(&bank, &caller, &bill_no("p"), coins[2]).await;
                let mut moved = vec![(0, coins[0]), (1, coins[1]), (2, coins[2])];
                if number == 2 {
                    cancel(&bank, &caller, &bill_no("p")).await;
                    moved.push((3, coins[2]));
                }
                for (kind, coins) in moved {
                    sum[kind].0 += 1;
                    sum[kind].1 += coins;
                }
            }
        }
        bank.clock.advance(Duration::from_secs(86_400));
    }
    for (from, to) in [(0, 3), (1, 2), (3, 3)] {
        let (from, to) = (DAYS[from], DAYS[to]);
        let (status, all) = totals(&bank, &format!("env=live&from={from}&to={to}")).await;
        assert_eq!(status, StatusCode::OK, "{all}");
        let mut expected = sums.clone();
        expected.retain(|(_, day), _| (from..=to).contains(day));
        assert_eq!(parse_totals(&all), expected);
    }
    let (_, sandbox) = totals(&bank, "env=sandbox&from=2017-10-09&to=2017-10-12").await;
    assert_eq!(sandbox["totals"], json!([]));
}

#[tokio::test]
async fn total_may_exceed_json_safe_integers() {
    let bank = TestBank::start().await;
    let max = (1_u64 << 53) - 1;
    post_order(&bank, "save", "1_a", "a", max).await;
    post_order(&bank, "save", "1_b", "b", max).await;
    let (_, totals_body) = totals(&bank, "env=live&from=2017-10-09&to=2017-10-09").await;
    assert_eq!(totals_body["totals"][0]["save"], json!({ "orders": 2, "coins": (2 * max).to_string() }));
}

#[tokio::test]
async fn invalid_days_are_refused() {
    let bank = TestBank::start().await;
    let cases = [
        ("env=live&from=2017-02-29&to=2017-03-01", "from is not a day like 2017-10-09"),
        ("env=live&from=20170301&to=2017-03-01", "from is not a day"),
        ("env=live&from=1969-12-31&to=1970-01-01", "from is not a day"),
        ("env=live&from=2017-03-02&to=2017-03-01", "to is before from"),
        ("env=live&from=2017-01-01&to=2018-01-02", "to is too late; a query covers at most 366 days"),
        ("env=both&from=2017-01-01&to=2017-01-01", "env is neither"),
        ("env=live&from=2017-01-01", "missing field `to`"),
    ];
    for (query, detail) in cases {
        let (status, problem) = totals(&bank, query).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{problem}");
    }
    assert_eq!(totals(&bank, "env=live&from=2017-01-01&to=2018-01-01").await.0, StatusCode::OK);
}

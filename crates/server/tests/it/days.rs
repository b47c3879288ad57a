//! Days of an app: its time zone decides when the daily limit starts again and which day an order counts to, and a
//! clock that was wrong for a while does not block gifts.

use std::time::Duration;

use hyper::{Method, StatusCode};
use pactolus_server::AppSettings;
use pactolus_types::Amount;
use serde_json::{Value, json};

use crate::bank::{PLAYER, START, TestBank, gift, sample_app};

const DAY_S: u64 = 86_400;

fn app_in(zone: &str) -> AppSettings {
    AppSettings {
        present_max_per_player_per_day: Amount::new(100).ok(),
        time_zone: zone.parse().unwrap(),
        ..sample_app()
    }
}

/// Sets the clock to this many seconds after 1970, and logs the player in again.
async fn set_clock(bank: &TestBank, second: u64) {
    let body = json!({ "now_ms": second * 1000 }).to_string();
    assert_eq!(bank.operator_request(Method::POST, "/api/v1/clock", body).await.0, StatusCode::OK);
    bank.log_in(PLAYER).await;
}

async fn present(bank: &TestBank, bill_no: &str, coins: u64) -> i64 {
    bank.present(&gift(bill_no, coins)).await["errcode"].as_i64().unwrap()
}

async fn totals(bank: &TestBank, from: &str, to: &str) -> Value {
    let path = format!("/api/v1/apps/wx1234567/totals?env=live&from={from}&to={to}");
    let (status, totals) = bank.operator_request(Method::GET, &path, "").await;
    assert_eq!(status, StatusCode::OK, "{totals}");
    totals
}

/// Day and presented coins of each total.
fn presented(totals: &Value) -> Vec<(&str, &str)> {
    let totals = totals["totals"].as_array().unwrap().iter();
    totals
        .map(|total| (total["day"].as_str().unwrap(), total["present"]["coins"].as_str().unwrap()))
        .collect()
}

/// The bug: the machine's clock was a year ahead for a minute, and the player's count stayed on that day. The loss: no
/// gift for a year. The fix: a count of a day after tomorrow starts again.
#[tokio::test]
async fn gifts_flow_after_the_clock_was_a_year_ahead() {
    for zone in ["UTC", "Asia/Shanghai", "America/Los_Angeles"] {
        let bank = TestBank::with_app(app_in(zone)).await;
        let now = START.seconds();
        assert_eq!(present(&bank, "today", 100).await, 0);
        set_clock(&bank, now + 366 * DAY_S).await;
        assert_eq!(present(&bank, "ahead", 100).await, 0);
        assert_eq!(present(&bank, "ahead2", 1).await, 90018);
        set_clock(&bank, now + 60).await;
        assert_eq!(present(&bank, "right", 100).await, 0, "{zone}: the limit starts again at once");
        assert_eq!(present(&bank, "right2", 1).await, 90018, "{zone}: and holds");
        for day in 1..4 {
            set_clock(&bank, now + day * DAY_S).await;
            assert_eq!(present(&bank, &format!("day{day}"), 100).await, 0, "{zone}");
            assert_eq!(present(&bank, &format!("more{day}"), 1).await, 90018, "{zone}");
        }
    }
}

/// Requests that reach the bank on both sides of midnight, in any sequence, get one limit for each of the two days.
#[tokio::test]
async fn moving_between_days_gains_no_second_limit() {
    let bank = TestBank::with_app(app_in("Asia/Shanghai")).await;
    // 2017-10-10 00:00 in Beijing.
    let midnight = 1_507_564_800;
    let mut given = 0;
    for round in 0..6 {
        for (side, second) in [("before", midnight - 1), ("after", midnight), ("noon", midnight - DAY_S / 2)]
        {
            set_clock(&bank, second).await;
            given += u64::from(present(&bank, &format!("{side}{round}"), 100).await == 0);
        }
    }
    assert_eq!(given, 2);
}

/// 23:50 and 00:10 in Beijing are two days, though one in UTC; so are their totals.
#[tokio::test]
async fn day_follows_the_time_zone_of_the_app() {
    // The last ten minutes of 2017-10-09 in each zone.
    let zones = [
        ("UTC", 1_507_593_000),
        ("Asia/Shanghai", 1_507_593_000 - 8 * 3600),
        ("Asia/Kolkata", 1_507_593_000 - 19_800),
        ("Asia/Kathmandu", 1_507_593_000 - 20_700),
        ("America/St_Johns", 1_507_593_000 + 9000),
    ];
    for (zone, late) in zones {
        let bank = TestBank::with_app(app_in(zone)).await;
        set_clock(&bank, late).await;
        assert_eq!(present(&bank, "late", 100).await, 0, "{zone}");
        set_clock(&bank, late + 599).await;
        assert_eq!(present(&bank, "too-much", 1).await, 90018, "{zone}");
        set_clock(&bank, late + 600).await;
        assert_eq!(present(&bank, "early", 99).await, 0, "{zone}: a new day");
        set_clock(&bank, late + 600 + DAY_S - 1).await;
        assert_eq!(present(&bank, "too-late", 2).await, 90018, "{zone}: it is one day");

        let both = totals(&bank, "2017-10-09", "2017-10-10").await;
        assert_eq!(both["time_zone"], zone);
        assert_eq!(presented(&both), [("2017-10-09", "100"), ("2017-10-10", "99")], "{zone}");
        assert_eq!(
            presented(&totals(&bank, "2017-10-10", "2017-10-10").await),
            [("2017-10-10", "99")],
            "{zone}"
        );
        assert_eq!(presented(&totals(&bank, "2017-10-11", "2018-10-10").await), [], "{zone}");
    }
}

/// A later change of the setting re-reads the totals by its days, and leaves the audit clean, which is run when the
/// bank is dropped.
#[tokio::test]
async fn time_zone_may_change_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut given = 0;
    for (round, zone) in
        (0_u64..).zip(["UTC", "Asia/Shanghai", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
    {
        let bank = TestBank::start_in(folder.path(), app_in(zone)).await;
        for hour in 0..30_u64 {
            let now = START.saturating_add(Duration::from_secs((30 * round + hour) * 3600));
            set_clock(&bank, now.seconds()).await;
            if present(&bank, &format!("{round}-{hour}"), 60).await == 0 {
                given += 1;
            }
        }
        let all = totals(&bank, "2017-10-08", "2017-10-31").await;
        let coins: u64 = presented(&all).iter().map(|(_, coins)| coins.parse::<u64>().unwrap()).sum();
        assert_eq!(coins, 60 * given, "{zone}");
        bank.shut_down().await;
    }
    assert!(given > 6, "only {given} gifts were given");
}

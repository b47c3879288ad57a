//! Metrics through HTTP: counters move by exactly what happened, and no label holds a secret or an endless set.
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::Path;

use hyper::{Method, StatusCode};
use pactolus_protocol::{GetBalance, OperatorToken, Present};
use pactolus_server::metrics::{CATALOG, Label, MetricKind, reference_page};
use pactolus_server::{AppSettings, MetricsMode, Settings};
use pactolus_types::{Amount, Environment};

use crate::bank::{APPID, OPERATOR, PLAYER, TestBank, caller, gift, sample_app, sign};

/// Every label that a metric may have. A new one is thought about here: its values must be few, and none may be a
/// player, a bill number, a zone, a user, an address or a request id.
const LABELS: [&str; 19] = [
    "app",
    "env",
    "wire",
    "call",
    "errcode",
    "outcome",
    "kind",
    "finding",
    "scope",
    "reason",
    "result",
    "state",
    "index",
    "http_route",
    "http_request_method",
    "http_response_status_code",
    "version",
    "revision",
    "engine",
];

/// The series of a scrape: name with sorted labels, and value.
pub(crate) type Series = BTreeMap<String, f64>;

pub(crate) async fn scrape(bank: &TestBank) -> Series {
    let (status, kind, body) = bank.send(Method::GET, "/metrics", &[], "").await;
    assert_eq!((status, &*kind), (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8"));
    parse(std::str::from_utf8(&body).unwrap())
}

fn parse(text: &str) -> Series {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let series = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(series).collect()
}

/// The series whose values differ, with the difference. Those of the process, the runtime and the scrape itself, and
/// durations, differ anyway.
fn difference(before: &Series, after: &Series) -> Vec<(String, f64)> {
    let is_noise = |name: &str| {
        ["process_", "pactolus_runtime_", "http_server_", "pactolus_connections", "pactolus_disk_"]
            .iter()
            .any(|noise| name.starts_with(noise))
            || name.contains("_seconds_bucket")
            || name.contains("_seconds_sum")
    };
    let changed = |(name, value): (&String, &f64)| {
        let difference = value - before.get(name).copied().unwrap_or_default();
        (difference != 0.0 && !is_noise(name)).then(|| (name.clone(), difference))
    };
    after.iter().filter_map(changed).collect()
}

#[track_caller]
fn assert_changes(before: &Series, after: &Series, expected: &[(&str, f64)]) {
    let mut expected: Vec<_> = expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    let found = difference(before, after);
    assert_eq!(found, expected, "found {found:#?}");
}

const PRESENT_0: &str = r#"pactolus_calls_total{wire="midas",env="live",call="present",errcode="0"}"#;
const PRESENT_TIMED: &str = r#"pactolus_call_duration_seconds_count{wire="midas",env="live",call="present"}"#;

#[tokio::test]
async fn present_moves_exactly_its_counters() {
    let bank = TestBank::start().await;
    let before = scrape(&bank).await;
    bank.present(&gift("b", 233)).await;
    let applied = scrape(&bank).await;
    let batch = |bound: &str| format!("pactolus_ledger_batch_orders_bucket{{le=\"{bound}\"}}");
    let bounds = ["1.0", "2.0", "4.0", "8.0", "16.0", "32.0", "64.0", "128.0", "256.0", "512.0", "1024.0"];
    let buckets: Vec<_> =
        bounds.iter().chain(&["2048.0", "4096.0", "+Inf"]).map(|bound| batch(bound)).collect();
    let journal = applied["pactolus_journal_bytes"] - before["pactolus_journal_bytes"];
    assert!((50.0..1000.0).contains(&journal), "{journal}");
    let mut expected = vec![
        (PRESENT_0, 1.0),
        (PRESENT_TIMED, 1.0),
        (r#"pactolus_app_calls_total{app="wx1234567",env="live",outcome="ok"}"#, 1.0),
        (r#"pactolus_coins_total{app="wx1234567",env="live",kind="present"}"#, 233.0),
        (r#"pactolus_token_lookups_total{result="cached"}"#, 1.0),
        (r#"pactolus_session_lookups_total{result="cached"}"#, 1.0),
        ("pactolus_ledger_sync_duration_seconds_count", 1.0),
        ("pactolus_ledger_batch_orders_sum", 1.0),
        ("pactolus_ledger_batch_orders_count", 1.0),
        ("pactolus_ledger_orders_total", 1.0),
        ("pactolus_memtable_orders", 1.0),
        ("pactolus_journal_bytes", journal),
    ];
    expected.extend(buckets.iter().map(|name| (&**name, 1.0)));
    assert_changes(&before, &applied, &expected);

    // A replay is a call that moves no coins.
    bank.present(&gift("b", 233)).await;
    let replayed = scrape(&bank).await;
    assert_changes(
        &applied,
        &replayed,
        &[
            (r#"pactolus_calls_total{wire="midas",env="live",call="present",errcode="90012"}"#, 1.0),
            (PRESENT_TIMED, 1.0),
            (r#"pactolus_app_calls_total{app="wx1234567",env="live",outcome="replayed"}"#, 1.0),
            (r#"pactolus_token_lookups_total{result="cached"}"#, 1.0),
            (r#"pactolus_session_lookups_total{result="cached"}"#, 1.0),
        ],
    );
}

#[tokio::test]
async fn rejections_count_their_code_and_finding() {
    let bank = TestBank::start().await;
    let before = scrape(&bank).await;
    // Signed with the key of the other environment.
    bank.call::<Present>(Environment::Live, sign(&gift("b", 1), Environment::Sandbox)).await;
    bank.post("/cgi-bin/midas/sandbox/getbalance?access_token=another", "").await;
    let after = scrape(&bank).await;
    let calls = |env: &str, call: &str, code: i32| {
        format!(r#"pactolus_calls_total{{wire="midas",env="{env}",call="{call}",errcode="{code}"}}"#)
    };
    let timed = |env: &str, call: &str| {
        format!(r#"pactolus_call_duration_seconds_count{{wire="midas",env="{env}",call="{call}"}}"#)
    };
    for (name, count) in [
        (calls("live", "present", 90011), 1.0),
        (timed("live", "present"), 1.0),
        (calls("sandbox", "getbalance", 40001), 1.0),
        (timed("sandbox", "getbalance"), 1.0),
        (r#"pactolus_app_calls_total{app="wx1234567",env="live",outcome="refused"}"#.to_owned(), 1.0),
        (r#"pactolus_rejection_findings_total{finding="other-environment"}"#.to_owned(), 1.0),
        (r#"pactolus_rejection_findings_total{finding="token-unknown"}"#.to_owned(), 1.0),
    ] {
        let found =
            after.get(&name).copied().unwrap_or_default() - before.get(&name).copied().unwrap_or_default();
        assert!(
            (found - count).abs() < f64::EPSILON,
            "{name}: {found}, in {:#?}",
            difference(&before, &after)
        );
    }
    assert!(!after.keys().any(|name| name.contains(PLAYER) || name.contains("another")), "{after:#?}");
}

#[tokio::test]
async fn limits_count_their_scope() {
    let app = AppSettings {
        rate_limit_per_second: NonZeroU32::new(7),
        rate_limit_per_player_per_second: NonZeroU32::new(6),
        present_max: Amount::new(100).ok(),
        present_max_per_player_per_day: Amount::new(150).ok(),
        ..sample_app()
    };
    let bank = TestBank::with_app(app).await;
    let before = scrape(&bank).await;
    for (bill_no, coins) in [("a", 101), ("b", 100), ("c", 51), ("d", 50)] {
        bank.present(&gift(bill_no, coins)).await;
    }
    let mut balance = GetBalance { caller: caller() };
    for _ in 0..3 {
        bank.call::<GetBalance>(Environment::Live, sign(&balance, Environment::Live)).await;
    }
    balance.caller.openid = "other".parse().unwrap();
    bank.call::<GetBalance>(Environment::Live, sign(&balance, Environment::Live)).await;
    let after = scrape(&bank).await;
    let limited = |what: &str, scope: &str| {
        let name = format!(r#"pactolus_{what}_limited_total{{app="wx1234567",env="live",scope="{scope}"}}"#);
        after[&name] - before[&name]
    };
    // Eight calls: seven within the rate of the app, and the last of the first player's seven over its own.
    assert_eq!(["order", "day"].map(|scope| limited("gift", scope)), [1.0, 1.0]);
    assert_eq!(["app", "player"].map(|scope| limited("rate", scope)), [1.0, 1.0]);
    let coins = r#"pactolus_coins_total{app="wx1234567",env="live",kind="present"}"#;
    assert_eq!(after[coins] - before[coins], 150.0);
}

#[tokio::test]
async fn operators_orders_and_requests_are_counted() {
    let bank = TestBank::start().await;
    let before = scrape(&bank).await;
    let orders = format!("/api/v1/apps/{APPID}/orders");
    let order = format!(r#"{{"kind":"save","env":"sandbox","openid":"{PLAYER}","bill_no":"o","coins":9}}"#);
    for _ in 0..2 {
        bank.operator_request(Method::POST, &orders, order.clone()).await;
    }
    bank.send(Method::GET, "/api/v1/clock", &[("authorization", "Bearer guess")], "").await;
    bank.send(Method::from_bytes(b"BREW").unwrap(), "/api/v1/clock", &[], "").await;
    let after = scrape(&bank).await;
    let coins = r#"pactolus_coins_total{app="wx1234567",env="sandbox",kind="save"}"#;
    assert_eq!(after[coins] - before[coins], 9.0, "a replay moves nothing");
    let requests = |route: &str, method: &str, status: u16| {
        let labels = format!(
            r#"http_route="{route}",http_request_method="{method}",http_response_status_code="{status}""#
        );
        after.get(&format!("http_server_request_duration_seconds_count{{{labels}}}")).copied()
    };
    let route = "/api/v1/apps/{appid}/orders";
    assert_eq!([201, 200].map(|status| requests(route, "POST", status)), [Some(1.0), Some(1.0)]);
    assert_eq!(requests("/api/v1/clock", "GET", 401), Some(1.0));
    let session = r#"pactolus_records_writes_total{kind="session",result="stored"}"#;
    assert_eq!(after[session], 1.0, "the login of the test's player");
}

#[tokio::test]
async fn store_state_and_connections_are_shown() {
    let bank = TestBank::start().await;
    let series = scrape(&bank).await;
    assert_eq!(series[r#"pactolus_store_ready{state="ready"}"#], 1.0);
    assert_eq!(series["pactolus_connections_limit"], 20_000.0);
    assert_eq!(series["pactolus_connections"], 1.0, "the one of the test's client");
    assert_eq!((series["pactolus_manual_clock"], series["pactolus_open_login_apps"]), (1.0, 0.0));
    bank.close_ledger().await;
    let series = scrape(&bank).await;
    assert_eq!(series[r#"pactolus_store_ready{state="ready"}"#], 0.0);
    assert_eq!(series[r#"pactolus_store_ready{state="closed"}"#], 1.0);
}

/// The bound that every page and command shows holds for the real output, which has each metric of this engine.
#[tokio::test]
async fn output_keeps_to_the_list() {
    let bank = TestBank::start().await;
    bank.present(&gift("b", 1)).await;
    bank.call::<Present>(Environment::Live, sign(&gift("c", 1), Environment::Sandbox)).await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (allowed, mut labels) = (BTreeSet::from(LABELS), BTreeSet::new());
    let series = scrape(&bank).await;
    for name in series.keys() {
        let (name, pairs) = name.split_once('{').unwrap_or((name, ""));
        let metric = CATALOG.iter().find(|metric| {
            let suffixes: &[&str] = match metric.kind {
                MetricKind::Histogram(_) => &["_bucket", "_sum", "_count"],
                MetricKind::Counter | MetricKind::Gauge | MetricKind::Info => &[""],
            };
            suffixes.iter().any(|suffix| name.strip_suffix(suffix) == Some(metric.name))
        });
        let metric = metric.unwrap_or_else(|| panic!("{name} is not in the list"));
        *counts.entry(metric.name).or_default() += 1;
        let names =
            pairs.split("\",").filter_map(|pair| pair.split_once('=')).map(|(label, _)| label.to_owned());
        let names: Vec<_> = names.filter(|label| label != "le").collect();
        let listed: Vec<_> = metric.labels.iter().map(|label| label.name()).collect();
        assert_eq!(names, listed, "{name}");
        labels.extend(names);
    }
    for metric in CATALOG {
        let found = counts.get(metric.name).copied().unwrap_or_default();
        assert!(found <= metric.series_max(), "{} has {found} series", metric.name);
        assert!(found > 0 || metric.name.contains("postgres"), "{} has no series", metric.name);
    }
    assert!(labels.iter().all(|label| allowed.contains(&**label)), "{labels:?}");
    assert_eq!(Label::ALL.iter().map(|label| label.name()).collect::<BTreeSet<_>>(), allowed);
    assert!(series.len() < 1000, "{} series", series.len());
}

#[tokio::test]
async fn apps_beyond_fifty_share_a_label() {
    let folder = tempfile::tempdir().unwrap();
    let apps: Vec<_> = (0..60)
        .map(|number| AppSettings {
            appid: format!("wx{number}").parse().unwrap(),
            static_access_tokens: Vec::new(),
            ..sample_app()
        })
        .collect();
    let limits = pactolus_server::Limits::default();
    let bank = TestBank::on_store(crate::bank::open_in(folder.path()), apps, limits).await;
    for app in ["wx0", "wx49", "wx50", "wx59"] {
        let order = format!(r#"{{"kind":"save","env":"live","openid":"{PLAYER}","bill_no":"o","coins":5}}"#);
        bank.operator_request(Method::POST, &format!("/api/v1/apps/{app}/orders"), order).await;
    }
    let series = scrape(&bank).await;
    let coins = |app: &str| {
        series.get(&format!(r#"pactolus_coins_total{{app="{app}",env="live",kind="save"}}"#)).copied()
    };
    assert_eq!((coins("wx0"), coins("wx49"), coins("wx50")), (Some(5.0), Some(5.0), None));
    assert_eq!(coins("other"), Some(10.0));
}

#[tokio::test]
async fn open_metrics_is_negotiated() {
    let bank = TestBank::start().await;
    // The first scrape adds the series of its own path.
    scrape(&bank).await;
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let (status, kind, body) = bank.send(Method::GET, "/metrics", &[("accept", accept)], "").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    assert_eq!(parse(text).len(), scrape(&bank).await.len());
}

#[tokio::test]
async fn forwarded_request_needs_the_token() {
    let bank = TestBank::start().await;
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        let (status, _, _) = bank.send(Method::GET, "/metrics", &[(header, "192.0.2.1")], "").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{header}");
        let token = format!("Bearer {OPERATOR}");
        let headers = [(header, "192.0.2.1"), ("authorization", &*token)];
        let (status, _, _) = bank.send(Method::GET, "/metrics", &headers, "").await;
        assert_eq!(status, StatusCode::OK, "{header}");
    }
}

#[tokio::test]
async fn metrics_off_counts_nothing() {
    let settings = Settings {
        apps: vec![sample_app()],
        metrics: MetricsMode::Off,
        ..Settings::new(OperatorToken::new(OPERATOR).unwrap())
    };
    let (store, _guard) = crate::engine::open().await;
    let bank = TestBank::with_settings(store, settings).await;
    bank.log_in(PLAYER).await;
    assert_eq!(bank.present(&gift("b", 5)).await["errcode"], 0);
    let (status, _, _) = bank.send(Method::GET, "/metrics", &[], "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

/// To rewrite the page: `PACTOLUS_TEST_BLESS=1 cargo test -p pactolus-server --test it metrics`.
#[test]
fn page_of_metrics_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operating/metrics.md");
    if std::env::var_os("PACTOLUS_TEST_BLESS").is_some() {
        std::fs::write(&path, reference_page()).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap() == reference_page(), "the list of metrics has changed");
}

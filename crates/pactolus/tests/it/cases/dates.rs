//! Dates of orders: days of an app's time zone in exports, and orders dated ahead of the machine's clock.

use pactolus_ledger::{Ledger as _, Posted};
use pactolus_ledger_embedded::{EmbeddedSettings, EmbeddedStore};
use pactolus_test_support::orders::{order, present};
use pactolus_types::UnixMillis;

use crate::process::Folder;

/// 2017-10-09T15:50:00Z, ten minutes before midnight in Beijing.
const LATE_S: u64 = 1_507_564_200;

/// 2099-12-31T23:59:59Z.
const FAR_AHEAD_S: u64 = 4_102_444_799;

/// A folder with a store in `data` that holds a present at each of these times.
async fn folder_with_orders(config: &str, seconds: &[u64]) -> Folder {
    let folder = Folder::with_config();
    folder.write("pactolus.toml", &format!("{}{config}", folder.read("pactolus.toml")));
    let store = EmbeddedStore::open(&folder.path().join("data"), &EmbeddedSettings::default()).unwrap();
    for (number, second) in seconds.iter().enumerate() {
        let order = order("one", &format!("bill-{number}"), present(5));
        let posted = store.post(order, UnixMillis::new(second * 1000)).await;
        assert!(matches!(posted, Ok(Posted::Applied(_))), "{posted:?}");
    }
    store.close().await;
    folder
}

/// Bill numbers of exported orders.
fn exported(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let ended = folder.run(&[&["export", "orders"], arguments].concat());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    ended.stdout.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn export_uses_the_days_of_the_app() {
    let folder = folder_with_orders("time_zone = \"Asia/Shanghai\"\n", &[LATE_S, LATE_S + 1200]).await;
    assert_eq!(exported(&folder, &["--from", "2017-10-09"]), ["bill-0"]);
    assert_eq!(exported(&folder, &["--from", "2017-10-10"]), ["bill-1"]);
    // A store on the command line has no configuration.
    let store = ["--store", "embedded:data"];
    assert_eq!(exported(&folder, &[&store[..], &["--from", "2017-10-09"]].concat()), ["bill-0", "bill-1"]);
    let zone = ["--time-zone", "Asia/Shanghai", "--from", "2017-10-10"];
    assert_eq!(exported(&folder, &[&store[..], &zone].concat()), ["bill-1"]);
    assert_eq!(exported(&folder, &["--time-zone", "UTC", "--from", "2017-10-09"]), ["bill-0", "bill-1"]);
    let unknown = folder.run(&["export", "orders", "--from", "2017-10-09", "--time-zone", "Beijing"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("no time zone of the IANA database"), "{}", unknown.stderr);
}

#[tokio::test]
async fn misspelt_time_zone_names_its_line() {
    let folder = Folder::with_config();
    let config = folder.read("pactolus.toml");
    let line = config.lines().count() + 1;
    folder.write("pactolus.toml", &format!("{config}time_zone = \"Asia/Shangai\"\n"));
    let ended = folder.run(&["serve"]);
    assert_eq!(ended.code, Some(3));
    let place = format!("pactolus.toml:{line}: `time_zone` is \"Asia/Shangai\"");
    assert!(ended.stderr.contains(&place), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean \"Asia/Shanghai\"?"), "{}", ended.stderr);
}

/// The clock was ahead once: the audit passes with a note, and the doctor warns.
#[tokio::test]
async fn order_ahead_of_the_clock_is_reported() {
    let right = folder_with_orders("", &[LATE_S]).await;
    right.audit(1);
    assert!(!right.run(&["doctor"]).stdout.contains("ahead of the system clock"));

    let folder = folder_with_orders("", &[LATE_S, FAR_AHEAD_S, LATE_S + 60]).await;
    folder.audit(3);
    let audit = folder.run(&["audit"]);
    assert_eq!(audit.code, Some(0));
    assert!(audit.stdout.contains("note: an order is dated 2099-12-31T23:59:59Z"), "{}", audit.stdout);
    let json: serde_json::Value =
        serde_json::from_str(&folder.run(&["audit", "--output", "json"]).stdout).unwrap();
    assert_eq!(json["order_ahead_of_clock"], "2099-12-31T23:59:59Z");

    let doctor = folder.run(&["doctor", "--output", "json"]);
    let findings: Vec<serde_json::Value> = serde_json::from_str(&doctor.stdout).unwrap();
    let is_ahead =
        |finding: &&serde_json::Value| finding["finding"].as_str().unwrap().contains("2099-12-31T23:59:59Z");
    let ahead = findings.iter().find(is_ahead).unwrap_or_else(|| panic!("{}", doctor.stdout));
    assert_eq!((&ahead["level"], &ahead["about"]), (&"note".into(), &"clock".into()));
    assert_eq!(doctor.code, right.run(&["doctor"]).code, "a warning does not change the exit code");
    assert!(folder.run(&["doctor", "--lang", "zh"]).stdout.contains("晚于系统时钟"));
}

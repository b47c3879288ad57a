//! A gift with a digit too many, or a top-up that was refunded: the operator takes the coins back without the player's
//! session, never below zero, and the player has not spent them.

use serde_json::json;

use super::raw::{Bank, present};

#[test]
fn mistaken_gift_is_taken_back() {
    let bank = Bank::serve();
    assert_eq!(bank.call("present", present("one", "mistake", 500))["balance"], 500);
    let url = format!("http://{}", bank.address());
    let debit = |coins: &str, bill_no: &str, more: &[&str]| {
        let arguments = ["debit", "--env", "sandbox", "--url", &url, "--openid", "one", "--output", "json"];
        let order = ["--coins", coins, "--bill-no", bill_no];
        bank.folder.run(&[&arguments[..], &order, more].concat())
    };
    // Twice under one number takes once.
    for _ in 0..2 {
        let ended = debit("450", "undo", &[]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    assert_eq!(debit("51", "too-much", &[]).code, Some(10));
    assert_eq!(debit("51", "rest", &["--take-available"]).code, Some(0));
    assert_eq!(debit("1", "nothing-left", &["--take-available"]).code, Some(10));

    let balance = bank
        .folder
        .run(&["balance", "--env", "sandbox", "--url", &url, "--openid", "one", "--output", "json"]);
    let sums: serde_json::Value = serde_json::from_str(&balance.stdout).unwrap();
    assert_eq!((&sums["balance"], &sums["cost_sum"]), (&json!(0), &json!(0)), "{sums}");
    bank.stop(3);
}

#[test]
fn mistaken_campaign_is_taken_back_once() {
    let bank = Bank::serve();
    for (openid, coins) in [("one", 50), ("two", 50), ("three", 20)] {
        assert_eq!(bank.call("present", present(openid, &format!("gift-{openid}"), coins))["balance"], coins);
    }
    bank.folder.write("undo.csv", "openid,present_counts\none,50\ntwo,50\nthree,50\n");
    let url = format!("http://{}", bank.address());
    for _ in 0..2 {
        let arguments = [
            "debit",
            "--env",
            "sandbox",
            "--url",
            &url,
            "undo.csv",
            "--campaign",
            "undo",
            "--take-available",
            "--yes",
        ];
        let ended = bank.folder.run(&arguments);
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    }
    bank.stop(6);
}

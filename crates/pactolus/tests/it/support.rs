//! Commands for support: orders of the operator, totals, sessions, faults, the clock, rejections, and what is said of a
//! player or number that is elsewhere.

use pactolus_test_support::sample::{OPERATOR_TOKEN, PRESENT_BODY, SESSION_KEY};
use serde_json::Value;

use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

struct Bank {
    folder: Folder,
    server: ServerProcess,
    url: String,
}

impl Bank {
    fn serve(more: &[&str]) -> Self {
        let folder = Folder::with_config();
        folder.write("pactolus.toml", &(folder.read("pactolus.toml") + "zones = [\"1\", \"2\", \"3\"]\n"));
        Self::start(folder, more)
    }

    fn start(folder: Folder, more: &[&str]) -> Self {
        let server = ServerProcess::start(folder.command(&[&["serve"], more].concat()));
        let url = format!("http://{}", server.address);
        Self { folder, server, url }
    }

    fn run(&self, arguments: &[&str]) -> ProcessOutput {
        self.folder.run(&[arguments, &["--url", &self.url]].concat())
    }

    #[track_caller]
    fn stdout(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{arguments:?}");
        ended.stdout
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.stdout(&[arguments, &["--output", "json"]].concat());
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs and expects this exit code and these words on stderr.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, words: &str) {
        let ended = self.run(arguments);
        assert_eq!((ended.code, &*ended.stdout), (Some(code), ""), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn orders_of_the_operator_are_made_once() {
    let bank = Bank::serve(&[]);
    let one = ["--env", "live", "--openid", "one"];
    let with = |command: &'static str, more: &[&'static str]| [&[command], &one[..], more].concat();
    let topup =
        with("topup", &["--coins", "100", "--bill-no", "t1", "--item", "pack", "--remark", "bank transfer"]);
    let shown = "\
bill_no  openid  zone_id  coins  outcome    balance
t1       one           1    100  topped-up      100
";
    assert_eq!(bank.stdout(&topup), shown);
    let again = &bank.json(&topup)[0];
    assert_eq!(
        (&again["outcome"], &again["receipt"]["remark"]),
        (&"topped-up-before".into(), &"bank transfer".into())
    );
    let gift = with("gift", &["--coins", "5", "--bill-no", "g1"]);
    assert_eq!(bank.json(&gift)[0]["outcome"], "given");
    assert_eq!(bank.json(&gift)[0]["outcome"], "given-before");
    bank.fails(&with("gift", &["--coins", "6", "--bill-no", "g1"]), 10, "has another coins");
    // A script has to name the number of a live order.
    for command in ["topup", "gift"] {
        bank.fails(&with(command, &["--coins", "5"]), 2, "needs --bill-no NUMBER");
    }
    let balance = "\
balance  gen_balance  save_amt  save_sum  cost_sum  present_sum
    105            5       100       105         0            5
";
    assert_eq!(bank.stdout(&with("balance", &[])), balance, "without a session key");
    bank.server.stop();
    let command = ["gift", "--env", "live", "--openid", "one", "--coins", "5", "--bill-no", "g2"];
    let ended = bank.folder.run(&[&command[..], &["--url", &bank.url, "--timeout", "1"]].concat());
    assert_eq!(ended.code, Some(12), "{}", ended.stderr);
    bank.folder.audit(2);
}

/// The bug: an operator could give, and could not take back: 500 coins typed for 50 stayed.
#[test]
fn debit_takes_back_once() {
    let bank = Bank::serve(&[]);
    let one = ["--env", "live", "--openid", "one"];
    let with = |command: &'static str, more: &[&'static str]| [&[command], &one[..], more].concat();
    bank.stdout(&with("gift", &["--coins", "500", "--bill-no", "g1"]));
    let debit = with("debit", &["--coins", "450", "--bill-no", "d1", "--remark", "500 were meant to be 50"]);
    let shown = "\
bill_no  openid  zone_id  coins  outcome  balance
d1       one           1    450  taken         50
";
    assert_eq!(bank.stdout(&debit), shown);
    assert_eq!(bank.json(&debit)[0]["outcome"], "taken-before");
    let rest = with("debit", &["--coins", "60", "--bill-no", "d2"]);
    bank.fails(&rest, 10, "the balance is 50");
    let taken = &bank.json(&[&rest[..], &["--take-available"]].concat())[0]["receipt"];
    assert_eq!((&taken["coins"], &taken["requested"]), (&50.into(), &60.into()));
    bank.fails(&with("debit", &["--coins", "5"]), 2, "needs --bill-no NUMBER");
    let orders = bank.json(&with("statement", &[]));
    let kinds: Vec<_> = orders.iter().map(|order| order["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["debit", "debit", "present"]);
    bank.server.stop();
    bank.folder.audit(3);
}

/// The file of a campaign takes it back, once, through a second run, and results of debits are not those of gifts.
#[test]
fn file_of_debits_takes_back_a_campaign() {
    let bank = Bank::serve(&[]);
    bank.folder.write("players.csv", "openid,present_counts\none,5\ntwo,7\nthree,9\n");
    let campaign = ["--env", "sandbox", "--campaign", "spring", "--yes"];
    bank.run(&[&["present", "--input", "players.csv"], &campaign[..]].concat());
    bank.stdout(&["debit", "--env", "sandbox", "--openid", "two", "--coins", "3", "--bill-no", "d1"]);
    let debit = [&["debit", "players.csv"], &campaign[..]].concat();
    let dry = bank.run(&[&debit[..], &["--dry-run"]].concat());
    assert!(dry.stderr.starts_with("3 debits of 21 coins in all, sandbox app wx1234567"), "{}", dry.stderr);
    let some = bank.run(&debit);
    assert_eq!(some.code, Some(7), "{}", some.stderr);
    assert_eq!(some.stdout, "rows 3: taken 2, refused 1\nresults: spring.debits.results.csv\n");
    assert!(some.stderr.contains("error: 2 of 3 debits are taken; the last refusal: "), "{}", some.stderr);
    let rest = bank.run(&[&debit[..], &["--take-available", "--output", "json"]].concat());
    assert_eq!(rest.code, Some(0), "{}", rest.stderr);
    let summary: Value = serde_json::from_str(&rest.stdout).unwrap();
    assert_eq!((&summary["taken"], &summary["taken_before"]), (&1.into(), &2.into()), "{summary}");
    let results = bank.folder.read("spring.debits.results.csv");
    assert!(results.contains(",two,1,7,taken,0,took 4 of 7,"), "{results}");
    let gifts = ["--results", "spring.results.csv"];
    let mixed = bank.run(&[&debit[..], &gifts].concat());
    assert_eq!(mixed.code, Some(9), "{}", mixed.stderr);
    // Without the results file the bank knows the orders; the rule of a debit is part of its order.
    std::fs::remove_file(bank.folder.path().join("spring.debits.results.csv")).unwrap();
    let again = bank.run(&debit);
    assert!(again.stdout.starts_with("rows 3: taken 0, taken before 2, refused 1\n"), "{}", again.stdout);
    bank.server.stop();
    bank.folder.audit(7);
}

#[test]
fn balance_by_both_apis_is_the_same() {
    let bank = Bank::serve(&[]);
    let one = ["--env", "sandbox", "--openid", "one"];
    bank.stdout(&[&["topup", "--coins", "7", "--bill-no", "a"], &one[..]].concat());
    bank.stdout(&[&["gift", "--coins", "5", "--bill-no", "b"], &one[..]].concat());
    bank.folder.write("key.txt", SESSION_KEY);
    bank.stdout(&["session", "--openid", "one", "--login", "--session-key-file", "key.txt"]);
    let operator = bank.stdout(&[&["balance"], &one[..]].concat());
    let signed = bank.stdout(&[&["balance", "--session-key-file", "key.txt"], &one[..]].concat());
    assert_eq!(operator, signed);
}

/// The bug: a statement of the wrong environment or zone was a bare header, and support took the player for unknown.
#[test]
fn other_environment_and_zone_are_said() {
    let bank = Bank::serve(&[]);
    bank.stdout(&[
        "gift",
        "--env",
        "live",
        "--zone",
        "2",
        "--openid",
        "one",
        "--coins",
        "5",
        "--bill-no",
        "g1",
    ]);
    let elsewhere = "one has no orders in zone 1, sandbox, but has in zone 2, live (orders: 1)";
    bank.fails(&["statement", "--env", "sandbox", "--openid", "one"], 10, elsewhere);
    let other_zone = "one has no orders in zone 1, live, but has in zone 2, live (orders: 1)";
    bank.fails(&["statement", "--env", "live", "--openid", "one"], 10, other_zone);
    bank.fails(
        &["statement", "--env", "live", "--openid", "nemo"],
        10,
        "nemo has no orders in zone 1, live; nor in",
    );
    bank.fails(&["order", "g1", "--env", "sandbox"], 10, "in sandbox; live has one: --env live");
    bank.fails(&["order", "g2", "--env", "sandbox"], 10, "no order has bill_no g2 in sandbox");
    let balance = bank.run(&["balance", "--env", "sandbox", "--openid", "one"]);
    assert_eq!((balance.code, balance.stderr.trim_end()), (Some(0), elsewhere));
    let day = ["--from", "2017-10-09", "--to", "2017-10-09"];
    let totals = bank.run(&[&["totals", "--env", "live"], &day[..]].concat());
    assert_eq!(totals.stderr, "no orders from 2017-10-09 to 2017-10-09 in live\n");
    let chinese = bank.run(&["statement", "--env", "sandbox", "--openid", "one", "--lang", "zh"]);
    assert!(chinese.stderr.contains("live 环境区 2（订单数：1）"), "{}", chinese.stderr);
}

/// A range longer than a query of the API may be.
#[test]
fn totals_cover_any_range() {
    let folder = Folder::with_config();
    folder.write("pactolus.toml", &(folder.read("pactolus.toml") + "login = \"open\"\n"));
    let bank = Bank::start(folder, &["--clock", "manual"]);
    let days = ["2020-02-29T12:00:00Z", "2021-06-01T00:00:00Z", "2022-12-31T23:59:59Z"];
    for (number, day) in days.into_iter().enumerate() {
        let shown = bank.stdout(&["clock", "--set", day]);
        assert_eq!(shown, format!("{day}  (a manual clock)\n"));
        let bill_no = format!("g{number}");
        bank.stdout(&["gift", "--env", "sandbox", "--openid", "one", "--coins", "5", "--bill-no", &bill_no]);
    }
    let range = ["totals", "--env", "sandbox", "--from", "2020-01-01", "--to", "2022-12-31"];
    let totals = bank.json(&range);
    let found: Vec<_> = totals.iter().map(|total| total["day"].as_str().unwrap()).collect();
    assert_eq!(found, ["2020-02-29", "2021-06-01", "2022-12-31"]);
    assert_eq!(totals[0]["present"], serde_json::json!({ "orders": 1, "coins": "5" }));
    assert_eq!(bank.stdout(&range).lines().count(), 4);
    let elsewhere = bank.run(&["totals", "--env", "live", "--from", "2021-06-01"]);
    assert_eq!(
        elsewhere.stderr,
        "no orders from 2021-06-01 to 2021-06-01 in live; sandbox has some: --env sandbox\n"
    );
    bank.fails(
        &["totals", "--env", "live", "--from", "2021-06-02", "--to", "2021-06-01"],
        2,
        "is later than",
    );

    let shown = bank.stdout(&["clock", "--advance", "-3600"]);
    assert_eq!(shown, "2022-12-31T22:59:59Z  (a manual clock)\n");
    assert_eq!(bank.json(&["clock"])[0]["clock"], "manual");
    bank.stdout(&["clock", "--system-time"]);
    let now = bank.json(&["clock"])[0]["now_ms"].as_u64().unwrap();
    assert!(now > 1_700_000_000_000, "{now}");
}

#[test]
fn clock_of_the_system_is_shown_and_not_set() {
    let bank = Bank::serve(&[]);
    assert!(bank.stdout(&["clock"]).ends_with("Z  (the system's clock)\n"));
    bank.fails(&["clock", "--advance", "5"], 10, "this bank runs on the system's clock");
}

#[test]
fn session_logs_a_player_in_and_out() {
    let bank = Bank::serve(&[]);
    let key = bank.stdout(&["session", "--openid", "one", "--login"]);
    bank.folder.write("key.txt", &key);
    let balance = ["balance", "--env", "sandbox", "--openid", "one", "--session-key-file", "key.txt"];
    bank.stdout(&balance);
    let ended = &bank.json(&["session", "--openid", "one", "--end"])[0];
    assert_eq!(ended["session_key"], Value::Null);
    bank.fails(&balance, 10, "refused: ");
    let code = bank.stdout(&["session", "--openid", "one", "--code"]);
    assert!(code.trim_end().len() > 10 && code.lines().count() == 1, "{code}");
    let login = &bank.json(&["session", "--openid", "one", "--login", "--expires-in", "60"])[0];
    assert!(login["session_key"].as_str().unwrap().ends_with("=="), "{login}");
}

#[test]
fn faults_are_set_listed_and_cleared() {
    let bank = Bank::serve(&[]);
    bank.folder.write("rules.json", r#"[{"call": "present", "fault": "close_after", "times": 1}, {"call": "any", "fault": {"answer": -1}, "one_in": 5}]"#);
    let table = "\
call     fault        one_in  seed  times  hits
present  close_after       1     0      1     0
any      answer -1         5     0            0
";
    assert_eq!(bank.stdout(&["faults", "--set", "rules.json"]), table);
    assert_eq!(bank.stdout(&["faults"]), table);
    assert_eq!(bank.json(&["faults"])[1]["fault"], serde_json::json!({ "answer": -1 }));
    bank.stdout(&["faults", "--clear"]);
    assert_eq!(bank.json(&["faults"]), Vec::<Value>::new());
    for (rules, words) in [
        ("{}", "is no list of fault rules"),
        (r#"[{"call": "present"}]"#, "rule 1: missing field `fault`"),
        (
            r#"[{"call": "present", "fault": "close_after", "time": 1}]"#,
            "rule 1 has an unknown field \"time\"",
        ),
    ] {
        bank.folder.write("rules.json", rules);
        bank.fails(&["faults", "--set", "rules.json"], 9, words);
    }
    bank.fails(&["faults", "--set", "absent.json"], 9, "absent.json cannot be read");
    bank.folder.write("rules.json", r#"[{"call": "present", "fault": {"answer": 7}}]"#);
    bank.fails(&["faults", "--set", "rules.json"], 10, "a fault's answer must be");
}

#[tokio::test]
async fn rejections_are_listed_and_filtered() {
    let bank = Bank::serve(&[]);
    for path in [
        "/cgi-bin/midas/sandbox/present?access_token=ACCESSTOKEN",
        "/cgi-bin/midas/present?access_token=UNKNOWN",
    ] {
        bank.server.http.post(path, PRESENT_BODY).await.unwrap();
    }
    let all = bank.json(&["rejections"]);
    assert_eq!(all.len(), 2);
    let sandbox = bank.json(&["rejections", "--env", "sandbox"]);
    assert_eq!((sandbox.len(), &sandbox[0]["errcode"]), (1, &90011.into()));
    assert_eq!(bank.json(&["rejections", "--errcode", "40001"])[0]["env"], "live");
    assert_eq!(bank.json(&["rejections", "--appid", "wx1234567"]).len(), 1);
    assert_eq!(bank.json(&["rejections", "--limit", "1"]).len(), 1);
    let none = bank.run(&["rejections", "--errcode", "-1"]);
    assert_eq!(none.code, Some(0));
    assert_eq!(none.stderr, "none of the newest rejections passes the filters (looked at: 2)\n");
    let table = bank.stdout(&["rejections"]);
    assert!(
        table.contains("  90011  /cgi-bin/midas/sandbox/present  ") && !table.contains(" rid: "),
        "{table}"
    );
}

/// Support holds the operator token alone: no key of the app is needed.
#[tokio::test]
async fn profile_of_support_needs_no_keys() {
    let bank = Bank::serve(&[]);
    let reply =
        bank.server.http.post("/cgi-bin/midas/sandbox/present?access_token=ACCESSTOKEN", PRESENT_BODY).await;
    let reply: Value = serde_json::from_str(&reply.unwrap().body).unwrap();
    let (_, rid) = reply["errmsg"].as_str().unwrap().rsplit_once(" rid: ").unwrap();
    let support = Folder::empty();
    std::fs::create_dir(support.path().join("pactolus")).unwrap();
    let profile =
        format!("url = \"{}\"\nappid = \"wx1234567\"\noperator_token = {{ env = \"TOKEN\" }}\n", bank.url);
    support.write("pactolus/help.toml", &profile);
    let run = |arguments: &[&str]| {
        let mut command = support.command(&[arguments, &["--profile", "help"]].concat());
        command.env("TOKEN", OPERATOR_TOKEN);
        Process::start(command).wait()
    };
    let gift = ["gift", "--env", "live", "--openid", "one", "--coins", "5", "--bill-no", "g1"];
    for arguments in [
        &gift[..],
        &["balance", "--env", "live", "--openid", "one"],
        &["statement", "--env", "live", "--openid", "one"],
        &["order", "--env", "live", "g1"],
        &["session", "--openid", "one", "--login"],
        &["faults"],
        &["clock"],
        &["rejections"],
        &["explain", rid],
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{arguments:?}");
        assert!(!ended.stdout.contains(OPERATOR_TOKEN));
    }
    let token = run(&["token", "--env", "live"]);
    assert_eq!(token.code, Some(3), "{}", token.stderr);
    assert!(token.stderr.contains("the profile has no midas_key"), "{}", token.stderr);
    bank.server.stop();
    for arguments in [&["clock", "--timeout", "1"][..], &["explain", rid, "--timeout", "1"]] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(12), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("is unreachable: gave up"), "{}", ended.stderr);
    }
}

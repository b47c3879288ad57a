//! `--lang zh`: a Chinese user meets no English sentence, whatever goes wrong.
//!
//! The bug: errors of clap, of the configuration, of `serve`, of an audit and of a diagnosis were English. The fix: the
//! message catalogue of `cli/zh/catalogue.rs`, whose own test reads the sources. This one runs the commands.

use std::net::TcpListener;

use pactolus_test_support::sample::PRESENT_BODY;

use crate::hostile::{commands, flags};
use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

/// Three English words in a row, outside of quotes. Quoted are values, and the errmsgs of a bank.
fn english_run(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '`') => quote = Some(c),
            (None, '“') => quote = Some('”'),
            (None, '\n') => plain.push_str(" . "),
            (None, c) => plain.push(c),
            (Some(end), c) if c == end => {
                quote = None;
                plain.push('.');
            }
            // A quote that does not end on its line is none.
            (Some(_), '\n') => quote = None,
            (Some(_), _) => {}
        }
    }
    let words: Vec<_> = plain.split(' ').collect();
    let is_word = |word: &&str| {
        let word = word.trim_matches([',', ';', ':', '.', '(', ')']);
        word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    // Words with commas are a list of names.
    let is_run =
        |three: &[&str]| three.iter().all(is_word) && !three[..2].iter().any(|word| word.ends_with(','));
    words.windows(3).find(|three| is_run(three)).map(|three| three.join(" "))
}

#[track_caller]
fn assert_chinese(what: &str, ended: &ProcessOutput) {
    for text in [&ended.stdout, &ended.stderr] {
        assert_eq!(english_run(text), None, "{what}: {text}");
    }
    let is_right = ended.code.is_some_and(|code| code != 101);
    assert!(is_right, "{what}: {ended:?}");
}

fn run(folder: &Folder, arguments: &[&str]) -> ProcessOutput {
    folder.run(&[arguments, &["--lang", "zh"]].concat())
}

/// Runs the arguments in both languages, and compares the exit codes.
#[track_caller]
fn check(folder: &Folder, arguments: &[&str]) {
    let chinese = run(folder, arguments);
    assert_chinese(&arguments.join(" "), &chinese);
    let english = folder.run(arguments);
    assert_eq!(chinese.code, english.code, "{arguments:?}: {}", english.stderr);
    let is_error = english.stderr.starts_with("error: ");
    assert_eq!(chinese.stderr.starts_with("错误："), is_error, "{arguments:?}: {}", chinese.stderr);
}

#[test]
fn english_is_recognised() {
    assert_eq!(english_run("错误：no such file here"), Some("such file here".to_owned()));
    assert_eq!(english_run("错误：“no such file here”, `a b c d`"), None);
    assert_eq!(english_run("\"a quote\nthat does not end"), Some("that does not".to_owned()));
}

#[test]
fn usage_errors_are_chinese() {
    let folder = Folder::with_config();
    for arguments in [
        &["no-such-command"][..],
        &["presemt"],
        &["--no-such-flag"],
        &["help", "no-such-command"],
        &["--log", "verbose", "doctor"],
        &["--log-format", "xml", "doctor"],
        &["present", "--openid", "one", "--coins", "0"],
        &["present", "--openid", "one", "--coins", "99999999999999999999"],
        &["present", "--openid", "one", "--coins", "9007199254740992"],
        &["present", "--openid", "one", "--coins", "5", "--input", "a.csv"],
        &["present", "--input", "a.csv", "--concurrency", "999"],
        &["present", "--input", "a.csv", "--rate", "x"],
        &["present", "--input", "a.csv", "--campaign", "no spaces"],
        &["present", "--openid", "a b", "--coins", "5"],
        &["present", "--openid", "", "--coins", "5"],
        &["present", "--openid", "one", "--coins", "5", "--coins", "6"],
        &["balance", "--openid", "one", "--url", "ftp://x"],
        &["balance", "--openid", "one", "--url", "http://user:pw@x"],
        &["balance", "--openid", "one", "--url", "http://x?q"],
        &["balance", "--openid", "one", "--env", "test"],
        &["balance", "--openid", "one", "--timeout", "0"],
        &["balance", "--openid", "one", "--zone", "a b"],
        &["balance", "--openid"],
        &["balance", "--opemid", "one"],
        &["balance", "one"],
        &["statement", "--openid", "one", "--limit", "0"],
        &["serve", "--listen", "unix:/run/p.sock"],
        &["serve", "--listen", "http://127.0.0.1:1"],
        &["serve", "--listen", "here"],
        &["serve", "--wait", "-1"],
        &["demo", "--listen", "here"],
        &["audit", "--since", "abc"],
        &["audit", "--store", "redis://x"],
        &["audit", "--store", "embedded:"],
        &["audit", "--store", "postgres://host"],
        &["audit", "--store", "postgres://a@b@c/d"],
        &["audit", "--store", "env:NO_SUCH_VARIABLE"],
        &["audit", "--store", "file:absent"],
        &["export", "players", "--from", "2017-10-09"],
        &["export", "orders", "--from", "today"],
        &["export", "orders", "--from", "2017-13-09"],
        &["export", "orders", "--from", "2017-10-09", "--to", "2017-10-08"],
        &["export", "orders", "--from", "2017-10-09", "--format", "jsonl", "--spreadsheet"],
        &["export", "orders", "--from", "2017-10-09", "--time-zone", "Asia/Nowhere"],
        &["totals", "--from", "today"],
        &["totals", "--from", "1969-12-31"],
        &["clock", "--set", "today"],
        &["clock", "--set", "1969-12-31T00:00:00Z"],
        &["clock", "--set", "2017-10-09T06:32:17Z", "--advance", "1"],
        &["session", "--openid", "one"],
        &["rejections", "--errcode", "x"],
        &["explain", "nothing"],
        &["explain", "--request", "a", "--path", "/pay"],
        &["completions", "ksh"],
        &["restore", "--from", "x", "--store", "embedded:y", "--until", "x"],
        &["sign", "--call", "refund", "--body", "b.json"],
    ] {
        check(&folder, arguments);
    }
    for command in commands(&folder) {
        // Of its own: `init` writes a configuration of the name below, and `serve` would serve it.
        let folder = Folder::with_config();
        check(&folder, &[&command, "--no-such-flag"]);
        assert_chinese(&command, &run(&folder, &[&command, "--help"]));
        for flag in flags(&folder, &command) {
            let flag = format!("--{flag}");
            if flag != "--lang" {
                assert_chinese(&command, &run(&folder, &[&command, &flag, "--no-such-flag"]));
                assert_chinese(&command, &run(&folder, &[&command, &flag, "a b"]));
            }
        }
    }
}

/// A line of the file for each kind of problem.
const PROBLEMS: &str = r#"listen = "here"
store = 5
unknown_thing = 1
lisden = "127.0.0.1:1"
[operator]
token = "…"
[seal]
master_keys = ["abc", { env = "NO_SUCH_VARIABLE" }, { file = "absent" }, { other = "x" }, 7]
[limits]
request_timeout_s = "soon"
connections_max = 0
connections_per_address_max = 0
shutdown_timeout_s = 99999999999
idle_timeout_s = 1.5
[embedded]
segment_bytes = 1
[postgres]
write_connections = 2017-10-09
[[apps]]
appid = "a b"
app_secret = ""
offer_id = true
midas_key = "with space"
sandbox_midas_key = "changeme"
mp_sig = "maybe"
dialects = []
pf = []
zones = ["a b", 5]
ts_window_s = 0
login = "pull"
static_access_tokens = ["T", "T"]
cancel_window_s = "off"
rate_limit_per_second = 0
present_max = 0
present_max_per_player_per_day = "much"
[[apps]]
appid = ""
[apps.more]
x = 1
"#;

#[test]
fn configuration_problems_are_chinese() {
    let folder = Folder::empty();
    folder.write("problems.toml", PROBLEMS);
    for (name, text) in [
        ("empty.toml", ""),
        ("tables.toml", "apps = 5\noperator = 5\n"),
        ("syntax1.toml", "listen = \"127.0.0.1:1\nx\n"),
        ("syntax2.toml", "= 1\n[a\nb = [1,,2]\nc = 01\nd\n"),
        ("syntax3.toml", "a = 1\na = 2\n[b]\n[b]\n"),
        ("syntax4.toml", "a = {x=1,,y=2}\nb = 0X1\nc = 'x\nd = \"\\q\"\n"),
    ] {
        folder.write(name, text);
    }
    for name in ["absent", "problems", "empty", "tables", "syntax1", "syntax2", "syntax3", "syntax4"] {
        let file = format!("{name}.toml");
        check(&folder, &["serve", "--config", &file]);
        assert_chinese(name, &run(&folder, &["doctor", "--config", &file]));
    }
    let problems = run(&folder, &["serve", "--config", "problems.toml"]).stderr;
    assert!(problems.contains("problems.toml:1: `listen` 不是带端口的地址"), "{problems}");
    assert!(problems.lines().count() > 30, "{problems}");

    let mut command = folder.command(&["serve", "--config", "absent.toml", "--lang", "zh"]);
    command.env("PACTOLUS_LISTEM", "x").env("PACTOLUS_APPS_0_PF", "a b").env("PACTOLUS_OPERATOR_TOKEN", "");
    assert_chinese("variables", &Process::start(command).wait());
    std::fs::create_dir(folder.path().join("pactolus")).unwrap();
    folder.write("pactolus/p.toml", "url = \"x\"\nenv = \"test\"\nca_file = \"\"\nmidas_kei = 1\n");
    check(&folder, &["balance", "--openid", "one", "--profile", "p"]);
    check(&folder, &["balance", "--openid", "one", "--profile", "absent"]);
    check(&folder, &["balance", "--openid", "one", "--profile", "../x"]);
}

/// Commands that fail for a reason of the system, the store, or the host.
const FAILING: [&[&str]; 44] = [
    &["balance", "--openid", "one"],
    &["balance", "--openid", "one", "--env", "sandbox"],
    &["present", "--openid", "one", "--coins", "5", "--env", "sandbox"],
    &["present", "--openid", "one", "--coins", "5", "--env", "live"],
    &["pay", "--openid", "one", "--coins", "5", "--env", "sandbox", "--remark", "&sig=x"],
    &["cancelpay", "--openid", "one", "--bill-no", "n", "--env", "sandbox"],
    &["token", "--env", "sandbox"],
    &["order", "n", "--env", "sandbox"],
    &["statement", "--openid", "one", "--env", "sandbox"],
    &["topup", "--openid", "one", "--coins", "5", "--env", "sandbox"],
    &["gift", "--openid", "one", "--coins", "5", "--env", "live"],
    &["debit", "--openid", "one", "--coins", "5", "--env", "sandbox"],
    &["debit", "absent.csv", "--campaign", "c", "--env", "sandbox"],
    &["debit", "rows.csv", "--campaign", "c", "--env", "sandbox"],
    &["debit", "good.csv", "--campaign", "c", "--env", "sandbox", "--yes"],
    &["totals", "--from", "2017-10-09", "--env", "sandbox"],
    &["session", "--openid", "one", "--login"],
    &["faults"],
    &["faults", "--set", "absent.json"],
    &["faults", "--set", "rows.csv"],
    &["faults", "--set", "rules.json"],
    &["clock"],
    &["clock", "--advance", "1"],
    &["rejections"],
    &["export", "orders", "--from", "2017-10-09"],
    &["present", "--input", "absent.csv", "--campaign", "c", "--env", "sandbox"],
    &["present", "--input", "rows.csv", "--campaign", "c", "--env", "sandbox"],
    &["present", "--input", "good.csv", "--campaign", "c", "--env", "sandbox", "--yes"],
    &["present", "--input", "good.csv", "--campaign", "c", "--env", "sandbox", "--results", "."],
    &["sign", "--env", "live", "--call", "pay", "--body", "absent.json"],
    &["sign", "--env", "live", "--call", "pay", "--body", "rows.csv"],
    &["explain", "59db17f1-01234567-89abcdef"],
    &["explain", "sig error rid: 59db17f1-01234567-89abcdef"],
    &["explain", "--request", "absent.json", "--path", "/cgi-bin/midas/pay", "--token", "T"],
    &["explain", "--request", "rows.csv", "--path", "/cgi-bin/midas/pay", "--token", "T"],
    &["audit"],
    &["audit", "--store", "embedded:pactolus.toml"],
    &["digest"],
    &["backup", "--to", "rows.csv"],
    &["restore", "--from", "absent", "--store", "embedded:new"],
    &["copy", "--from", "embedded:absent", "--to", "embedded:new"],
    &["rotate-keys"],
    &["migrate", "--distribute", "citus"],
    &["man", "--to", "rows.csv"],
];

#[test]
fn failures_are_chinese() {
    let folder = Folder::with_config();
    folder.write("rows.csv", "openid,present_counts\none,5\ntwo,\nthree,1E+05\na b,1\none,1\n");
    folder.write("rules.json", "[{\"fault\": \"close_after\"}]");
    folder.write("good.csv", "openid,present_counts\none,5\n");
    // Nothing listens on a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = folder.read("pactolus.toml").replace("127.0.0.1:0", &free.to_string());
    folder.write("pactolus.toml", &config);
    for arguments in FAILING {
        let calls_bank = ["session", "faults", "clock", "rejections"].contains(&arguments[0])
            || arguments[0] == "explain" && !arguments.contains(&"--request");
        let calls = calls_bank || arguments.contains(&"--env") && arguments[0] != "sign";
        let arguments = if calls { [arguments, &["--timeout", "1"]].concat() } else { arguments.to_vec() };
        let ended = run(&folder, &arguments);
        assert_chinese(&arguments.join(" "), &ended);
        let is_fallback = arguments.iter().any(|word| word.starts_with("sig error"));
        assert!(ended.code != Some(0) || is_fallback, "{arguments:?}: {ended:?}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    check(&folder, &["serve", "--listen", &taken.local_addr().unwrap().to_string()]);
    check(&folder, &["serve", "--clock", "manual"]);
    check(&folder, &["serve", "--listen", "192.0.2.1:1"]);
    assert_chinese("doctor", &run(&folder, &["doctor"]));
}

#[test]
fn bank_and_its_refusals_are_chinese() {
    let folder = Folder::with_config();
    let bank = ServerProcess::start(folder.command(&["serve", "--lang", "zh"]));
    let url = format!("http://{}", bank.address);
    let at = |arguments: &[&str]| {
        let ended = run(&folder, &[arguments, &["--env", "sandbox", "--url", &url]].concat());
        assert_chinese(&arguments.join(" "), &ended);
        ended
    };
    let refused = at(&["present", "--openid", "one", "--coins", "5", "--bill-no", "n", "--api", "midas"]);
    assert!(refused.stderr.starts_with("错误：赠币被拒绝：服务端拒绝了调用：90018 “"), "{}", refused.stderr);
    assert_eq!(refused.code, Some(10));
    let none = at(&["order", "n"]);
    assert!(
        none.stderr.starts_with("错误：服务端拒绝了请求：sandbox 环境中没有订单号为 n 的订单"),
        "{}",
        none.stderr
    );
    at(&["cancelpay", "--openid", "one", "--bill-no", "n"]);
    at(&["statement", "--openid", "one"]);
    let gift = ["--openid", "one", "--coins", "5", "--bill-no", "g"];
    let other = ["--openid", "one", "--coins", "6", "--bill-no", "g"];
    for (command, order) in [("gift", &gift), ("gift", &other), ("debit", &gift), ("topup", &gift)] {
        at(&[&[command], &order[..]].concat());
    }
    at(&["debit", "--openid", "one", "--coins", "6", "--bill-no", "d"]);
    at(&["totals", "--from", "2017-10-09"]);
    folder.write("body.json", PRESENT_BODY);
    let offline = [
        "explain",
        "--request",
        "body.json",
        "--path",
        "/cgi-bin/midas/sandbox/present",
        "--token",
        "ACCESSTOKEN",
    ];
    let offline = run(&folder, &offline);
    assert_chinese("explain", &offline);
    assert!(
        offline.stdout.starts_with("sig：为 live 环境签名，用的是该环境的密钥和路径\n  处理方法：请调用"),
        "{}",
        offline.stdout
    );
    assert_chinese("doctor", &run(&folder, &["doctor"]));
    assert_chinese("audit of a served store", &run(&folder, &["audit"]));
    bank.process.signal("-HUP");
    let log = bank.stop().stderr;
    assert!(log.contains("开始提供服务") && log.contains("此应用有永不过期的 access_token"), "{log}");
}

#[test]
fn audit_findings_are_chinese() {
    let folder = crate::campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    for number in ["one", "two"] {
        let gift = [
            "present",
            "--openid",
            "one",
            "--coins",
            "5",
            "--bill-no",
            number,
            "--env",
            "sandbox",
            "--url",
            &url,
        ];
        assert_eq!(folder.run(&gift).code, Some(0));
    }
    bank.stop();
    let digest = format!("1-{}", "0".repeat(64));
    let ended = run(&folder, &["audit", "--since", &digest]);
    assert_chinese("audit --since", &ended);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.starts_with("最早 1 笔订单的历史与摘要 1-000"), "{}", ended.stdout);
    // A byte in the middle of the journal.
    let journal = pactolus_test_support::files::files_in(&folder.path().join("data/journal"));
    let mut bytes = std::fs::read(&journal[0]).unwrap();
    bytes[120] ^= 1;
    std::fs::write(&journal[0], bytes).unwrap();
    let ended = run(&folder, &["audit"]);
    assert_chinese("audit", &ended);
    assert_ne!(ended.code, Some(0));
}

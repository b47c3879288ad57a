//! Flags that have no effect, orders without a bill number, and exit codes.

use crate::campaign;
use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

fn present(folder: &Folder, bank: &ServerProcess, more: &[&str]) -> ProcessOutput {
    let url = format!("http://{}", bank.address);
    folder.run(&[&["present", "--url", &url], more].concat())
}

/// The bug: with `--openid`, the flags of a campaign were ignored. `--dry-run` gave the coins, and the same
/// `--campaign` gave them once more in each run. The fix: they are refused, and nothing is sent.
#[test]
fn campaign_flags_are_refused_for_one_gift() {
    let folder = campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    let flags: [&[&str]; 8] = [
        &["--dry-run"],
        &["--yes"],
        &["--campaign", "spring"],
        &["--results", "r.csv"],
        &["--rate", "5"],
        &["--concurrency", "4"],
        &["--allow-duplicates"],
        &["--ignore-unknown-columns"],
    ];
    for flag in flags {
        let one = ["--env", "sandbox", "--openid", "one", "--coins", "5"];
        let ended = present(&folder, &bank, &[&one[..], flag].concat());
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{flag:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("cannot be used with"), "{}", ended.stderr);
    }
    bank.stop();
    folder.audit(0);
}

/// The bug: exit code 11 says to run the same command again; without `--bill-no` that made a second order under a new
/// number, so a script gave or took the coins twice. The fix: a script has to name the number of a live order.
#[test]
fn live_order_of_a_script_needs_a_bill_no() {
    let folder = campaign::folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let run = |command, more: &[&str]| {
        let one = [command, "--url", &url, "--openid", "one", "--coins", "5"];
        folder.run(&[&one[..], more].concat())
    };
    for command in ["present", "pay"] {
        let ended = run(command, &["--env", "live"]);
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("needs --bill-no NUMBER"), "{}", ended.stderr);
    }
    assert_eq!(run("present", &["--env", "live", "--bill-no", "n1"]).code, Some(0));
    // Coins of the sandbox buy nothing, so a first try stays one line.
    let sandbox = run("present", &["--env", "sandbox"]);
    assert_eq!(sandbox.code, Some(0));
    assert!(sandbox.stderr.starts_with("bill number: "), "{}", sandbox.stderr);
    bank.stop();
    folder.audit(2);
    let help = folder.run(&["--help"]).stdout;
    assert!(help.contains("--bill-no NUMBER --resume"), "{help}");
}

/// The bug: `--config` beside `--store`, and `--distribute` for a store without tables, had no effect.
#[test]
fn store_flags_without_effect_are_refused() {
    let folder = Folder::with_config();
    for command in [&["audit"][..], &["digest"], &["export", "orders", "--from", "2017-10-09"], &["migrate"]]
    {
        let both = [command, &["--store", "embedded:absent", "--config", "pactolus.toml"]].concat();
        let ended = folder.run(&both);
        assert_eq!(ended.code, Some(2), "{both:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("--config would have no effect"), "{}", ended.stderr);
    }
    let ended = folder.run(&["migrate", "--distribute", "citus"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    // A database keeps no digest, so `--since` would prove nothing.
    let digest = format!("1-{}", "0".repeat(64));
    let since = ["audit", "--store", "postgres://127.0.0.1:1/bank", "--since", &digest];
    assert_eq!(folder.run(&since).code, Some(2));
    // A variable is a default, so it needs no effect.
    let mut command = folder.command(&["audit", "--store", "embedded:absent"]);
    command.env("PACTOLUS_CONFIG", "pactolus.toml");
    assert_eq!(Process::start(command).wait().code, Some(4));
    let mut command = folder.command(&["balance", "--openid", "one", "--profile", "p"]);
    command.env("PACTOLUS_CONFIG", "pactolus.toml");
    let ended = Process::start(command).wait();
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("p.toml: cannot be read"), "{}", ended.stderr);
}

/// The bug: `--from` later than `--to` exported an empty file, which passed for a month without orders.
#[test]
fn export_of_reversed_days_is_refused() {
    let folder = Folder::with_config();
    let days = ["--from", "2017-10-10", "--to", "2017-10-09", "--out", "orders.csv"];
    let ended = folder.run(&[&["export", "orders"], &days[..]].concat());
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stderr, "error: --from 2017-10-10 is later than --to 2017-10-09\n");
    assert!(!folder.path().join("orders.csv").exists());
}

/// The bug: these failures had exit code 1, against the table in `--help`, so scripts took a typing error or a bank
/// that restarted for a fault of the program.
#[test]
fn exit_codes_follow_their_table() {
    let folder = campaign::folder_without_mp_sig();
    folder.write("list.json", "[]");
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let call = ["--env", "sandbox", "--url", &url];
    let with = |command: &[&'static str], call: &[&str]| {
        let arguments: Vec<String> = command.iter().chain(call).map(ToString::to_string).collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ended = folder.run(&arguments);
        (ended.code.unwrap(), ended.stderr)
    };
    let player = ["--openid", "one", "--coins", "5", "--bill-no", "n1"];
    let bad_text = "x".repeat(2000);
    let cases: [(&[&'static str], i32); 9] = [
        (&["order", "absent"], 10),
        (&["statement", "--openid", "one", "--zone", "9"], 10),
        (&["present", "--input", "absent.csv", "--campaign", "c", "--yes"], 9),
        (&["present", "--input", ".", "--campaign", "c", "--yes"], 9),
        (&["balance", "--openid", "one", "--session-key", "short"], 2),
        (&["present", "--openid", "one", "--coins", "5", "--session-key", "short"], 2),
        (&["order", "absent", "--timeout", "1"], 10),
        (&["order", "absent", "--app", "wx1234567"], 10),
        (&["token"], 0),
    ];
    for (arguments, code) in cases {
        let (found, stderr) = with(arguments, &call);
        assert_eq!(found, code, "{arguments:?}: {stderr}");
    }
    let item = folder.run(&[&["pay"], &player[..], &call, &["--item", &bad_text]].concat());
    assert_eq!(item.code, Some(2), "{}", item.stderr);
    bank.stop();
    for arguments in
        [&["order", "absent"][..], &["statement", "--openid", "one"], &["balance", "--openid", "one"]]
    {
        let (found, stderr) = with(arguments, &[&call[..], &["--timeout", "1"]].concat());
        assert_eq!(found, 12, "{arguments:?}: {stderr}");
    }
    let elsewhere = ["--env", "sandbox", "--url", "https://127.0.0.1:1", "--timeout", "1"];
    let (found, stderr) = with(&["order", "absent"], &elsewhere);
    assert_eq!(found, 12, "{stderr}");
    for body in ["absent.json", "list.json"] {
        let ended = folder.run(&["sign", "--env", "live", "--call", "pay", "--body", body]);
        assert_eq!(ended.code, Some(9), "{}", ended.stderr);
    }
    folder.audit(0);
}

//! A command whose output is cut short: `pactolus export … | head`, `pactolus present … 2>&1 | head`.

use std::process::{Command, Stdio};

use crate::campaign;
use crate::process::ServerProcess;

/// The end of a pipe whose reader is gone, as `head` leaves it.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// The bug: a command piped to `head` ended with the message of a panic, or with an error about stdout. The fix: it
/// ends quietly, with 141 or its own code about coins.
#[test]
fn closed_output_ends_quietly() {
    let folder = campaign::folder_without_mp_sig();
    folder.write("bad.csv", &format!("openid,present_counts\n{}", "a b,0\n".repeat(300)));
    folder.write("good.csv", "openid,present_counts\none,5\n");
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let call = ["--env", "sandbox", "--url", &url];
    let good = ["present", "--input", "good.csv", "--campaign", "c", "--yes"];
    let bad = ["present", "--input", "bad.csv", "--campaign", "c", "--yes"];
    let status = |mut command: Command, closes_stderr: bool| {
        command.stdin(Stdio::null()).stdout(closed_pipe());
        command.stderr(if closes_stderr { closed_pipe() } else { Stdio::piped() });
        let ended = command.spawn().unwrap().wait_with_output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
    };
    for arguments in [
        &[&good[..], &call].concat()[..],
        &[&["balance", "--openid", "one"], &call[..]].concat(),
        &[&["order", "c-x"], &call[..]].concat(),
        &[&["statement", "--openid", "one"], &call[..]].concat(),
        &[&["token"], &call[..]].concat(),
        &[&bad[..], &call].concat(),
        &["export", "orders", "--from", "2017-10-09", "--to", "9999-12-31"],
        &["digest"],
        &["completions", "bash"],
        &["--help"],
        &["--lang", "zh", "help", "present"],
        &["doctor"],
        &["demo", "--exit", "--listen", "127.0.0.1:0"],
        &["audit", "--store", "embedded:absent"],
        &["migrate"],
    ] {
        for closes_stderr in [true, false] {
            let (code, stderr) = status(folder.command(arguments), closes_stderr);
            let is_quiet = !stderr.contains("panicked") && !stderr.to_lowercase().contains("broken pipe");
            assert!(is_quiet && code != 101, "{arguments:?}: {code}, {stderr}");
            // With an open stderr an error keeps its code, and the message is read.
            let is_error = matches!(arguments, ["order" | "audit", ..]) || arguments.contains(&"bad.csv");
            let is_right = [0, 141].contains(&code) || is_error && (!closes_stderr || code == 10);
            assert!(is_right, "{arguments:?}: {code}, {stderr}");
        }
    }
    bank.stop();
    folder.audit(1);
}

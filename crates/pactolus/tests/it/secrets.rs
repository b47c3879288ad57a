//! Secrets of commands from a file, standard input and the environment.
//!
//! The bug: session keys, access tokens and database passwords could be given as arguments only. The loss: every user
//! of the machine reads them in `ps`. The fix: other forms of each, and a warning at the old one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::process::{Folder, Process, ProcessOutput};

const SESSION_KEY: &str = "V7Q38/i2KXaqrQyl2Yx9Hg==";
const BODY: &str = r#"{"openid":"odkx20ENSNa2w5y3g_qOkOvBNM1g","appid":"wx1234567","offer_id":"12345678","ts":1507530737,"zone_id":"1","pf":"android"}"#;
const PS_WARNING: &str = "warning: ps shows the secret in";

/// Runs the command with `input` as its standard input.
fn run_with_input(mut command: Command, input: &str) -> ProcessOutput {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    ProcessOutput { code: ended.status.code(), stdout: text(ended.stdout), stderr: text(ended.stderr) }
}

fn sign(folder: &Folder, more: &[&str]) -> Command {
    let call = ["sign", "--env", "live", "--call", "getbalance", "--output", "json"];
    folder.command(&[&call[..], more].concat())
}

#[test]
fn every_form_of_a_secret_signs_the_same() {
    let folder = Folder::with_config();
    folder.write("body.json", BODY);
    folder.write("key.txt", &format!("{SESSION_KEY}\r\n"));
    folder.write("token.txt", "ACCESSTOKEN");
    let body = ["--body", "body.json"];

    let flags = ["--access-token", "ACCESSTOKEN", "--session-key", SESSION_KEY];
    let by_flag = Process::start(sign(&folder, &[&body[..], &flags].concat())).wait();
    assert_eq!(by_flag.code, Some(0), "{}", by_flag.stderr);
    assert!(by_flag.stdout.contains("mp_sig_text"), "{}", by_flag.stdout);
    assert_eq!(by_flag.stderr.matches(PS_WARNING).count(), 2, "{}", by_flag.stderr);
    assert!(!by_flag.stderr.contains(SESSION_KEY) && !by_flag.stderr.contains("ACCESSTOKEN"));
    let mut chinese = sign(&folder, &[&body[..], &flags].concat());
    chinese.env("LC_ALL", "zh_CN.UTF-8");
    assert!(Process::start(chinese).wait().stderr.contains("可用 ps 看到 --session-key 中的密钥"));

    let files = ["--access-token-file", "token.txt", "--session-key-file", "key.txt"];
    let by_file = Process::start(sign(&folder, &[&body[..], &files].concat())).wait();
    assert_eq!((by_file.code, &*by_file.stderr), (Some(0), ""));
    assert_eq!(by_file.stdout, by_flag.stdout);

    let mut command = sign(&folder, &body);
    command.env("PACTOLUS_SESSION_KEY", SESSION_KEY).env("PACTOLUS_ACCESS_TOKEN", "ACCESSTOKEN");
    let by_variable = Process::start(command).wait();
    assert_eq!((by_variable.code, &*by_variable.stderr), (Some(0), ""));
    assert_eq!(by_variable.stdout, by_flag.stdout);

    // Standard input: a line for each secret, then the body.
    let input = ["--access-token-file", "-", "--session-key-file", "-", "--body", "-"];
    let by_input = run_with_input(sign(&folder, &input), &format!("ACCESSTOKEN\n{SESSION_KEY}\n{BODY}"));
    assert_eq!((by_input.code, &*by_input.stderr), (Some(0), ""));
    assert_eq!(by_input.stdout, by_flag.stdout);
}

#[test]
fn wrong_secret_names_its_source_only() {
    let folder = Folder::with_config();
    folder.write("body.json", BODY);
    folder.write("key.txt", "hunter 2\n");
    let body = ["--body", "body.json"];
    let token = ["--access-token-file", "key.txt"];
    let ended = Process::start(sign(&folder, &[&body[..], &token].concat())).wait();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("--access-token-file key.txt holds"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);

    let mut command = sign(&folder, &body);
    command.env("PACTOLUS_SESSION_KEY", "hunter 2");
    let ended = Process::start(command).wait();
    assert!(ended.stderr.contains("PACTOLUS_SESSION_KEY is not"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hunter"), "{}", ended.stderr);

    let absent = ["--session-key-file", "absent.txt"];
    let ended = Process::start(sign(&folder, &[&body[..], &absent].concat())).wait();
    assert!(ended.stderr.contains("absent.txt cannot be read"), "{}", ended.stderr);

    // One of the two alone is a mistake, as before; a variable alone is not.
    folder.write("key.txt", SESSION_KEY);
    let one = ["--session-key-file", "key.txt"];
    let ended = Process::start(sign(&folder, &[&body[..], &one].concat())).wait();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    let mut command = sign(&folder, &body);
    command.env("PACTOLUS_SESSION_KEY", SESSION_KEY);
    assert_eq!(Process::start(command).wait().code, Some(0));
}

#[test]
fn player_commands_take_the_key_from_a_file() {
    let folder = Folder::with_config();
    folder.write("key.txt", "hunter 2\n");
    for call in [
        &["pay", "--openid", "one", "--coins", "5", "--bill-no", "n"][..],
        &["cancelpay", "--openid", "one", "--bill-no", "n"],
        &["balance", "--openid", "one"],
        &["present", "--openid", "one", "--coins", "5", "--bill-no", "n"],
    ] {
        let arguments = [call, &["--env", "live", "--session-key-file", "key.txt"]].concat();
        let ended = folder.run(&arguments);
        assert!(ended.stderr.contains("--session-key-file key.txt is not"), "{call:?}: {}", ended.stderr);
    }
}

#[test]
fn store_urls_with_a_password_have_other_forms() {
    let folder = Folder::with_config();
    let url = "postgres://bank:hunter2@127.0.0.1:1/coins";
    let audit = |store: &str| folder.command(&["audit", "--store", store]);
    let by_flag = Process::start(audit(url)).wait();
    assert!(by_flag.stderr.contains("ps shows the secret in postgres://"), "{}", by_flag.stderr);
    let parameter = Process::start(audit("postgres://bank@127.0.0.1:1/coins?password=hunter2")).wait();
    assert!(parameter.stderr.contains(PS_WARNING), "{}", parameter.stderr);
    assert!(!parameter.stderr.contains("hunter2"), "{}", parameter.stderr);

    folder.write("store.txt", &format!("{url}\n"));
    let mut by_variable = audit("env:STORE");
    by_variable.env("STORE", url);
    for ended in [
        Process::start(audit("file:store.txt")).wait(),
        Process::start(by_variable).wait(),
        run_with_input(audit("-"), &format!("{url}\n")),
        Process::start(audit("postgres://bank@127.0.0.1:1/coins")).wait(),
    ] {
        assert!(!ended.stderr.contains(PS_WARNING), "{}", ended.stderr);
        assert_eq!(ended.code, Some(4), "{}", ended.stderr);
        assert!(ended.stderr.contains("postgres://bank@127.0.0.1:1/coins"), "{}", ended.stderr);
    }
    let unset = Process::start(audit("env:ABSENT")).wait();
    assert_eq!(unset.code, Some(2), "{}", unset.stderr);
    // Folders keep their form.
    assert_eq!(Process::start(audit("embedded:./env:data")).wait().code, Some(4));
}

//! Commands that make one call, or query the operator API, of a running bank.

use pactolus_test_support::sample::{ACCESS_TOKEN, PRESENT_FIELDS, SESSION_KEY};
use serde_json::Value;

use crate::campaign;
use crate::process::{Folder, ProcessOutput, ServerProcess};

struct CliFixture {
    folder: Folder,
    server: ServerProcess,
}

impl CliFixture {
    fn serve() -> Self {
        let folder = campaign::folder_without_mp_sig();
        let server = ServerProcess::serve(&folder);
        Self { folder, server }
    }

    fn run(&self, command: &str, more: &[&str]) -> ProcessOutput {
        let url = format!("http://{}", self.server.address);
        self.folder.run(&[&[command, "--env", "sandbox", "--url", &url], more].concat())
    }

    #[track_caller]
    fn stdout(&self, command: &str, more: &[&str]) -> String {
        let ended = self.run(command, more);
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{command} {more:?}");
        ended.stdout
    }
}

#[test]
fn present_pay_and_cancel_round_trip() {
    let bank = CliFixture::serve();
    let one = ["--openid", "one"];
    let with = |more: &[&'static str]| [&one[..], more].concat();
    bank.stdout("present", &with(&["--coins", "100", "--bill-no", "gift"]));
    let paid = "\
bill_no  amt  outcome  balance  used_gen_amt
sword     30  paid          70            30
";
    let pay = with(&["--coins", "30", "--bill-no", "sword", "--item", "sword"]);
    assert_eq!(bank.stdout("pay", &pay), paid);
    let again: Value =
        serde_json::from_str(&bank.stdout("pay", &[&pay[..], &["--output", "json"]].concat())).unwrap();
    assert_eq!((&again["outcome"], &again["balance"]), (&"paid-before".into(), &70.into()));

    let poor = bank.run("pay", &with(&["--coins", "71", "--bill-no", "shield"]));
    assert_eq!(poor.code, Some(10));
    assert_eq!(poor.stderr, "error: refused: the player has fewer coins than the pay takes\n");

    let cancelled = "bill_no  outcome\nsword    cancelled\n";
    assert_eq!(bank.stdout("cancelpay", &with(&["--bill-no", "sword"])), cancelled);
    let again = bank.stdout("cancelpay", &with(&["--bill-no", "sword"]));
    assert_eq!(again, "bill_no  outcome\nsword    cancelled-before\n");

    let balance = "\
balance  gen_balance  save_amt  save_sum  cost_sum  present_sum
    100          100         0       100         0          100
";
    assert_eq!(bank.stdout("balance", &one), balance);

    let made = bank.stdout("order", &["sword"]);
    let kinds: Vec<_> = made.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(kinds, ["pay", "cancel"], "{made}");
    let statement = bank.stdout("statement", &with(&["--output", "json", "--limit", "2"]));
    let kinds: Vec<_> = statement
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["cancel", "pay"]);
    let statement = bank.stdout("statement", &one);
    assert_eq!(statement.lines().count(), 4, "{statement}");
    let missing = bank.run("order", &["no|thing"]);
    assert_eq!(missing.code, Some(10));
    assert!(missing.stderr.contains("the bank refused the request: "), "{}", missing.stderr);
    bank.server.stop();
}

#[test]
fn statement_spans_pages() {
    let bank = CliFixture::serve();
    bank.folder.write("players.csv", &format!("openid,present_counts\n{}", "one,1\n".repeat(150)));
    bank.present_from_file();
    let all = bank.stdout("statement", &["--openid", "one", "--limit", "1000"]);
    assert_eq!(all.lines().count(), 151);
    let some = bank.stdout("statement", &["--openid", "one", "--limit", "120"]);
    assert_eq!(some.lines().count(), 121);
}

impl CliFixture {
    fn present_from_file(&self) {
        let more = ["--input", "players.csv", "--campaign", "c", "--allow-duplicates", "--yes"];
        let ended = self.run("present", &more);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

#[test]
fn token_command_prints_only_the_token() {
    let bank = CliFixture::serve();
    let token = bank.stdout("token", &[]);
    let json: Value = serde_json::from_str(&bank.stdout("token", &["--output", "json"])).unwrap();
    assert_eq!(json["access_token"], token.trim_end(), "the stable one");
}

/// The vendor's sample, with the known signatures of this key and token.
#[test]
fn sign_shows_the_text_but_no_key() {
    let folder = campaign::folder_without_mp_sig();
    folder.write("params.json", &format!("{{{PRESENT_FIELDS}}}"));
    let usual = ["sign", "--env", "live", "--call", "present", "--body", "params.json"];
    folder.write("token.txt", &format!("{ACCESS_TOKEN}\n"));
    folder.write("key.txt", &format!("{SESSION_KEY}\n"));
    let session = ["--access-token-file", "token.txt", "--session-key-file", "key.txt"];
    let ended = folder.run(&[&usual[..], &session].concat());
    let pairs = "appid=wx1234567&bill_no=BillNo_123&offer_id=12345678&openid=odkx20ENSNa2w5y3g_qOkOvBNM1g&pf=android&present_counts=233";
    let sig = "c82c534ca46818722a8cbe0004020aea541333aefa7a780fb0bb45d9397da3ef";
    let mp_sig = "523537261e0205eda7a7ed2a6e3d7333badc94cc2eb591f733559f3608bbe0af";
    let ending = "&org_loc=/cgi-bin/midas/present&method=POST";
    let expected = format!(
        "path: /cgi-bin/midas/present\nsig_text: {pairs}&ts=1507530737&zone_id=1{ending}&secret=***\nsig: {sig}\n\
         mp_sig_text: access_token=***&{pairs}&sig={sig}&ts=1507530737&zone_id=1{ending}&session_key=***\nmp_sig: {mp_sig}\n"
    );
    assert_eq!((ended.code, &*ended.stderr, &*ended.stdout), (Some(0), "", &*expected));
    let output = folder.run(&[&usual[..], &["--output", "json"]].concat()).stdout;
    let signature: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&signature["sig"], &signature["mp_sig"]), (&sig.into(), &Value::Null));
}

#[test]
fn profile_selects_bank_and_app() {
    let bank = CliFixture::serve();
    let profile = format!(
        "url = \"http://{}\"\nenv = \"sandbox\"\nappid = \"wx1234567\"\noffer_id = \"12345678\"\n\
         app_secret = \"APPSECRET\"\nsandbox_midas_key = {{ env = \"SANDBOX_KEY\" }}\n",
        bank.server.address
    );
    let elsewhere = Folder::empty();
    std::fs::create_dir(elsewhere.path().join("pactolus")).unwrap();
    elsewhere.write("pactolus/default.toml", &profile);
    elsewhere.write("pactolus/other.toml", "");
    let run = |arguments: &[&str]| {
        let mut command = elsewhere.command(arguments);
        command.env("SANDBOX_KEY", "another-key-for-the-sandbox");
        crate::process::Process::start(command).wait()
    };
    let ended = run(&["balance", "--openid", "one"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let ended = run(&["balance", "--openid", "one", "--env", "live"]);
    assert_eq!(ended.code, Some(3));
    assert_eq!(ended.stderr, "error: the profile has no midas_key, which signed live calls need\n");
    let ended = run(&["order", "x"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("operator_token"), "{}", ended.stderr);
    let ended = run(&["balance", "--openid", "one", "--profile", "other"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("the file lacks `appid`"), "{}", ended.stderr);
    // An explicit `--config` overrides the default profile.
    let ended = run(&["balance", "--openid", "one", "--config", "absent.toml"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("absent.toml: cannot be read"), "{}", ended.stderr);
    let ended = run(&["balance", "--openid", "one", "--profile", "../x", "--lang", "zh"]);
    assert_eq!(ended.stderr, "错误：配置档名 \"../x\" 只能由字母、数字、- 和 _ 组成\n");
}

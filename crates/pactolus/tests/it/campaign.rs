//! Campaigns: many gifts from a file, each applied exactly once through every kind of interruption.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use pactolus_test_support::random::SplitMix64;
use pactolus_test_support::sample::operator_token;

use crate::process::{Folder, Process, ProcessOutput, ServerProcess};

/// Players of the killed campaign. `PACTOLUS_TEST_CAMPAIGN` overrides it.
const PLAYERS: usize = 3000;
/// Kills of the campaign before its last run.
const KILLS: usize = 10;
const SERVER_KILLS_AFTER: [usize; 2] = [3, 7];
const SEED: u64 = 20_171_009;

/// Faults: replies lost after the order is applied or before it, and errors of a busy server.
const FAULTS: &str = r#"[
    {"call": "present", "fault": "close_after", "one_in": 10, "seed": 1},
    {"call": "present", "fault": "close_before", "one_in": 20, "seed": 2},
    {"call": "present", "fault": {"answer": -1}, "one_in": 20, "seed": 3}
]"#;

/// A folder whose app accepts calls without `mp_sig`, so that a hundred thousand players need not log in.
pub(crate) fn folder_without_mp_sig() -> Folder {
    let folder = Folder::with_config();
    let config = folder.read("pactolus.toml") + "mp_sig = \"off\"\n";
    folder.write("pactolus.toml", &config);
    folder
}

/// `pactolus present` of `players.csv` in the sandbox of the server at `address`.
pub(crate) fn present_command(folder: &Folder, address: SocketAddr, more: &[&str]) -> Command {
    let url = format!("http://{address}");
    let usual =
        ["present", "--env", "sandbox", "--url", &url, "--input", "players.csv", "--campaign", "spring"];
    // Faults and gift limits concern signed calls.
    folder.command(&[&usual[..], &["--api", "midas"], more].concat())
}

/// The results file: by bill number, the outcomes in the order of the file.
fn results(folder: &Folder) -> BTreeMap<String, Vec<String>> {
    let mut reader = csv::Reader::from_path(folder.path().join("spring.results.csv")).unwrap();
    let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in reader.records() {
        let row = row.unwrap();
        if &row[5] == "end" {
            continue;
        }
        outcomes.entry(row[1].to_owned()).or_default().push(row[5].to_owned());
    }
    outcomes
}

fn is_given(outcome: &str) -> bool {
    outcome == "given" || outcome == "given-before"
}

/// A server that keeps its address across restarts.
pub(crate) struct FixedAddressServer<'a> {
    folder: &'a Folder,
    pub(crate) server: ServerProcess,
}

impl<'a> FixedAddressServer<'a> {
    pub(crate) fn start(folder: &'a Folder, listen: &str) -> Self {
        let server = ServerProcess::start(folder.command(&["serve", "--listen", listen]));
        Self { folder, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    async fn set_faults(&self) {
        let path = "/api/v1/apps/wx1234567/faults";
        let token = operator_token();
        let put = self.server.http.put_as_operator(path, &token, FAULTS).await.unwrap();
        assert_eq!(put.status, 200, "{}", put.body);
    }

    /// Kills the server while the campaign runs, and restarts it at the same address.
    async fn kill_and_restart(mut self) -> Self {
        let address = self.address().to_string();
        self.server.process.kill();
        let bank = Self::start(self.folder, &address);
        bank.set_faults().await;
        bank
    }
}

/// Polls the server's health until the condition holds.
async fn wait_until(bank: &FixedAddressServer<'_>, mut condition: impl FnMut() -> bool) {
    let token = operator_token();
    let mut unanswered = 0;
    while !condition() {
        // An idle connection may be closed under a request. If the server is down, the next ones fail too.
        let answered = bank.server.http.get_as_operator("/healthz", &token).await.is_ok();
        unanswered = if answered { 0 } else { unanswered + 1 };
        assert!(unanswered < 10, "the bank does not answer");
    }
}

/// Waits until the results file has this size.
pub(crate) async fn wait_for_results(folder: &Folder, bytes: u64, bank: &FixedAddressServer<'_>) {
    let path = folder.path().join("spring.results.csv");
    wait_until(bank, || fs::metadata(&path).is_ok_and(|file| file.len() >= bytes)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_campaign_presents_each_player_once() {
    let players = std::env::var("PACTOLUS_TEST_CAMPAIGN").map_or(PLAYERS, |number| number.parse().unwrap());
    let folder = folder_without_mp_sig();
    let coins = |number: usize| 1 + number % 9;
    let rows: Vec<_> = (0..players).map(|number| format!("player-{number},{}\n", coins(number))).collect();
    folder.write("players.csv", &format!("openid,present_counts\n{}", rows.concat()));
    let mut bank = FixedAddressServer::start(&folder, "127.0.0.1:0");
    bank.set_faults().await;

    let mut random = SplitMix64::new(SEED);
    // A row of results takes at least 80 bytes, so all kills come before the last row.
    let step = players * 80 / (KILLS + 1);
    let mut bytes = 0;
    for kill in 0..KILLS {
        let arguments = ["--yes", "--concurrency", "32"];
        let mut campaign = Process::start(present_command(&folder, bank.address(), &arguments));
        bytes += random.below(step);
        wait_for_results(&folder, bytes as u64, &bank).await;
        if SERVER_KILLS_AFTER.contains(&kill) {
            bank = bank.kill_and_restart().await;
            bytes += random.below(step / 4);
            wait_for_results(&folder, bytes as u64, &bank).await;
        }
        campaign.kill();
    }
    let before_last = results(&folder).len();
    assert!(before_last < players, "all rows were done before the last kill: {before_last}");
    let summary = run_to_completion(&folder, &bank).await;
    let [given, before] = ["given", "given_before"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(given + before, players as u64, "{summary}");

    // The results report each player's gift as given exactly once, and last.
    let results = results(&folder);
    assert_eq!(results.len(), players);
    for (bill_no, outcomes) in &results {
        let times = outcomes.iter().filter(|outcome| is_given(outcome)).count();
        assert!(times == 1 && is_given(outcomes.last().unwrap()), "{bill_no}: {outcomes:?}");
    }
    // The bank's own accounts agree.
    assert_eq!(bank.server.stop().code, Some(0));
    let ever = ["--from", "2017-10-09", "--to", "9999-12-31", "--out", "accounts.csv"];
    let exported = folder.run(&[&["export", "accounts"], &ever[..]].concat());
    assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    let mut accounts = csv::Reader::from_path(folder.path().join("accounts.csv")).unwrap();
    let actual: BTreeMap<String, (String, String)> = accounts
        .records()
        .map(|row| row.unwrap())
        .map(|row| (row[3].to_owned(), (row[5].to_owned(), row[11].to_owned())))
        .collect();
    let expected = (0..players).map(|number| {
        // Balance and count of orders.
        (format!("player-{number}"), (coins(number).to_string(), "1".to_owned()))
    });
    assert!(actual == expected.collect(), "a player's coins or orders differ");
    folder.audit(players);
}

/// Runs the campaign to completion and returns its summary. One run suffices unless the machine stalls for a minute.
async fn run_to_completion(folder: &Folder, bank: &FixedAddressServer<'_>) -> serde_json::Value {
    const RUNS_MAX: usize = 5;
    for _ in 0..RUNS_MAX {
        let mut campaign =
            Process::start(present_command(folder, bank.address(), &["--yes", "--output", "json"]));
        // With many players a run takes longer than the timeout of `Process`, so poll.
        wait_until(bank, || !campaign.is_running()).await;
        let ended = campaign.wait();
        match ended.code {
            Some(0) => return serde_json::from_str(&ended.stdout).unwrap(),
            Some(7) => {}
            _ => panic!("{ended:?}"),
        }
    }
    panic!("some gifts are not given after {RUNS_MAX} runs");
}

pub(crate) fn run(folder: &Folder, bank: &ServerProcess, more: &[&str]) -> ProcessOutput {
    Process::start(present_command(folder, bank.address, more)).wait()
}

#[test]
fn rerun_of_a_file_presents_once() {
    let folder = folder_without_mp_sig();
    folder.write("players.csv", "openid,zone_id,present_counts\none,1,5\none,2,6\ntwo,1,7\n");
    let bank = ServerProcess::serve(&folder);
    let ended = run(&folder, &bank, &["--yes"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, "rows 3: given 3\nresults: spring.results.csv\n");
    assert!(ended.stderr.starts_with("3 gifts of 18 coins in all, sandbox app wx1234567 at http://"));
    let again = run(&folder, &bank, &["--yes"]);
    assert_eq!((again.code, &*again.stderr), (Some(0), ""));
    assert_eq!(again.stdout, "rows 3: given 0, given before 3\nresults: spring.results.csv\n");
    // The bill numbers do not depend on the results file.
    fs::remove_file(folder.path().join("spring.results.csv")).unwrap();
    let again = run(&folder, &bank, &["--yes"]);
    assert_eq!(again.stdout, "rows 3: given 0, given before 3\nresults: spring.results.csv\n");
    bank.stop();
    folder.audit(3);
}

#[test]
fn invalid_row_blocks_the_whole_file() {
    let folder = folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    folder.write("players.csv", "openid,zone_id,present_counts\none,1,5\na b,1,0\ntwo,1\none,1,7\n,2,\n,,\n");
    let ended = run(&folder, &bank, &["--yes"]);
    assert_eq!((ended.code, &*ended.stdout), (Some(9), ""));
    let expected = [
        "players.csv:3: openid \"a b\" holds ' '; 1 to 64 digits, letters or any of _- are allowed",
        "players.csv:3: present_counts is 0; it must be at least 1",
        "players.csv:4: has 2 cells where the header has 3",
        "players.csv:5: one in zone 1 is in line 2 too; if both are meant, add --allow-duplicates",
        "players.csv:6: openid is empty",
        "players.csv:6: present_counts is empty",
        "error: players.csv is invalid, and nothing was sent; problems: 6",
    ];
    assert_eq!(ended.stderr.lines().collect::<Vec<_>>(), expected);
    let chinese = run(&folder, &bank, &["--yes", "--lang", "zh"]);
    assert!(
        chinese.stderr.ends_with("错误：players.csv 有误，没有发送任何订单；问题数：6\n"),
        "{}",
        chinese.stderr
    );

    folder.write("players.csv", "openid,zone_id,present_counts\none,1,5\none,1,5\n");
    let ended = run(&folder, &bank, &["--yes", "--allow-duplicates"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("rows 2: given 2\n"), "two equal rows are two gifts: {}", ended.stdout);
    // An applied gift cannot change.
    folder.write("players.csv", "openid,zone_id,present_counts\none,1,50\n");
    let ended = run(&folder, &bank, &["--yes"]);
    assert_eq!(ended.code, Some(9));
    assert!(
        ended.stderr.contains("players.csv:2: the results file records bill_no spring-"),
        "{}",
        ended.stderr
    );
    bank.stop();
    folder.audit(2);
}

#[test]
fn nothing_is_sent_before_confirmation() {
    let folder = folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    folder.write("players.csv", "openid\none\ntwo\n");
    let dry = run(&folder, &bank, &["--coins", "5", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert!(dry.stderr.contains("2 gifts of 10 coins"), "{}", dry.stderr);
    assert_eq!(dry.stdout, "rows 2: given 0, not sent 2\n");
    assert!(!folder.path().join("spring.results.csv").exists());
    let unconfirmed = run(&folder, &bank, &["--coins", "5"]);
    assert_eq!((unconfirmed.code, &*unconfirmed.stdout), (Some(8), ""));
    assert!(
        unconfirmed
            .stderr
            .ends_with("error: cannot ask for confirmation without a terminal; add --yes to skip it\n")
    );
    bank.stop();
    folder.audit(0);
}

#[test]
fn exit_code_reflects_partial_success() {
    let folder = folder_without_mp_sig();
    let config = folder.read("pactolus.toml") + "present_max = 10\n";
    folder.write("pactolus.toml", &config);
    let bank = ServerProcess::serve(&folder);
    folder.write("players.csv", "openid,present_counts\none,5\ntwo,50\n");
    let some = run(&folder, &bank, &["--yes"]);
    assert_eq!(some.code, Some(7), "{}", some.stderr);
    let reason = "; the last refusal: the bank refused it: 90018 invalid parameter";
    assert!(some.stderr.contains(&format!("error: 1 of 2 gifts are given{reason}")), "{}", some.stderr);
    assert!(
        some.stderr.ends_with("until its cause is corrected, and then does the rest\n"),
        "{}",
        some.stderr
    );
    let results = folder.read("spring.results.csv");
    assert!(results.contains(",two,1,50,refused,,the bank refused it: 90018 invalid parameter"), "{results}");

    // A wrong key would fail every gift, so the campaign ends before the first.
    fs::remove_file(folder.path().join("spring.results.csv")).unwrap();
    let config = folder.read("pactolus.toml").replace("another-key-for-the-sandbox", "a-wrong-key");
    folder.write("pactolus.toml", &config);
    folder.write("players.csv", &format!("openid,present_counts\n{}", "three,5\n".repeat(50)));
    let none = run(&folder, &bank, &["--yes", "--allow-duplicates", "--concurrency", "1"]);
    assert_eq!(none.code, Some(8), "{}", none.stderr);
    assert!(
        none.stderr.contains(
            "error: this run sent nothing, because every row would fail: the bank refused it: 90011"
        )
    );
    assert_eq!(folder.read("spring.results.csv"), "");
}

#[test]
fn results_file_is_bound_to_one_bank_and_writer() {
    let folder = folder_without_mp_sig();
    folder.write("players.csv", "openid,present_counts\none,5\n");
    let bank = ServerProcess::serve(&folder);
    assert_eq!(run(&folder, &bank, &["--yes"]).code, Some(0));
    let live = run(&folder, &bank, &["--yes", "--env", "live"]);
    assert_eq!(live.code, Some(2), "clap takes no option twice");
    let mut other = folder.command(&["present", "--env", "live", "--input", "players.csv"]);
    other.args(["--campaign", "spring", "--yes", "--url", &format!("http://{}", bank.address)]);
    let other = Process::start(other).wait();
    assert_eq!(other.code, Some(9));
    assert!(
        other.stderr.contains("it belongs to another bank, app or environment: sandbox:wx1234567@"),
        "{}",
        other.stderr
    );

    // A torn last line is truncated, and its gift is sent again.
    let whole = folder.read("spring.results.csv");
    let (rows, end) = whole.trim_end().rsplit_once('\n').unwrap();
    assert!(end.starts_with(",,,,,end,"), "{end}");
    folder.write("spring.results.csv", &rows[..rows.len() - 5]);
    let again = run(&folder, &bank, &["--yes"]);
    assert_eq!(again.stdout, "rows 1: given 0, given before 1\nresults: spring.results.csv\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_gifts_in_flight() {
    let folder = folder_without_mp_sig();
    let rows: Vec<_> = (0..300).map(|number| format!("player-{number},1\n")).collect();
    folder.write("players.csv", &format!("openid,present_counts\n{}", rows.concat()));
    let bank = FixedAddressServer::start(&folder, "127.0.0.1:0");
    let campaign = Process::start(present_command(&folder, bank.address(), &["--yes", "--rate", "100"]));
    wait_for_results(&folder, 1000, &bank).await;
    let other = run(&folder, &bank.server, &["--yes"]);
    assert_eq!(other.code, Some(9));
    // No advice to name another results file: that would be a second run beside the first.
    assert!(other.stderr.contains("another process is writing its results file"), "{}", other.stderr);
    assert!(!other.stderr.contains("--results"), "{}", other.stderr);
    campaign.terminate();
    let ended = campaign.wait();
    assert_eq!(ended.code, Some(7), "{}", ended.stderr);
    assert!(ended.stderr.contains("stopping: waiting for orders in flight"), "{}", ended.stderr);
    let rest = run(&folder, &bank.server, &["--yes"]);
    assert_eq!(rest.code, Some(0), "{}", rest.stderr);
    assert_eq!(bank.server.stop().code, Some(0));
    folder.audit(300);
}

#[test]
fn single_present_makes_one_call() {
    let folder = folder_without_mp_sig();
    let bank = ServerProcess::serve(&folder);
    let url = format!("http://{}", bank.address);
    let give = |more: &[&str]| {
        let usual = ["present", "--env", "sandbox", "--url", &url, "--openid", "one", "--coins", "5"];
        folder.run(&[&usual[..], &["--api", "midas"], more].concat())
    };
    let ended = give(&["--bill-no", "n1"]);
    let shown = "\
bill_no  openid  zone_id  present_counts  outcome  balance
n1       one           1               5  given          5
";
    assert_eq!((ended.code, &*ended.stderr, &*ended.stdout), (Some(0), "", shown));
    let again = give(&["--bill-no", "n1", "--output", "json"]);
    assert!(again.stdout.contains(r#""outcome":"given-before""#), "{}", again.stdout);
    let fresh = give(&[]);
    assert!(fresh.stderr.starts_with("bill number: 0"), "{}", fresh.stderr);
    let other = give(&["--zone", "2", "--bill-no", "n1"]);
    assert_eq!(other.code, Some(10));
    assert!(other.stderr.contains("the bill number belongs to another order, which has a different zone_id"));
    bank.stop();
    let unreachable = give(&["--bill-no", "n2", "--timeout", "1"]);
    assert_eq!(unreachable.code, Some(12), "{}", unreachable.stderr);
    folder.audit(2);
}
